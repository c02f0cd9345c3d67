package workflows

import (
	"fmt"
	"slices"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// maxEvents bounds what a timeline holds of alerts that joined and of decisions
// that changed nothing; a storm repeats them. What was done is
// always written down.
const maxEvents = 1000

// event adds a line to the timeline.
func (r *responder) event(ctx workflow.Context, kind incident.EventKind, step, format string, args ...any) {
	r.eventBy(ctx, kind, step, "", format, args...)
}

func (r *responder) eventBy(ctx workflow.Context, kind incident.EventKind, step, by, format string, args ...any) {
	r.changed = true
	c := &r.state.Case
	if len(c.Timeline) >= maxEvents && slices.Contains([]incident.EventKind{incident.EvJoined, incident.EvDecided}, kind) {
		return
	}
	c.Timeline = append(c.Timeline, incident.Event{
		Seq: len(c.Timeline) + 1, At: workflow.Now(ctx), Kind: kind, Step: step, By: foreign(by),
		Text: bounded(fmt.Sprintf(format, args...), maxLine),
	})
}

// status changes the status of the case, there and in the lists.
func (r *responder) status(ctx workflow.Context, status incident.CaseStatus) {
	if r.state.Case.Status == status {
		return
	}
	r.state.Case.Status = status
	r.upsert(ctx)
}

// listed is what the lists show of a case.
type listed struct{ status, outcome, rule, severity string }

// upsert brings the lists up to date, where they would show something else.
func (r *responder) upsert(ctx workflow.Context) {
	c := r.state.Case
	is := listed{status: string(c.Status), outcome: string(c.Outcome)}
	updates := []temporal.SearchAttributeUpdate{
		attribute(protocol.AttrStatus).ValueSet(is.status), attribute(protocol.AttrOutcome).ValueSet(is.outcome),
	}
	if c.Decision != nil {
		is.rule, is.severity = c.Decision.AtStake()
		updates = append(updates, attribute(protocol.AttrRule).ValueSet(is.rule), attribute(protocol.AttrSeverity).ValueSet(is.severity))
	}
	if is == r.listed && since(ctx, changeListChanges) {
		return
	}
	r.listed = is
	if err := workflow.UpsertTypedSearchAttributes(ctx, updates...); err != nil {
		workflow.GetLogger(ctx).Error("the lists of cases were not brought up to date", "case", c.ID, "error", err)
	}
}

func attribute(name string) temporal.SearchAttributeKeyKeyword {
	return temporal.NewSearchAttributeKeyKeyword(name)
}
