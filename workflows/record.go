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

// upsert brings the lists up to date, where they would show something else.
func (r *responder) upsert(ctx workflow.Context) {
	c := r.state.Case
	shown := [][2]string{{protocol.AttrStatus, string(c.Status)}, {protocol.AttrOutcome, string(c.Outcome)}}
	if c.Decision != nil {
		rule, severity := c.Decision.AtStake()
		shown = append(shown, [2]string{protocol.AttrRule, rule}, [2]string{protocol.AttrSeverity, severity})
	}
	var updates []temporal.SearchAttributeUpdate
	listed, same := workflow.GetTypedSearchAttributes(ctx), true
	for _, s := range shown {
		is, _ := listed.GetKeyword(attribute(s[0]))
		same = same && is == s[1]
		updates = append(updates, attribute(s[0]).ValueSet(s[1]))
	}
	if same && since(ctx, changeListChanges) {
		return
	}
	if err := workflow.UpsertTypedSearchAttributes(ctx, updates...); err != nil {
		workflow.GetLogger(ctx).Error("the lists of cases were not brought up to date", "case", c.ID, "error", err)
	}
}

func attribute(name string) temporal.SearchAttributeKeyKeyword {
	return temporal.NewSearchAttributeKeyKeyword(name)
}
