package workflows_test

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/stanch-soar/stanch/activities/protocol"
)

// emitted keeps what workflows and activities count and time, as a process exposes it: by
// the labels that the families have, without the engine's own.
type emitted struct {
	labels map[string]string
	kept   *kept
}

type kept struct {
	mu     sync.Mutex
	counts map[string]int64
	times  map[string][]time.Duration
	gauges map[string]float64
}

func newEmitted() *emitted {
	return &emitted{kept: &kept{counts: map[string]int64{}, times: map[string][]time.Duration{}, gauges: map[string]float64{}}}
}

// key names labels, each given as name=value.
func key(labels ...string) string { return strings.Join(slices.Sorted(slices.Values(labels)), ",") }

// contains reports whether labels that [key] named have one.
func contains(labels, label string) bool { return slices.Contains(strings.Split(labels, ","), label) }

// value is the value of a label among those that [key] named.
func value(labels, name string) string {
	for label := range strings.SplitSeq(labels, ",") {
		if v, ok := strings.CutPrefix(label, name+"="); ok {
			return v
		}
	}
	return ""
}

// series names a family with labels.
func series(family string, labels ...string) string { return family + "{" + key(labels...) }

func (e *emitted) series(family string) string {
	var labels []string
	for name, value := range e.labels {
		if slices.Contains([]string{
			protocol.LabelPlaybook, protocol.LabelAction, protocol.LabelStage, protocol.LabelOutcome, protocol.LabelApproval,
			protocol.LabelResult, protocol.LabelProof, protocol.LabelGuardrail, protocol.LabelIntegration, protocol.LabelCall,
		}, name) {
			labels = append(labels, name+"="+value)
		}
	}
	return series(family, labels...)
}

// count is how often something was counted.
func (e *emitted) count(family string, labels ...string) int64 {
	e.kept.mu.Lock()
	defer e.kept.mu.Unlock()
	return e.kept.counts[series(family, labels...)]
}

// gauge is what a gauge of an integration was set to last; zero where it never was.
func (e *emitted) gauge(family, integration string) float64 {
	e.kept.mu.Lock()
	defer e.kept.mu.Unlock()
	return e.kept.gauges[series(family, protocol.LabelIntegration+"="+integration)]
}

// counted are the counts of a family by its labels, without those that are zero.
func (e *emitted) counted(family string) map[string]int64 {
	e.kept.mu.Lock()
	defer e.kept.mu.Unlock()
	out := map[string]int64{}
	for name, n := range e.kept.counts {
		if labels, ok := strings.CutPrefix(name, family+"{"); ok && n > 0 {
			out[labels] = n
		}
	}
	return out
}

// timed are the times of a histogram by its labels, each sorted.
func (e *emitted) timed(family string) map[string][]time.Duration {
	e.kept.mu.Lock()
	defer e.kept.mu.Unlock()
	out := map[string][]time.Duration{}
	for name, times := range e.kept.times {
		if labels, ok := strings.CutPrefix(name, family+"{"); ok {
			out[labels] = slices.Sorted(slices.Values(times))
		}
	}
	return out
}

// WithTags implements [client.MetricsHandler].
func (e *emitted) WithTags(tags map[string]string) client.MetricsHandler {
	labels := map[string]string{}
	maps.Copy(labels, e.labels)
	maps.Copy(labels, tags)
	return &emitted{labels, e.kept}
}

// Counter implements [client.MetricsHandler].
func (e *emitted) Counter(name string) client.MetricsCounter { return emits{e, name} }

// Gauge implements [client.MetricsHandler].
func (e *emitted) Gauge(name string) client.MetricsGauge { return emits{e, name} }

// Timer implements [client.MetricsHandler].
func (e *emitted) Timer(name string) client.MetricsTimer { return emits{e, name} }

// emits is one series.
type emits struct {
	of   *emitted
	name string
}

// Inc implements [client.MetricsCounter].
func (s emits) Inc(n int64) {
	s.of.kept.mu.Lock()
	defer s.of.kept.mu.Unlock()
	s.of.kept.counts[s.of.series(s.name)] += n
}

// Update implements [client.MetricsGauge]. All gauges are of an integration.
func (s emits) Update(v float64) {
	s.of.kept.mu.Lock()
	defer s.of.kept.mu.Unlock()
	s.of.kept.gauges[series(s.name, protocol.LabelIntegration+"="+s.of.labels[protocol.LabelIntegration])] = v
}

// Record implements [client.MetricsTimer].
func (s emits) Record(d time.Duration) {
	s.of.kept.mu.Lock()
	defer s.of.kept.mu.Unlock()
	of := s.of.series(s.name)
	s.of.kept.times[of] = append(s.of.kept.times[of], d)
}
