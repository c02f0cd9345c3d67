package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"
)

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
	// changeNoIdleTimer starts no timer while the inventory answers within the
	// engine's own task.
	changeNoIdleTimer = "no-idle-timer"
	// changeContainHere runs containing activities on the queue of their case.
	changeContainHere = "contain-here"
	// changeListChanges brings the lists up to date only where they would show
	// something else.
	changeListChanges = "list-changes"
	// changeHeardBefore starts no timer of the daily digest where a configuration
	// has come before.
	changeHeardBefore = "heard-before"
	// changeHearLater reads an isolated device for its agent's life no sooner than a
	// sign of it can count.
	changeHearLater = "hear-later"
	// changeKeepUnheard has the budget remember a device whose agent was not heard.
	changeKeepUnheard = "keep-unheard"
	// changeKeepAnswer takes an answer that people gave while the case did something
	// else, and does not ask anew.
	changeKeepAnswer = "keep-answer"
	// changeCountDrops reads what a limit let through and dropped when its effect is
	// measured.
	changeCountDrops = "count-drops"
	// changeWatchDrift reads what stands at products that know devices by address, again
	// and again.
	changeWatchDrift = "watch-drift"
	// changeFilterStands takes no step of a part of the traffic where one stands that
	// covers it.
	changeFilterStands = "filter-stands"
	// changeLeaveOut leaves out what takes an isolation's place where that is held back
	// itself.
	changeLeaveOut = "leave-out"
	// changeTellUndo tells people within about a minute that an undo does not work, once,
	// and when it worked at last.
	changeTellUndo = "tell-undo"
	// changeLookOften looks often at a host that is watched by what is counted, and by the
	// engine's own task.
	changeLookOften = "look-often"
)

// changesOfRun is the name in history under which a run notes how many of the
// changes the code had on which it came to the first of their places.
const changesOfRun = "changes"

// changes are all of them, in the order in which they came: a run notes their
// number. Append, and never remove one.
func changes() []string {
	return []string{
		changeGiveUp, changeStopTaking, changeHearLast, changeDecideAnew, changeFreshLeft, changeClaim, changeProofInTime,
		changeTellRelease, changeShowPause, changeAwaitResume, changeAskAgain, changeAfterTraffic,
		changeNoIdleTimer, changeContainHere, changeListChanges, changeHeardBefore,
		changeHearLater, changeKeepUnheard, changeKeepAnswer,
		changeCountDrops, changeWatchDrift, changeFilterStands,
		changeLeaveOut,
		changeTellUndo, changeLookOften,
	}
}

// since reports whether a run makes a change: it does where it comes to the
// place for the first time on code that has the change. One marker says it of
// all changes at once, where the run comes to its first such place; a run that
// passed one before, or on older code, has a marker for each change that it
// meets later. Ask only on the path that differs, as each marker is two events
// and a line in the lists, and never in a validator or a query.
func since(ctx workflow.Context, change string) bool {
	all := changes()
	had := workflow.GetVersion(ctx, changesOfRun, workflow.DefaultVersion, workflow.Version(len(all)))
	if at := slices.Index(all, change); at < int(had) {
		return at >= 0
	}
	return workflow.GetVersion(ctx, change, workflow.DefaultVersion, 1) != workflow.DefaultVersion
}
