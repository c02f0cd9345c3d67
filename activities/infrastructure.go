package activities

import (
	"slices"

	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// plan resolves a decision into steps. One that would contain infrastructure is
// denied, by no guardrail of the playbook; one that rests on what only people can
// tell is made unsure.
func (in DecideIn) plan(p *playbooks.Playbook, d *incident.Decision, facts incident.Facts) incident.Plan {
	resolve := func() incident.Plan {
		plan := p.Plan(*d, facts, in.Target)
		incident.EachStep(plan.Steps, func(s *incident.PlannedStep) {
			if s.Action == incident.Isolate {
				s.Except = in.Infrastructure.Addresses()
			}
			in.spare(s)
			in.choose(s, facts)
		})
		return plan
	}
	plan := resolve()
	if !contains(plan) {
		return plan
	}
	if why := in.Infrastructure.Holds(facts, in.Target); why != "" {
		deny(d, why)
		return resolve()
	}
	unsure := in.Infrastructure.Untold(facts)
	if plan.Target != nil {
		for _, s := range plan.Steps {
			unsure = append(unsure, s.WayBack(facts.Endpoint)...)
		}
	}
	if len(unsure) == 0 {
		return plan
	}
	for _, m := range unsure {
		if !slices.ContainsFunc(d.Unsure, func(o incident.Missing) bool { return o.Path == m.Path }) {
			d.Unsure = append(d.Unsure, m)
		}
	}
	return resolve()
}

// deny makes a decision a denial, with a guardrail of the trace as the playbook's
// own have.
func deny(d *incident.Decision, why string) {
	d.Outcome, d.DeniedBy, d.Because, d.Unknown = incident.Denied, incident.OwnInfrastructure, why, nil
	d.Trace.Guardrails = append(d.Trace.Guardrails, incident.ConditionTrace{
		Name: incident.OwnInfrastructure, Verdict: incident.True,
		Parts: []incident.PartTrace{{Expr: "the host is infrastructure by stanch.yaml", Verdict: incident.True, Values: []incident.Operand{{Name: "host", Value: why}}}},
	})
}

// contains reports whether any step of a plan, or any that runs in place of one, would
// contain.
func contains(plan incident.Plan) bool {
	found := false
	incident.EachStep(plan.Steps, func(s *incident.PlannedStep) { found = found || s.Action.Containing() })
	return found
}
