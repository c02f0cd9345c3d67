package blocks

import (
	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// stateSentence says a card's state in words that claim no more than is known.
func stateSentence(s integrations.CardState) string {
	switch s {
	case integrations.CardAsking:
		return "Waiting for an answer."
	case integrations.CardDenied:
		return "DENIED: people said no, so it is not done."
	case integrations.CardExpired:
		return "EXPIRED: nobody answered in time, which is not an approval, so it is not done."
	case integrations.CardSuperseded:
		return "NO LONGER ASKED: the plan has changed or the case was closed."
	case integrations.CardApproved:
		return "APPROVED: nothing has begun yet."
	case integrations.CardRunning:
		return "APPROVED and RUNNING: not done yet."
	case integrations.CardPaused:
		return "APPROVED and PAUSED: it waits until containment is resumed."
	case integrations.CardHeldBack:
		return "HELD BACK: it was approved, and is not done. The step says why."
	case integrations.CardAccepted:
		return "ACCEPTED: the product accepted the request. The device has not confirmed it yet."
	case integrations.CardConfirmed:
		return "CONFIRMED: the device reports that it is done. Whether egress fell is not proven yet."
	case integrations.CardEffective:
		return "EFFECTIVE: egress was measured, and is as low as asked."
	case integrations.CardNotEffective:
		return "NOT EFFECTIVE: it was done, and egress did not fall. Somebody must look."
	case integrations.CardCannotTell:
		return "CANNOT TELL: it is done, and no telemetry can say whether egress fell."
	case integrations.CardGivenBack:
		return "GIVEN BACK: what was done is undone."
	case integrations.CardFailed:
		return "FAILED: it could not be done. Somebody must look."
	case integrations.CardTold:
		return "For your information: nothing is asked."
	default:
		return "The state of this case is not known to this version."
	}
}

// stateMark is the sign before a state's words.
func stateMark(s integrations.CardState) string {
	switch s {
	case integrations.CardAsking, integrations.CardRunning, integrations.CardAccepted:
		return "⏳"
	case integrations.CardDenied, integrations.CardHeldBack:
		return "✋"
	case integrations.CardPaused:
		return "⏸"
	case integrations.CardExpired:
		return "⌛"
	case integrations.CardApproved, integrations.CardConfirmed:
		return "👍"
	case integrations.CardEffective:
		return "✅"
	case integrations.CardNotEffective, integrations.CardFailed:
		return "🚨"
	case integrations.CardGivenBack:
		return "↩"
	case integrations.CardSuperseded, integrations.CardTold:
		return "💬"
	case integrations.CardCannotTell:
	}
	return "❔"
}

// progress is how far each step has come.
func (p painter) progress(c integrations.Card) []slack.Block {
	if len(c.Steps) == 0 {
		return nil
	}
	return rich(paragraph(line{bold("Steps:")}), list(c.Steps, p.lines, p.step))
}

func (p painter) step(s integrations.CardStep) line {
	step := line{bold(stepWord(s) + ":"), words(" " + told(s.Text, p.line))}
	if !s.At.IsZero() {
		step = append(step, words(", "), when(s.At))
	}
	if !s.Until.IsZero() && s.Status == incident.StepStanding {
		step = append(step, words(", until "), when(s.Until))
	}
	if counted := told(s.Counted, p.line); counted != "" {
		step = append(step, words(". "+counted))
	}
	if problem := told(s.Problem, p.line); problem != "" {
		step = append(step, words(". "+problem))
	}
	return step
}

// stepWord is how far a step has come. Of a containment that stands
// it is what is proven of it.
func stepWord(s integrations.CardStep) string {
	if s.Word != "" {
		return told(s.Word, 40)
	}
	switch s.Status {
	case incident.StepWaiting:
		return "waiting"
	case incident.StepRunning:
		return "running"
	case incident.StepEnded:
		return "given back"
	case incident.StepFailed:
		return "failed"
	case incident.StepSkipped:
		return "skipped"
	case incident.StepShadowed:
		return "would have run"
	case incident.StepDone, incident.StepStanding:
		return proofWord(s)
	default:
		return told(string(s.Status), 40)
	}
}

func proofWord(s integrations.CardStep) string {
	switch s.Proof {
	case "accepted":
		return "accepted, not confirmed"
	case "confirmed":
		return "confirmed, effect not proven"
	case string(incident.Verified):
		return "effective"
	case string(incident.NotEffective):
		return "not effective"
	case string(incident.CannotTell):
		return "cannot tell"
	}
	if s.Status == incident.StepDone {
		return "done"
	}
	return "standing"
}
