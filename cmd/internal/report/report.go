// Package report adds up what cases did in a span of time: how they ended, how long
// each stage took, who answered, what was not proven and what stands.
package report

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// lateAfter is how much later than its end a lease may be given back before it
	// counts as late: an undo takes its time.
	lateAfter = time.Minute
	// maxSteps bounds the steps that are listed one by one, maxReasons the reasons.
	maxSteps   = 100
	maxReasons = 50
)

// openOutcome is the name under which cases are counted that are open.
const openOutcome = "open"

type ruleKey struct{ playbook, rule string }

type stageKey struct {
	stage  incident.Stage
	action incident.Action
}

type stageTimes struct{ took, total []time.Duration }

// Builder takes one case after the other.
type Builder struct {
	out      api.Report
	outcomes map[string]int
	rules    map[ruleKey]int
	stages   map[stageKey]*stageTimes
	people   map[string][]time.Duration
	answers  []time.Duration
	heldBack map[string]int
	holds    map[string]*holdCount
}

// New returns a builder for what happened between two times.
func New(since, until time.Time) *Builder {
	return &Builder{
		out:      api.Report{Since: since, Until: until},
		outcomes: map[string]int{}, rules: map[ruleKey]int{}, stages: map[stageKey]*stageTimes{},
		people: map[string][]time.Duration{}, heldBack: map[string]int{}, holds: map[string]*holdCount{},
	}
}

// Add adds a case that was open in the span. Its record is nil where it did not answer.
func (b *Builder) Add(s incident.CaseSummary, c *incident.Case) {
	b.out.Cases++
	outcome := string(s.Outcome)
	if s.Status != incident.Closed {
		outcome = openOutcome
		b.out.Open++
	}
	b.outcomes[outcome]++
	b.rules[ruleKey{s.Playbook, s.Rule}]++
	if c == nil {
		b.out.Unread++
		return
	}
	for _, t := range c.StageTimes() {
		if !t.At.Before(b.out.Since) {
			b.reached(t)
		}
	}
	for _, a := range c.Approvals {
		if !a.AskedAt.Before(b.out.Since) {
			b.asked(a)
		}
	}
	for _, step := range c.Steps {
		b.step(c, step)
	}
	b.held(c)
	for _, e := range c.Timeline {
		if e.Kind == incident.EvHeldBack && !e.At.Before(b.out.Since) {
			b.heldBack[e.Text]++
		}
	}
}

func (b *Builder) reached(t incident.StageTime) {
	key := stageKey{t.Stage, t.Action}
	times := b.stages[key]
	if times == nil {
		times = &stageTimes{}
		b.stages[key] = times
	}
	times.took, times.total = append(times.took, t.Took), append(times.total, t.Total)
}

func (b *Builder) asked(a incident.Approval) {
	out := &b.out.Approvals
	out.Asked++
	switch a.State {
	case incident.Approved:
		out.Approved++
	case incident.ApprovalDenied:
		out.Denied++
	case incident.ApprovalExpired:
		out.Expired++
	case incident.Superseded:
		out.Superseded++
	case incident.Pending:
		out.Pending++
	}
	if (a.State == incident.Approved || a.State == incident.ApprovalDenied) && !a.EndedAt.IsZero() {
		b.answers = append(b.answers, max(0, a.EndedAt.Sub(a.AskedAt)))
	}
	for _, v := range a.Votes {
		b.people[v.Person.ID] = append(b.people[v.Person.ID], max(0, v.At.Sub(a.AskedAt)))
	}
}

func (b *Builder) step(c *incident.Case, s incident.StepState) {
	if !s.Action.Containing() || s.AcceptedAt.IsZero() {
		return
	}
	row := api.ReportStep{Case: c.ID, Run: c.Run, Step: s.Name, Action: s.Action, Proof: s.Proof, Detail: s.ProofDetail, Until: s.Until, EndedAt: s.EndedAt}
	// While it stands, and nothing was measured yet, it may still be proven.
	over := s.Status != incident.StepStanding || s.Proof != incident.NoProof
	if s.Proof != incident.Verified && over && !s.AcceptedAt.Before(b.out.Since) {
		add(&b.out.Unproven, row)
	}
	if !s.Until.IsZero() && s.EndedAt.Sub(s.Until) > lateAfter && !s.EndedAt.Before(b.out.Since) {
		add(&b.out.Late, row)
	}
}

func add(to *api.ReportSteps, row api.ReportStep) {
	if to.Count++; to.Count <= maxSteps {
		to.Steps = append(to.Steps, row)
	}
}

// Report returns what was added up, with what stands now.
func (b *Builder) Report(standing api.LeaseList) api.Report {
	out := b.out
	out.Standing, out.Held = standing, b.holdRows()
	out.Outcomes, out.HeldBack = counted(b.outcomes), counted(b.heldBack)
	out.HeldBack = out.HeldBack[:min(len(out.HeldBack), maxReasons)]
	out.Rules = []api.ReportRule{}
	for key, n := range b.rules {
		out.Rules = append(out.Rules, api.ReportRule{Playbook: key.playbook, Rule: key.rule, Cases: n})
	}
	slices.SortFunc(out.Rules, func(x, y api.ReportRule) int {
		return cmp.Or(cmp.Compare(x.Playbook, y.Playbook), cmp.Compare(y.Cases, x.Cases), cmp.Compare(x.Rule, y.Rule))
	})
	out.Stages = []api.ReportStage{}
	for key, times := range b.stages {
		out.Stages = append(out.Stages, api.ReportStage{Stage: key.stage, Action: key.action, Took: spread(times.took), Total: spread(times.total)})
	}
	order := incident.Stages()
	slices.SortFunc(out.Stages, func(x, y api.ReportStage) int {
		return cmp.Or(cmp.Compare(slices.Index(order, x.Stage), slices.Index(order, y.Stage)), cmp.Compare(x.Action, y.Action))
	})
	out.Approvals.Answer = spread(b.answers)
	out.Approvals.People = []api.ReportPerson{}
	for person, times := range b.people {
		out.Approvals.People = append(out.Approvals.People, api.ReportPerson{Person: person, Answer: spread(times)})
	}
	slices.SortFunc(out.Approvals.People, func(x, y api.ReportPerson) int {
		return cmp.Or(cmp.Compare(y.Answer.P50, x.Answer.P50), cmp.Compare(x.Person, y.Person))
	})
	for _, steps := range []*api.ReportSteps{&out.Unproven, &out.Late} {
		if steps.Steps == nil {
			steps.Steps = []api.ReportStep{}
		}
	}
	return out
}

// counted are counts, the largest first.
func counted(by map[string]int) []api.ReportCount {
	out := make([]api.ReportCount, 0, len(by))
	for _, name := range slices.Sorted(maps.Keys(by)) {
		out = append(out, api.ReportCount{Name: name, Count: by[name]})
	}
	slices.SortStableFunc(out, func(x, y api.ReportCount) int { return cmp.Compare(y.Count, x.Count) })
	return out
}

// spread are the percentiles of durations: each is one of them, the least that is not
// below so many of all.
func spread(of []time.Duration) api.ReportSpread {
	if len(of) == 0 {
		return api.ReportSpread{}
	}
	sorted := slices.Sorted(slices.Values(of))
	at := func(percent int) time.Duration { return sorted[(percent*len(sorted)+99)/100-1] }
	return api.ReportSpread{Count: len(sorted), P50: at(50), P90: at(90), P99: at(99), Max: sorted[len(sorted)-1]}
}
