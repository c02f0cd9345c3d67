package service

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/metrics"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// How often what stands is asked for at most, and for how long. See [metrics.Sampler].
const (
	readyEvery, readyWithin   = 5 * time.Second, 3 * time.Second
	standsEvery, standsWithin = 10 * time.Second, 20 * time.Second
	surveyEvery, surveyWithin = 30 * time.Second, 20 * time.Second
	circuitsWithin            = time.Second
	// surveyWindow is how far back sensors are looked for. One that was seen is shown for
	// sensorKept; sensorsShown bounds how many there are of a store.
	surveyWindow = 15 * time.Minute
	sensorKept   = 24 * time.Hour
	sensorsShown = 100
)

// watch has what stands asked for when somebody scrapes.
func (s *Service) watch(context.Context) error {
	log := s.options.Log
	s.metrics.Sample(readyEvery, 2*readyWithin, metrics.Point{}, s.readyPoint, func(error) {})
	s.metrics.Sample(standsEvery, standsWithin, metrics.Point{Name: metrics.StandingAge}, s.standing, func(err error) {
		log.Warn("the metrics of what stands are not renewed", "error", err)
	})
	for _, use := range s.set.Names() {
		surveyor, err := integrations.Use[integrations.Surveyor](s.set, use)
		if err != nil {
			continue
		}
		lag := lagging{use: use, store: surveyor, now: time.Now, seen: map[string]time.Time{}}
		s.metrics.Sample(surveyEvery, surveyWithin, metrics.Point{Name: metrics.FlowSurveyAge, Labels: []string{use}}, lag.ask, func(err error) {
			log.Warn("a flow store does not say which sensors it has", "integration", use, "error", err)
		})
	}
	s.metrics.Sample(0, circuitsWithin, metrics.Point{}, s.circuits, func(error) {})
	s.declare()
	s.shelf.changed = s.declare
	return s.exposeMetrics()
}

// exposeMetrics serves them at an address of their own, where stanch.yaml names one: a process that only works has
// no other.
func (s *Service) exposeMetrics() error {
	address := s.options.Config.Telemetry.Metrics.Listen
	if address == "" {
		return nil
	}
	listener, err := Listen(address, setMetricsListen)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", s.metrics.Handler())
	s.scraped = &http.Server{Handler: mux, ReadHeaderTimeout: readyWithin, ReadTimeout: readyWithin, MaxHeaderBytes: 16 << 10}
	s.running.Go(func() {
		if err := s.scraped.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.fail(fmt.Errorf("the address of the metrics ended: %w", err))
		}
	})
	return nil
}

// readyPoint asks as /readyz does. An engine whose disk hangs may not even notice that the call was cancelled.
func (s *Service) readyPoint(ctx context.Context) ([]metrics.Point, error) {
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	answer := make(chan error, 1)
	go func() { answer <- s.ready(ctx) }()
	is := metrics.Point{Name: metrics.Ready}
	select {
	case err := <-answer:
		if err == nil {
			is.Value = 1
		}
	case <-ctx.Done():
	}
	return []metrics.Point{is}, nil
}

// circuits says which products this process does not ask. Nobody is asked for that, so each
// scrape has the newest.
func (s *Service) circuits(context.Context) ([]metrics.Point, error) {
	var points []metrics.Point
	for _, use := range s.set.Names() {
		if b, err := integrations.Use[integrations.Breaker](s.set, use); err == nil {
			points = append(points, metrics.Point{Name: metrics.Circuit, Labels: []string{use}, Value: float64(slices.Index(integrations.Circuits(), b.Circuit()))})
		}
	}
	return points, nil
}

// declare begins to count what is counted seldom, so that its first increase is seen: by the playbooks in force
// and the integrations.
func (s *Service) declare() {
	in := s.shelf.playbooks()
	s.metrics.Reset(metrics.Playbooks)
	for _, mode := range []playbooks.Mode{playbooks.Enforce, playbooks.Shadow} {
		count := len(slices.DeleteFunc(slices.Clone(in), func(p *playbooks.Playbook) bool { return p.Mode != mode }))
		s.metrics.Set(metrics.Playbooks, float64(count), string(mode))
	}
	s.metrics.Set(metrics.PlaybooksFailing, float64(s.shelf.failing.Load()))
	for _, p := range in {
		for _, outcome := range incident.Outcomes() {
			s.metrics.Add(protocol.MetricCasesClosed, 0, p.Name, string(outcome))
		}
		for name := range p.Approvals {
			for _, state := range []incident.ApprovalState{incident.Approved, incident.ApprovalDenied, incident.ApprovalExpired, incident.Superseded} {
				s.metrics.Add(protocol.MetricApprovals, 0, p.Name, name, string(state))
			}
		}
		for _, g := range p.Guardrails {
			if g.Limit != nil {
				s.metrics.Add(protocol.MetricLimitsReached, 0, p.Name, string(g.Limit.Action), g.Name)
			}
		}
		s.declareStages(p)
		for action := range contained(p) {
			s.metrics.Add(protocol.MetricStepsFailed, 0, p.Name, string(action))
			for _, proof := range []incident.Proof{incident.Verified, incident.NotEffective, incident.CannotTell} {
				s.metrics.Add(protocol.MetricProofs, 0, p.Name, string(action), string(proof))
			}
		}
	}
	for _, use := range s.set.Names() {
		spec, _ := s.set.Spec(use)
		for _, action := range incident.ActionsWhere(incident.Action.Leased) {
			if spec.Does(action) {
				s.metrics.Add(protocol.MetricUndoFailures, 0, use, string(action))
				s.metrics.Add(protocol.MetricDuplicateEffects, 0, use, string(action))
			}
		}
	}
}

// declareStages begins to time the stages of a playbook that acts.
func (s *Service) declareStages(p *playbooks.Playbook) {
	if p.Mode != playbooks.Enforce {
		return
	}
	begin := func(action string, stages ...incident.Stage) {
		for _, stage := range stages {
			s.metrics.Begin(protocol.MetricStage, p.Name, action, string(stage))
			s.metrics.Begin(protocol.MetricSinceReceived, p.Name, action, string(stage))
		}
	}
	begin(protocol.NoAction, incident.StageAccepted, incident.StageEnriched, incident.StageDecided)
	for action := range contained(p) {
		begin(string(action), incident.StageApplied)
		if action.Leased() {
			begin(string(action), incident.StageConfirmed, incident.StageEffective, incident.StageGivenBack)
		}
		if len(p.Approvals) > 0 {
			begin(string(action), incident.StageAsked, incident.StageAnswered)
		}
	}
}

// contained are the containing actions of a playbook's steps.
func contained(p *playbooks.Playbook) map[incident.Action]bool {
	used := map[incident.Action]bool{}
	for _, step := range p.Steps {
		if step.Action.Containing() {
			used[step.Action] = true
		}
	}
	return used
}

// standing is what the engine says that stands.
func (s *Service) standing(ctx context.Context) ([]metrics.Point, error) {
	var names []string
	for _, p := range s.shelf.playbooks() {
		names = append(names, p.Name)
	}
	is, err := s.engine.Standing(ctx, names)
	if err != nil {
		return nil, err
	}
	var points []metrics.Point
	for of, count := range is.Cases {
		points = append(points, metrics.Point{Name: metrics.Cases, Labels: []string{of.Playbook, string(of.Status)}, Value: float64(count)})
	}
	for of, count := range is.Leases {
		points = append(points, metrics.Point{Name: metrics.Leases, Labels: []string{string(of.Action), string(of.Phase)}, Value: float64(count)})
	}
	for action, count := range is.Problems {
		points = append(points, metrics.Point{Name: metrics.LeasesProblem, Labels: []string{string(action)}, Value: float64(count)})
	}
	for _, age := range []time.Duration{0, 5 * time.Minute, 15 * time.Minute, time.Hour, 4 * time.Hour} {
		label, waiting := "0s", len(is.Asked)
		if age > 0 {
			label = incident.FormatDuration(age)
			waiting = len(slices.DeleteFunc(slices.Clone(is.Asked), func(at time.Time) bool { return time.Since(at) < age }))
		}
		points = append(points, metrics.Point{Name: metrics.ApprovalsPending, Labels: []string{label}, Value: float64(waiting)})
	}
	paused := 0.0
	if is.Paused {
		paused = 1
	}
	return append(points,
		metrics.Point{Name: metrics.ApprovalsUnread, Value: float64(is.Unread)},
		metrics.Point{Name: metrics.RejectedWaiting, Value: float64(is.Rejected)},
		metrics.Point{Name: metrics.Paused, Value: paused},
	), nil
}

// lagging asks a flow store how old the newest records of its sensors are.
type lagging struct {
	use   string
	store integrations.Surveyor
	now   func() time.Time
	// seen is each sensor's newest record, so that one that is silent is not forgotten.
	seen map[string]time.Time
}

// allSensors is the sensor of the newest record of any.
const allSensors = "all"

func (l lagging) ask(ctx context.Context) ([]metrics.Point, error) {
	now := l.now()
	survey, err := l.store.Survey(ctx, now.Add(-surveyWindow), now)
	if err != nil {
		return nil, err
	}
	found := map[string]time.Time{allSensors: survey.Newest}
	for _, sensor := range survey.Sensors {
		found[sensor.Name] = sensor.Newest
	}
	for name, newest := range found {
		if _, known := l.seen[name]; (known || len(l.seen) < sensorsShown) && newest.After(l.seen[name]) {
			l.seen[name] = newest
		}
	}
	maps.DeleteFunc(l.seen, func(_ string, newest time.Time) bool { return now.Sub(newest) > sensorKept })
	var points []metrics.Point
	for name, newest := range l.seen {
		points = append(points, metrics.Point{Name: metrics.FlowLag, Labels: []string{l.use, name}, Value: max(0, now.Sub(newest).Seconds())})
	}
	return points, nil
}
