package playbooktest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
	"github.com/stanch-soar/stanch/workflows"
	"github.com/stanch-soar/stanch/workflows/rehearse"
)

const (
	// patience is how long a case may work, on its own clock, before it is
	// checked although it is not at rest.
	patience = time.Hour
	// firstLook and longestLook bound the pauses between two checks.
	firstLook   = 100 * time.Millisecond
	longestLook = 30 * time.Second
)

// rehearsal is one case of a test while it runs.
type rehearsal struct {
	*rehearse.Rehearsal
	test playbooks.TestCase
	id   string
	host string // id of the device
	// late are the facts that the estate does not return yet, with the event of
	// the timeline that sets them.
	late   map[string]int
	estate *memory.Estate
	length time.Duration
	seen   *state
	// mishaps are events of the timeline that could not happen.
	mishaps []Failure
	fault   error
}

// state is the case and the estate at the end of the timeline.
type state struct {
	incident.Case
	// standing are the active containments in the estate.
	standing []incident.Action
	mishaps  []Failure
}

// newRehearsal sets up the estate and plans the events.
func newRehearsal(ctx context.Context, p *playbooks.Playbook, c playbooks.TestCase, dir string, limits traffic.LimitsByRole) (*rehearsal, error) {
	facts := laid(c.Facts)
	host := identify(&facts)
	alert := facts.Alert
	start := complete(&alert)
	subject, err := p.Subject(ctx, &incident.Facts{Alert: alert}, start)
	if err != nil {
		return nil, fmt.Errorf("the alert of the case has no subject: %w", err)
	}
	r := &rehearsal{test: c, id: p.Name + "/" + subject, host: host.ID, late: c.Late()}
	r.Rehearsal = rehearse.New(start, nil, func(engine activities.Workflows, now func() time.Time) *activities.Activities {
		set := integrations.NewSet()
		r.estate, r.fault = memory.New(memory.Options{Now: now})
		if r.fault == nil {
			r.fault = errors.Join(r.estate.AddHost(host), r.estate.SetFacts(host.ID, facts))
			for _, name := range uses(p) {
				set.Add(name, r.estate.Spec(), r.estate)
			}
			for name, why := range c.Cannot {
				set.Add(name, r.estate.Spec(), unable{r.estate, why})
			}
		}
		return &activities.Activities{Set: set, Workflows: engine, EvidenceDir: dir, Now: now, Limits: limits, Roles: p.Roles()}
	})
	if r.fault != nil {
		return nil, fmt.Errorf("lay the estate: %w", r.fault)
	}
	r.withhold()
	pin := activities.PinOf(p)
	pin.Mode = playbooks.Enforce
	if err := r.StartCase(workflows.CaseInput{ID: r.id, Subject: subject, Pin: pin, Alerts: []incident.Alert{alert}}); err != nil {
		return nil, err
	}
	r.plan(p)
	return r, nil
}

// unable is an integration of the estate that cannot act.
type unable struct {
	*memory.Estate
	why string
}

// Plan implements [integrations.Planner].
func (u unable) Plan(_ context.Context, o incident.Order) error {
	return &integrations.Error{Kind: integrations.Invalid, Op: "plan " + string(o.Action), Words: u.why, Err: errors.New(u.why)}
}

// laid are the facts as the estate returns them: the facts that prove a step
// follow from the volume, and change with it.
func laid(facts incident.Facts) incident.Facts {
	if t := &facts.Traffic; t.BytesOut.IsKnown() {
		leave(&t.Rate)
		leave(&t.Freshness)
	}
	return facts
}

// withhold makes the estate fail for the facts that come late.
func (r *rehearsal) withhold() {
	for fact := range r.late {
		op, _ := memory.Operation(fact) // The estate answers every fact; its Spec is checked for it.
		r.estate.Fail(op, integrations.Error{Kind: integrations.Unavailable, Op: "tell", Err: errors.New("it comes late")}, -1)
	}
}

// identify returns the host of the estate and names it alike in the facts,
// where the test leaves its identifiers out: a target is exact when two of the
// alert's identifiers agree with the device. A device without given facts does
// not exist.
func identify(facts *incident.Facts) memory.Host {
	alert, endpoint := &facts.Alert.Host, &facts.Endpoint
	id := first(endpoint.ID, alert.ID, alert.Name, incident.Known("host-1", incident.Assumed))
	name := first(endpoint.Name, alert.Name, incident.Known(id, incident.Assumed))
	ips := first(endpoint.IP, alert.IP, incident.Known([]string{"10.0.0.42"}, incident.Assumed))
	os := first(endpoint.OS, alert.OS, incident.Known("windows", incident.Assumed))
	if given(*endpoint) {
		fill(&endpoint.ID, id)
		fill(&endpoint.Name, name)
		fill(&endpoint.IP, ips)
		if endpoint.Route.Why() == playbooks.NotGiven {
			fill(&endpoint.Route, incident.RouteDirect)
		}
	}
	fill(&alert.ID, id)
	fill(&alert.Name, name)
	fill(&alert.IP, ips)
	return memory.Host{ID: id, Name: name, IPs: ips, OS: os, Processes: []memory.Process{sender(facts.Process)}}
}

// sender is the process of the host where the facts name no volume: it sends a
// little, so that the sender is known though not the volume. A given volume
// replaces it.
func sender(given incident.Process) memory.Process {
	return memory.Process{
		Path: first(given.Path, incident.Known(`C:\Windows\explorer.exe`, incident.Assumed)), PID: first(given.PID, incident.Known[int64](4242, incident.Assumed)),
		Streams: []memory.Stream{{Destinations: []string{"198.51.100.1"}, DstPort: 443, Transport: "tcp", BitsOut: 8_000, BitsIn: 12_000, From: -time.Hour}},
	}
}

// given reports whether a test has facts of the device.
func given(e incident.Endpoint) bool {
	return slices.ContainsFunc([]incident.Field{e.ID, e.Name, e.IP, e.OS, e.Role, e.Online, e.Isolation, e.LastSeen}, func(f incident.Field) bool {
		_, from, _ := f.Any()
		return from != incident.Unknown
	})
}

// first returns the first known value; the last must be known.
func first[T any](values ...incident.Value[T]) T {
	var v T
	for _, value := range values {
		if known, ok := value.Get(); ok {
			return known
		}
	}
	return v
}

// leave leaves a value that is not given to the estate.
func leave[T any](v *incident.Value[T]) {
	if !v.IsKnown() {
		*v = incident.Value[T]{}
	}
}

func fill[T any](v *incident.Value[T], with T) {
	if !v.IsKnown() {
		*v = incident.Known(with, incident.Assumed)
	}
}

// complete adds the fields to an alert that a receiver requires, and returns its
// time, at which the case is opened.
func complete(a *incident.Alert) time.Time {
	at := first(a.Time, incident.Known(time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC), incident.Assumed))
	fill(&a.Time, at)
	if a.ID == "" {
		a.ID = "alert-1"
	}
	if a.Source == "" {
		a.Source = "test"
	}
	if a.Status == "" {
		a.Status = incident.Firing
	}
	a.ReceivedAt = at
	return at
}

// uses names the integrations that a playbook uses: all of them are the estate.
func uses(p *playbooks.Playbook) []string {
	var names []string
	for _, e := range p.Enrich {
		names = append(names, e.Use)
	}
	for _, s := range p.Steps {
		names = append(names, s.Use...)
	}
	for _, a := range p.Approvals {
		names = append(names, a.Ask.Use)
		for _, e := range a.Escalate {
			names = append(names, e.Ask.Use)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// plan plans the events of the timeline, and the check at its end.
func (r *rehearsal) plan(p *playbooks.Playbook) {
	end := time.Duration(0)
	for i, e := range r.test.Timeline {
		end = e.At
		r.At(e.At, func() { r.happen(i, e) })
	}
	r.length = end + patience
	for _, a := range p.Approvals {
		r.length += a.ExpireAfter
	}
	for _, s := range p.Steps {
		r.length += s.Timeout
	}
	r.look(end+firstLook, firstLook)
}

// look reads the case once it rests; until then it polls.
func (r *rehearsal) look(after, pause time.Duration) {
	r.At(after, func() {
		c, err := r.Case(r.id)
		// A case whose first task is under way does not answer yet.
		if r.fault = err; err == nil && r.rests(c) {
			r.seen = r.state(c)
			return
		}
		next := min(2*pause, longestLook)
		r.look(next, next)
	})
}

// rests reports whether a case waits or has nothing to do. Where every question is
// to end without an answer, it does not rest while one is pending.
func (r *rehearsal) rests(c incident.Case) bool {
	switch c.Status {
	case incident.Awaiting:
		return r.test.Timeline == nil || len(r.test.Timeline) > 0
	case incident.Contained, incident.Watching, incident.Closed:
		return true
	case incident.Working:
	}
	return false
}

// state is the case with the active containments in the estate.
func (r *rehearsal) state(c incident.Case) *state {
	s := &state{Case: c, mishaps: r.mishaps}
	stands := map[string]incident.Action{}
	for _, e := range r.estate.Effects() {
		switch e.Op {
		case "apply":
			stands[e.Key] = e.Action
		case "undo":
			delete(stands, e.Key)
		}
	}
	for _, action := range stands {
		s.standing = append(s.standing, action)
	}
	return s
}

// run runs the rehearsal and returns the state at the end of the timeline.
func (r *rehearsal) run() (*state, error) {
	if err := r.Run(r.length); err != nil {
		return nil, err
	}
	switch {
	case r.fault != nil:
		return nil, r.fault
	case r.seen == nil:
		return nil, fmt.Errorf("the case did not come to rest within %s", incident.FormatDuration(r.length))
	}
	return r.seen, nil
}
