package metrics

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Point is one series of what stands.
type Point struct {
	Name string
	// Labels are the values of the definition's labels, in their order.
	Labels []string
	Value  float64
}

// Limits of a sampler. It asks again at most every so often, and rests longer where asking takes
// long: of all time it asks for no more than a twentieth.
const (
	restTimes   = 20
	sampleFirst = 2 * time.Second
)

// Sampler asks for what stands when somebody scrapes: a process that nobody watches asks nothing.
// All scrapes share an answer for a while.
type Sampler struct {
	every, within time.Duration
	// ask returns what stands, now. Age is the family that says how old that is.
	ask func(context.Context) ([]Point, error)
	age Point

	registry *Registry
	now      func() time.Time
	failed   func(error)

	mu     sync.Mutex
	points []Point
	// taken is when the points were asked for, or the process began to; due when they are asked for again.
	taken, due time.Time
	asking     chan struct{} // closed when the answer is there; nil while nobody asks
}

// Sample adds a sampler: it asks at most every so often, and for so long. Failed is told of errors.
func (r *Registry) Sample(every, within time.Duration, age Point, ask func(context.Context) ([]Point, error), failed func(error)) {
	r.registry.MustRegister(&Sampler{
		every: every, within: within, ask: ask, age: age, registry: r, now: time.Now, failed: failed, taken: time.Now(),
	})
}

// sampled reports whether a gauge comes from a sampler.
func sampled(name string) bool {
	return slices.Contains([]string{
		Ready, Cases, ApprovalsPending, ApprovalsUnread, Leases, LeasesProblem, Paused, RejectedWaiting, StandingAge, FlowLag, FlowSurveyAge, Circuit,
	}, name)
}

// Describe implements [prometheus.Collector]: it promises nothing, for there may be no answer.
func (s *Sampler) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector]. It waits a little for an answer, and shows the one before where
// that is not enough.
func (s *Sampler) Collect(to chan<- prometheus.Metric) {
	select {
	case <-s.refresh():
	case <-time.After(sampleFirst):
	}
	s.mu.Lock()
	points, taken := s.points, s.taken
	s.mu.Unlock()
	if s.age.Name != "" {
		age := s.age
		age.Value = s.now().Sub(taken).Seconds()
		points = append(slices.Clip(points), age)
	}
	for _, p := range points {
		desc := prometheus.NewDesc(p.Name, s.registry.help[p.Name], s.registry.labels[p.Name], nil)
		to <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, p.Value, p.Labels...)
	}
}

// refresh asks again where that is due; what it returns is closed when the answer is there.
func (s *Sampler) refresh() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.asking == nil {
		asking := make(chan struct{})
		if s.now().Before(s.due) {
			close(asking)
			return asking
		}
		s.asking = asking
		go s.take(asking)
	}
	return s.asking
}

func (s *Sampler) take(asking chan struct{}) {
	defer close(asking)
	ctx, cancel := context.WithTimeout(context.Background(), s.within)
	defer cancel()
	from := s.now()
	points, err := s.ask(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.points, s.taken = points, from
	} else {
		s.failed(err)
	}
	took := s.now().Sub(from)
	s.due, s.asking = from.Add(max(s.every, restTimes*took)), nil
}
