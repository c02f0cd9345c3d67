package workflows

import (
	"cmp"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// count counts something that happened. The engine's handler emits nothing while a history
// is replayed; a workflow task that is lost and done again counts twice.
func count(ctx workflow.Context, metric string, labels map[string]string) {
	workflow.GetMetricsHandler(ctx).WithTags(labels).Counter(metric).Inc(1)
}

// timed emits how long the stages took that were reached just now.
func (r *responder) timed(ctx workflow.Context, times []incident.StageTime, reached ...incident.Stage) {
	for _, stage := range reached {
		for _, t := range times {
			if t.Stage != stage || t.After == "" {
				continue
			}
			h := workflow.GetMetricsHandler(ctx).WithTags(map[string]string{
				protocol.LabelPlaybook: r.state.Case.Playbook, protocol.LabelStage: string(t.Stage),
				protocol.LabelAction: cmp.Or(string(t.Action), protocol.NoAction),
			})
			h.Timer(protocol.MetricStage).Record(t.Took)
			h.Timer(protocol.MetricSinceReceived).Record(t.Total)
		}
	}
}

// timedStep emits how long a step took to the stages that it reached just now. One that was
// never accepted has reached none, whatever its lease reports.
func (r *responder) timedStep(ctx workflow.Context, s incident.StepState, reached ...incident.Stage) {
	if s.Action.Containing() && !s.AcceptedAt.IsZero() {
		r.timed(ctx, r.state.Case.StepTimes(s), reached...)
	}
}

// countStep counts something that happened to a containing step.
func (r *responder) countStep(ctx workflow.Context, metric string, s incident.StepState, label, value string) {
	if !s.Action.Containing() {
		return
	}
	labels := map[string]string{protocol.LabelPlaybook: r.state.Case.Playbook, protocol.LabelAction: string(s.Action)}
	if label != "" {
		labels[label] = value
	}
	count(ctx, metric, labels)
}

// approvalEnded counts an approval that is not pending any more.
func (r *responder) approvalEnded(ctx workflow.Context, a incident.Approval) {
	count(ctx, protocol.MetricApprovals, map[string]string{
		protocol.LabelPlaybook: r.state.Case.Playbook, protocol.LabelApproval: a.Name, protocol.LabelResult: string(a.State),
	})
	if a.Extends == nil && (a.State == incident.Approved || a.State == incident.ApprovalDenied) {
		r.timed(ctx, r.state.Case.ApprovalTimes(a), incident.StageAnswered)
	}
}

// undoFailed counts an attempt to give the network back that did not work.
func (l *leaseKeeper) undoFailed(ctx workflow.Context) {
	count(ctx, protocol.MetricUndoFailures, map[string]string{
		protocol.LabelIntegration: l.lease.Use, protocol.LabelAction: string(l.lease.Order.Action),
	})
}

// stageOf is the stage that a change of a lease brings its step to, if any.
func stageOf(kind incident.EventKind) []incident.Stage {
	stage, ok := map[incident.EventKind]incident.Stage{
		incident.EvConfirmed: incident.StageConfirmed, incident.EvGivenBack: incident.StageGivenBack,
	}[kind]
	if !ok {
		return nil
	}
	return []incident.Stage{stage}
}
