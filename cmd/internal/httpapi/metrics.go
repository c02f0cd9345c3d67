package httpapi

import "github.com/prometheus/client_golang/prometheus"

// metrics are the receiver's Prometheus metrics.
type metrics struct {
	registry *prometheus.Registry
	alerts   *prometheus.CounterVec
	requests *prometheus.HistogramVec
	refused  *prometheus.CounterVec
}

func newMetrics() *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		alerts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "stanch_alerts_total", Help: "Alerts by source and what became of them.",
		}, []string{"source", "result"}),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "stanch_intake_seconds", Help: "Time from an alert's request to its answer.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}, []string{"source"}),
	}
	m.refused = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "stanch_refused_total", Help: "Wrong credentials, by what they were for and what was answered.",
	}, []string{"door", "result"})
	m.registry.MustRegister(m.alerts, m.requests, m.refused)
	return m
}
