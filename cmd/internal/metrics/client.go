package metrics

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.temporal.io/sdk/client"
)

// seriesKept bounds the series of the engine's client: its labels are names of ours and of its
// calls, so that there are some hundred.
const seriesKept = 5000

// Client is the handler for the engine's client: workflows and activities emit the families of
// the definitions through it, and the client its own, which begin with temporal_.
func (r *Registry) Client() client.MetricsHandler { return handler{registry: r} }

// handler implements [client.MetricsHandler].
type handler struct {
	registry *Registry
	tags     map[string]string
}

// WithTags implements [client.MetricsHandler].
func (h handler) WithTags(tags map[string]string) client.MetricsHandler {
	merged := maps.Clone(h.tags)
	if merged == nil {
		merged = map[string]string{}
	}
	maps.Copy(merged, tags)
	return handler{h.registry, merged}
}

// Counter implements [client.MetricsHandler].
func (h handler) Counter(name string) client.MetricsCounter {
	if vec, ok := h.registry.counters[name]; ok {
		return counter{vec.WithLabelValues(h.values(name)...)}
	}
	return counter{h.registry.client.counter(name, h.tags)}
}

// Gauge implements [client.MetricsHandler].
func (h handler) Gauge(name string) client.MetricsGauge {
	if vec, ok := h.registry.gauges[name]; ok {
		return gauge{vec.WithLabelValues(h.values(name)...)}
	}
	return gauge{h.registry.client.gauge(name, h.tags)}
}

// Timer implements [client.MetricsHandler].
func (h handler) Timer(name string) client.MetricsTimer {
	if vec, ok := h.registry.histograms[name]; ok {
		return timer{vec.WithLabelValues(h.values(name)...)}
	}
	return timer{h.registry.client.timer(name, h.tags)}
}

// values are the values of a family's labels; the engine's own tags are left out.
func (h handler) values(name string) []string {
	var values []string
	for _, label := range h.registry.labels[name] {
		values = append(values, h.tags[label])
	}
	return values
}

type counter struct{ prometheus.Counter }

// Inc implements [client.MetricsCounter].
func (c counter) Inc(n int64) { c.Add(float64(n)) }

type gauge struct{ prometheus.Gauge }

// Update implements [client.MetricsGauge].
func (g gauge) Update(v float64) { g.Set(v) }

type timer struct{ prometheus.Observer }

// Record implements [client.MetricsTimer].
func (t timer) Record(d time.Duration) { t.Observe(d.Seconds()) }

// series are the metrics of the engine's client. It names them as it goes along, and one name may have
// several sets of labels, so that they cannot be registered before.
type series struct {
	dropped prometheus.Counter
	mu      sync.RWMutex
	kept    map[string]prometheus.Metric
}

func newSeries(dropped prometheus.Counter) *series {
	return &series{dropped: dropped, kept: map[string]prometheus.Metric{}}
}

// Describe implements [prometheus.Collector]: it promises nothing.
func (s *series) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (s *series) Collect(to chan<- prometheus.Metric) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, m := range s.kept {
		to <- m
	}
}

func (s *series) counter(name string, tags map[string]string) prometheus.Counter {
	return find(s, "c", name, tags, func() prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name + "_total", Help: clientHelp, ConstLabels: tags})
	})
}

func (s *series) gauge(name string, tags map[string]string) prometheus.Gauge {
	return find(s, "g", name, tags, func() prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: clientHelp, ConstLabels: tags})
	})
}

func (s *series) timer(name string, tags map[string]string) prometheus.Histogram {
	return find(s, "t", name, tags, func() prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: name + "_seconds", Help: clientHelp, ConstLabels: tags, Buckets: clientBuckets(),
		})
	})
}

const clientHelp = "Of the engine's client: see Temporal's SDK metrics reference."

func clientBuckets() []float64 {
	return []float64{0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 30, 60}
}

// find returns the metric of a name and its labels, which is made when it is used first. One too many counts
// for nobody.
func find[M prometheus.Metric](s *series, kind, name string, tags map[string]string, make func() M) M {
	key := keyOf(kind+name, tags)
	s.mu.RLock()
	m, ok := s.kept[key].(M)
	s.mu.RUnlock()
	if ok {
		return m
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if m, ok := s.kept[key].(M); ok {
		return m
	}
	m = make()
	if len(s.kept) >= seriesKept {
		s.dropped.Inc()
		return m
	}
	s.kept[key] = m
	return m
}

func keyOf(name string, tags map[string]string) string {
	var b strings.Builder
	b.WriteString(name)
	for _, label := range slices.Sorted(maps.Keys(tags)) {
		b.WriteByte(0)
		b.WriteString(label)
		b.WriteByte(0)
		b.WriteString(tags[label])
	}
	return b.String()
}
