package playbooks

import (
	"slices"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// AskForDevice makes the plan for an assumed device one that does nothing to it
// before people have chosen it: the approval named by unsure comes before the
// first step that does more than notify, even one that may act unsure. Steps that
// run when the approval is not given then only notify or release. A plan for an
// exact target, or one that only notifies, is not changed.
func (p *Playbook) AskForDevice(plan incident.Plan) incident.Plan {
	first := slices.IndexFunc(plan.Steps, touches)
	if first < 0 || plan.Target == nil || plan.Target.OnlyBy() == "" {
		return plan
	}
	steps := slices.Clone(plan.Steps)
	for i := range steps {
		steps[i].UnsureAct = false
	}
	gate := slices.IndexFunc(steps, func(s incident.PlannedStep) bool { return s.Approve == p.Unsure })
	switch {
	case gate < 0:
		gate = first
		steps = slices.Insert(steps, first, incident.PlannedStep{
			Name: gateName(p.Unsure), Approve: p.Unsure, Because: "It is not certain which device this is: " + plan.Target.Assumption() + ".",
		})
	case gate > first:
		// One approval comes before all of them.
		asked := steps[gate]
		steps = slices.Insert(slices.Delete(steps, gate, gate+1), first, asked)
		gate = first
	}
	harmless := func(steps []incident.PlannedStep) []incident.PlannedStep {
		return slices.DeleteFunc(slices.Clone(steps), touches)
	}
	for i := range steps[:gate+1] {
		steps[i].IfDenied, steps[i].IfExpired = harmless(steps[i].IfDenied), harmless(steps[i].IfExpired)
	}
	plan.Steps = steps
	return plan
}

// touches reports whether a step does something with the device.
func touches(s incident.PlannedStep) bool {
	return s.Approve == "" && !s.Release && !s.Action.Tells()
}
