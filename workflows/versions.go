package workflows

import "go.temporal.io/sdk/workflow"

// Changes of what workflows ask of the engine, by the name that is in
// history. A run that passed the place before the change goes on as it began.
const (
	// changeGiveUp gives up what a step that failed may have taken, in the budget
	// and also where its lease does not run yet.
	changeGiveUp = "give-up"
	// changeStopTaking stops the attempts of a step when the case is closed by
	// hand, or its lease is over before the step knows that it holds it.
	changeStopTaking = "stop-taking"
	// changeHearLast has an alert decided that came while a person closed the
	// case, or in the task that ends it.
	changeHearLast = "hear-last"
	// changeDecideAnew does not bind the decision of a case that goes on after it
	// had closed to the plan that is over.
	changeDecideAnew = "decide-anew"
	// changeFreshLeft has an alert decided that came while another was.
	changeFreshLeft = "fresh-left"
	// changeClaim: a case claims its device before it asks or does anything.
	changeClaim = "claim-device"
	// changeProofInTime measures a containment only while it is in place.
	changeProofInTime = "proof-in-time"
	// changeTellRelease tells holders that somebody has released their lease
	// before it is undone.
	changeTellRelease = "tell-release"
	// changeShowPause has a question say that containment is paused.
	changeShowPause = "show-pause"
	// changeAwaitResume has what people approved wait for containment to be
	// resumed.
	changeAwaitResume = "await-resume"
	// changeAskAgain asks again for a fact that can still come also where a
	// required one is missing, or the device that a plan needs.
	changeAskAgain = "ask-again"
	// changeAfterTraffic asks for connections once the flows are known to which
	// they belong.
	changeAfterTraffic = "connections-after-traffic"
)

// since reports whether a run makes a change: it does where it comes to the
// place for the first time on code that has the change. Ask only on the path
// that differs, as each question is a marker in history, and never in a
// validator or a query.
func since(ctx workflow.Context, change string) bool {
	return workflow.GetVersion(ctx, change, workflow.DefaultVersion, 1) != workflow.DefaultVersion
}
