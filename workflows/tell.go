package workflows

import (
	"fmt"
	"strings"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// tell carries out a notify step.
func (r *responder) tell(ctx workflow.Context, i int) {
	s := &r.state.Case.Steps[i]
	m := r.message("notify/"+fmt.Sprint(i), s.Channel)
	if _, err := do(ctx, r.in.Pin.Queue(s.Use), activities.Notify, notifyTimeout, activities.NotifyIn{Use: s.Use, Message: m}); err != nil {
		r.fail(ctx, i, s.Use+": "+activities.Reason(err), incident.OutcomeFailed)
		return
	}
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
	m := r.message(fmt.Sprintf("page/%d", len(r.state.Case.Timeline)), spec.Ask.Channel)
	m.Mention = spec.Ask.Mention
	m.Title = bounded(text, maxReason)
	r.send(ctx, spec.Ask.Use, m)
}

// send delivers a message beside everything else: a messenger that is down
// holds up neither a deadline nor a containment.
func (r *responder) send(ctx workflow.Context, use string, m integrations.Message) {
	r.busy++
	workflow.Go(ctx, func(ctx workflow.Context) {
		defer func() { r.busy-- }()
		if _, err := do(ctx, r.in.Pin.Queue(use), activities.Notify, notifyTimeout, activities.NotifyIn{Use: use, Message: m}); err != nil {
			r.event(ctx, incident.EvFailed, "", "The message to %s was not delivered: %s", m.Channel, activities.Reason(err))
		}
	})
}

// message is what people are told of the case as it stands.
func (r *responder) message(key, channel string) integrations.Message {
	c := r.state.Case
	m := integrations.Message{Key: c.Run + "/" + key, Channel: channel, URL: "/v1/cases/" + c.ID, Title: "Case " + c.ID}
	if d := c.Decision; d != nil {
		m.Severity = d.Severity
		m.Title = bounded(c.Subject+": "+decisionText(*d), maxReason)
	}
	if c.Shadow {
		m.Lines = append(m.Lines, "Shadow mode: nothing was or will be done.")
	}
	m.Lines = append(m.Lines, summary(c.Facts, r.in.Pin)...)
	for _, s := range c.Steps {
		m.Lines = append(m.Lines, fmt.Sprintf("%s: %s", s.PlannedStep, s.Status))
	}
	if c.TargetProblem != "" {
		m.Lines = append(m.Lines, "No exact target: "+c.TargetProblem)
	}
	return m
}

// question is the message that asks for an approval.
func (r *responder) question(at int, spec activities.PinnedApproval, key string) integrations.Message {
	a := r.state.Case.Approvals[at]
	m := r.message(fmt.Sprintf("approval/%d/%s", at, key), spec.Ask.Channel)
	m.Mention = spec.Ask.Mention
	m.Lines = append(m.Lines,
		"If approved: "+strings.Join(a.Gates, ", "),
		fmt.Sprintf("stanch case approve %s --plan %s", r.state.Case.ID, a.PlanDigest),
		fmt.Sprintf("stanch case deny %s --plan %s", r.state.Case.ID, a.PlanDigest))
	return m
}
