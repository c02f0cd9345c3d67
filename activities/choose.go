package activities

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Plan asks an integration whether it could carry an order out. An error says that it
// could not, or that it did not tell. One that cannot be asked is tried.
var Plan = Ref[PlanIn, struct{}]{"plan"}

// PlanIn is the order, without a key and an end, and the case that it is for.
type PlanIn struct {
	Use   string         `json:"use"`
	Order incident.Order `json:"order"`
	Case  string         `json:"case"`
}

func (a *Activities) plan(ctx context.Context, in PlanIn) (struct{}, error) {
	enforcer, err := use[integrations.Enforcer](a, in.Use)
	if err != nil {
		return struct{}{}, err
	}
	if planner, ok := enforcer.(integrations.Planner); ok {
		return struct{}{}, planner.Plan(ctx, in.Order)
	}
	return struct{}{}, nil
}

// Product is what the plan of a step must know of the integration that carries it out.
type Product struct {
	Actions []incident.Action `json:"actions,omitempty"`
	// ByAddress and ByProgram report what its orders name beside the device; see
	// [integrations.Spec].
	ByAddress bool `json:"by_address,omitempty"`
	ByProgram bool `json:"by_program,omitempty"`
	// Plans reports whether it can be asked beforehand.
	Plans bool `json:"plans,omitempty"`
}

// ProductOf is the product of a kind.
func ProductOf(spec integrations.Spec) Product {
	return Product{Actions: spec.Actions, ByAddress: spec.ByAddress, ByProgram: spec.ByProgram, Plans: spec.Can("Planner")}
}

func (a *Activities) products() map[string]Product {
	all := map[string]Product{}
	for _, name := range a.Set.Names() {
		spec, _ := a.Set.Spec(name)
		p := ProductOf(spec)
		_, err := integrations.Use[integrations.Planner](a.Set, name)
		p.Plans = err == nil
		all[name] = p
	}
	return all
}

// choose has a step carried out by the first of its integrations that can, as far as is
// known without asking one. Those that must be asked stay its candidates.
func (in DecideIn) choose(s *incident.PlannedStep, facts incident.Facts) {
	preferred := s.Candidates
	s.Candidates = nil
	if !s.Action.Leased() || s.Problem != "" {
		return
	}
	if len(preferred) == 0 {
		if preferred = []incident.Candidate{{Use: s.Use}}; in.Products == nil {
			s.ExceptBy = in.exceptBy(s.Action, s.Use)
			return
		}
	}
	first := preferred[0].Use
	for i := range preferred {
		c := &preferred[i]
		if c.Why = in.complete(c, s.Action, facts, len(preferred) > 1); c.Why == "" && !in.asks(*c) {
			preferred = preferred[:i+1] // It is not asked, and so it is the one where no other can.
			break
		}
	}
	if s.Candidates = preferred; preferred[0].Why != "" {
		s.Pass(preferred[0].Why)
	}
	switch all := s.Candidates; {
	case len(all) == 0:
		s.By(incident.Candidate{Use: first})
		s.Problem, s.Passed = NoneCan(s.Passed), nil
	case !in.asks(all[0]):
		s.By(all[0])
	default:
		// Until one is chosen the step is as the first would carry it out, but for what
		// people are asked: that is for the least certain.
		s.By(all[0])
		for _, c := range all {
			s.ExceptBy = cmp.Or(s.ExceptBy, c.ExceptBy)
		}
		s.Candidates = all
	}
}

// asks reports whether only asking the integration shows whether it can. Where nothing
// is known of any, as without a configuration, none is preferred for certain.
func (in DecideIn) asks(c incident.Candidate) bool {
	return in.Products[c.Use].Plans || in.Products == nil
}

// complete fills in what an integration knows the device and its traffic by. It returns
// why the integration cannot act. That it does the action is asked only of one of several:
// of a single one it was checked when the playbook was loaded.
func (in DecideIn) complete(c *incident.Candidate, action incident.Action, facts incident.Facts, several bool) (why string) {
	p, known := in.Products[c.Use]
	switch {
	case several && in.Products != nil && !known:
		return "it is not configured"
	case several && known && !slices.Contains(p.Actions, action):
		return "it does no " + string(action)
	}
	c.ExceptBy = in.exceptBy(action, c.Use)
	if p.ByAddress {
		if c.Addresses, why = ownAddresses(facts, in.Shared); why != "" {
			return why
		}
	}
	if p.ByProgram {
		path, ok := facts.Process.Path.Get()
		if !ok || path == "" {
			return "process.path is unknown" + inBrackets(facts.Process.Path.Why())
		}
		c.Path = path
	}
	return ""
}

// exceptBy says who decides what an isolated device still reaches, where no order can.
func (in DecideIn) exceptBy(action incident.Action, use string) string {
	if action != incident.Isolate {
		return ""
	}
	return in.ExceptBy[use]
}

// NoneCan is the problem of a step that no integration can carry out. Of one that the
// playbook names alone the reason suffices.
func NoneCan(passed []incident.Passed) string {
	if len(passed) == 1 {
		return passed[0].Why
	}
	parts := make([]string, 0, len(passed))
	for _, p := range passed {
		parts = append(parts, p.String())
	}
	return strings.Join(parts, "; ")
}
