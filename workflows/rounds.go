package workflows

import (
	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// roundsKept bounds the rounds that a case keeps: the last.
const roundsKept = 50

// due notes when the first alert came that the next decision is about.
func (r *responder) due(ctx workflow.Context, joined []incident.Alert) {
	if r.state.Due != nil {
		return
	}
	round := incident.Round{ReceivedAt: incident.FirstReceived(joined), AcceptedAt: workflow.Now(ctx)}
	r.state.Due = &round
}

// takeRound begins the round of a decision. One that no alert has made due, but facts
// that have come meanwhile, is about the alerts of the round before.
func (r *responder) takeRound() incident.Round {
	round, rounds := incident.Round{}, r.state.Case.Rounds
	switch {
	case r.state.Due != nil:
		round = *r.state.Due
	case len(rounds) > 0:
		round = rounds[len(rounds)-1]
	default:
		round.ReceivedAt, round.AcceptedAt = r.state.Case.Facts.Alert.ReceivedAt, r.state.Case.OpenedAt
	}
	r.state.Due = nil
	return incident.Round{ReceivedAt: round.ReceivedAt, AcceptedAt: round.AcceptedAt}
}

// follow notes the round whose decision the case follows from now on.
func (r *responder) follow(ctx workflow.Context, f findings) {
	c := &r.state.Case
	f.round.DecidedAt = workflow.Now(ctx)
	c.Rounds = append(c.Rounds, f.round)
	c.Rounds = c.Rounds[max(0, len(c.Rounds)-roundsKept):]
	r.timed(ctx, f.round.Times(), incident.StageAccepted, incident.StageEnriched, incident.StageDecided)
}
