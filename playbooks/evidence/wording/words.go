package wording

import (
	"cmp"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// From says a provenance in words.
func From(p incident.Provenance) string {
	switch p {
	case incident.FromAlert:
		return "from the alert"
	case incident.FromEDR:
		return "from the EDR"
	case incident.FromFlows:
		return "from the flow store"
	case incident.FromInventory:
		return "from the inventory"
	case incident.Computed:
		return "computed"
	case incident.Assumed:
		return "assumed"
	case incident.Unknown:
		return "unknown"
	default:
		return "from " + short(string(p))
	}
}

// standing says how the case ended, or on what it waits.
func standing(c incident.Case) (string, Tone) {
	if c.Status != incident.Closed {
		return open(c)
	}
	why := ""
	if c.Decision != nil {
		why = long(cmp.Or(c.Decision.DeniedBy, c.Decision.Error))
	}
	switch c.Outcome {
	case incident.OutcomeNothingToDo:
		return "Closed: the rule asks for no containment.", Good
	case incident.OutcomeGivenBack:
		return "Closed: contained, and everything was given back.", Good
	case incident.OutcomeDenied:
		return sentence("Closed: a guardrail forbids containment", why), Warn
	case incident.OutcomeRefused:
		return "Closed: people said no.", Warn
	case incident.OutcomeExpired:
		return "Closed: nobody answered in time. That is not approval.", Warn
	case incident.OutcomeUndecided:
		return "Closed undecided: a rule that would contain may hold, and nobody answered. Nothing was contained.", Warn
	case incident.OutcomeCannotDecide:
		return sentence("Closed: policy could not decide, a required fact was missing", why), Warn
	case incident.OutcomeError:
		return sentence("Closed: policy failed to evaluate, so nothing was done", why), Bad
	case incident.OutcomeNoTarget:
		return sentence("Closed: no exact target, so nothing was done", long(c.TargetProblem)), Warn
	case incident.OutcomeHeldBack:
		return "Closed: held back by the kill switch or a limit.", Warn
	case incident.OutcomeFailed:
		return "Closed: a containing step failed.", Bad
	case incident.OutcomeShadow:
		if c.Decision != nil && c.Decision.Outcome == incident.Undecided {
			return "Closed: would be undecided. The playbook is in shadow mode, so nobody was asked.", Plain
		}
		return "Closed: decided and reported only, the playbook is in shadow mode.", Plain
	case incident.OutcomeNoPlaybook:
		return "Closed: " + incident.NoPlaybook + " the alert.", Plain
	case incident.OutcomeClosedByHand:
		return "Closed by hand.", Plain
	case incident.OutcomeMerged:
		into := ""
		if c.MergedInto != nil {
			into = " " + short(c.MergedInto.ID)
		}
		return "Closed: merged into case" + into + ", which is about the same device and has the alerts of this one.", Plain
	case incident.OutcomeOpen:
	}
	return sentence("Closed", short(string(c.Outcome))), Plain
}

func open(c incident.Case) (string, Tone) {
	switch c.Status {
	case incident.Working:
		if PauseOf(c) != "" {
			return "Approved, and waits until containment is resumed.", Warn
		}
		return "Working: enriching, deciding or acting.", Plain
	case incident.Awaiting:
		return "Waiting for people to answer.", Warn
	case incident.Contained:
		return "Contained: leases stand.", Good
	case incident.Watching:
		return watching(c), Plain
	case incident.Closed:
	}
	return sentence("Open", short(string(c.Status))), Plain
}

// watching says until when the last of what was given back is watched.
func watching(c incident.Case) string {
	var until time.Time
	for _, s := range c.Steps {
		if s.Watched() && s.Held.WatchUntil.After(until) {
			until = s.Held.WatchUntil
		}
	}
	return "Given back, and watched until " + Clock(until) + "."
}

func sentence(head, why string) string {
	if why == "" {
		return head + "."
	}
	return head + ": " + strings.TrimSuffix(why, ".") + "."
}

func verdictWord(v incident.Verdict) (string, Tone) {
	switch v {
	case incident.True:
		return "true", Good
	case incident.False:
		return "false", Plain
	case incident.Unsure:
		return "unknown", Warn
	case incident.Failed:
		return "error", Bad
	case incident.Skipped:
		return "not reached", Plain
	default:
		return short(string(v)), Plain
	}
}

// StatusOf says how far a step has come. A gate is as its answer.
func StatusOf(c incident.Case, s incident.StepState) (string, Tone) {
	gate := func(a incident.Approval) bool { return a.Name == s.Approve && a.Extends == nil }
	if s.UndoPending {
		return incident.UndoPending, Bad
	}
	at := -1
	for i, a := range c.Approvals {
		if s.Approve != "" && gate(a) && !a.AskedAt.Before(s.StartedAt) {
			at = i
		}
	}
	if at < 0 || s.Status == incident.StepWaiting || s.Status == incident.StepShadowed {
		return statusWord(s.Status)
	}
	switch a := c.Approvals[at]; a.State {
	case incident.Pending:
		return "asked", Warn
	case incident.Approved:
		return "approved", Good
	case incident.ApprovalDenied:
		return "denied", Warn
	case incident.ApprovalExpired:
		return "expired, not approved", Warn
	case incident.Superseded:
	}
	return "no longer asked", Plain
}

func statusWord(s incident.StepStatus) (string, Tone) {
	switch s {
	case incident.StepDone:
		return "done", Good
	case incident.StepStanding:
		return "standing", Good
	case incident.StepEnded:
		return "given back", Good
	case incident.StepFailed:
		return "failed", Bad
	case incident.StepShadowed:
		return "would have run", Plain
	case incident.StepWaiting, incident.StepRunning, incident.StepSkipped:
	}
	return short(string(s)), Plain
}

func eventWord(k incident.EventKind) (string, Tone) {
	word := short(strings.ReplaceAll(string(k), "_", " "))
	switch k {
	case incident.EvApproved, incident.EvConfirmed, incident.EvVerified, incident.EvGivenBack, incident.EvDone, incident.EvHeard, incident.EvAsHeld:
		return word, Good
	case incident.EvHeldBack, incident.EvPaused, incident.EvAsked, incident.EvReminded, incident.EvEscalated, incident.EvExpired,
		incident.EvCannotTell, incident.EvHeldAgain, incident.EvNotConfirmed, incident.EvPaged, incident.EvDenied, incident.EvUntold,
		incident.EvNotReplied:
		return word, Warn
	case incident.EvFailed, incident.EvNotEffective, incident.EvUndoFailing, incident.EvUnheard, incident.EvDrifted:
		return word, Bad
	case incident.EvOpened, incident.EvJoined, incident.EvEnriched, incident.EvTarget, incident.EvDecided, incident.EvCleared,
		incident.EvResumed, incident.EvShown, incident.EvNotShown, incident.EvVoted, incident.EvSuperseded, incident.EvStarted,
		incident.EvAccepted, incident.EvExtended, incident.EvReleased, incident.EvSkipped, incident.EvShadowed, incident.EvMerged,
		incident.EvClosed, incident.EvWatched, incident.EvReplied:
	}
	return word, Plain
}
