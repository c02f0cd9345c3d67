package metrics

import (
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Registry holds what one process exposes.
type Registry struct {
	registry   *prometheus.Registry
	counters   map[string]*prometheus.CounterVec
	gauges     map[string]*prometheus.GaugeVec
	histograms map[string]*prometheus.HistogramVec
	labels     map[string][]string
	help       map[string]string
	client     *series
}

// New returns a registry with every family, those of the Go runtime and of the process.
func New() *Registry {
	r := &Registry{
		registry: prometheus.NewRegistry(), counters: map[string]*prometheus.CounterVec{}, gauges: map[string]*prometheus.GaugeVec{},
		histograms: map[string]*prometheus.HistogramVec{}, labels: map[string][]string{}, help: map[string]string{},
	}
	r.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, d := range Definitions() {
		r.labels[d.Name], r.help[d.Name] = d.Labels, d.Help
		switch d.Kind {
		case Counter:
			r.counters[d.Name] = prometheus.NewCounterVec(prometheus.CounterOpts{Name: d.Name, Help: d.Help}, d.Labels)
			r.registry.MustRegister(r.counters[d.Name])
		case Histogram:
			r.histograms[d.Name] = prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: d.Name, Help: d.Help, Buckets: d.buckets}, d.Labels)
			r.registry.MustRegister(r.histograms[d.Name])
		case Gauge:
			if sampled(d.Name) {
				continue
			}
			r.gauges[d.Name] = prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: d.Name, Help: d.Help}, d.Labels)
			r.registry.MustRegister(r.gauges[d.Name])
		}
	}
	r.client = newSeries(r.counters[SeriesDropped].WithLabelValues())
	r.registry.MustRegister(r.client)
	return r
}

// Handler answers a scrape.
func (r *Registry) Handler() http.Handler {
	return promhttp.HandlerFor(r.registry, promhttp.HandlerOpts{})
}

// Add adds to a counter; with 0 it begins to be exposed, so that its first increase is seen as one.
func (r *Registry) Add(name string, n float64, labels ...string) {
	r.counters[name].WithLabelValues(labels...).Add(n)
}

// Begin exposes a histogram before it has counted anything.
func (r *Registry) Begin(name string, labels ...string) {
	r.histograms[name].WithLabelValues(labels...)
}

// Set sets a gauge.
func (r *Registry) Set(name string, value float64, labels ...string) {
	r.gauges[name].WithLabelValues(labels...).Set(value)
}

// Reset forgets all series of a gauge.
func (r *Registry) Reset(name string) { r.gauges[name].Reset() }

// Observe adds a time in seconds to a histogram.
func (r *Registry) Observe(name string, seconds float64, labels ...string) {
	r.histograms[name].WithLabelValues(labels...).Observe(seconds)
}
