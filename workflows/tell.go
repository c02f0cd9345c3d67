package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// tell carries out a notify step.
func (r *responder) tell(ctx workflow.Context, i int) {
	s := &r.state.Case.Steps[i]
	headline := r.state.Case.Subject
	if r.state.Case.Decision != nil {
		headline += ": " + r.headline()
	}
	r.post(ctx, playbooks.Ask{Use: s.Use, Channel: s.Channel}, incident.Shown{
		Kind: incident.ShownNotice, Text: bounded(headline, maxReason),
	})
	if err := r.arrived(ctx, len(r.state.Case.Shown)-1); err != nil {
		r.fail(ctx, i, s.Use+": "+err.Error(), incident.OutcomeFailed)
		return
	}
	s = &r.state.Case.Steps[i]
	s.Status, s.AcceptedAt = incident.StepDone, workflow.Now(ctx)
	r.event(ctx, incident.EvDone, s.Name, "Told %s", s.Channel)
}

// page tells the people whom the playbook asks when it is unsure: something
// went wrong that must not wait for somebody to look.
func (r *responder) page(ctx workflow.Context, step, text string) {
	spec, ok := r.in.Pin.Approval(r.in.Pin.Unsure)
	if !ok {
		r.event(ctx, incident.EvPaged, step, "Nobody to page, the playbook names no approval as unsure: %s", text)
		return
	}
	r.event(ctx, incident.EvPaged, step, "Paged %s: %s", spec.Ask.Channel, text)
	r.post(ctx, spec.Ask, incident.Shown{Kind: incident.ShownPage, Ask: spec.Name, Text: bounded(text, maxReason)})
}
