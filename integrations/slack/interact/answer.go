package interact

import (
	"context"
	"errors"

	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/slack/blocks"
)

// outcome is what becomes of an interaction.
type outcome struct {
	// held reports whether it may be acknowledged: the desk has the click, or there is
	// no click to keep.
	held bool
	// response is what the form shows next; nil closes it.
	response *slack.ViewSubmissionResponse
	// after is what is left to do once it is acknowledged, or given up.
	after func(ctx context.Context)
}

// answer does what an interaction asks for within Slack's time. Nothing in it
// is refused for who sent it.
func (r *Receiver) answer(ctx context.Context, desk integrations.Desk, in interaction) outcome {
	ctx, cancel := context.WithTimeout(ctx, r.ackWithin)
	defer cancel()
	switch in.Type {
	case slack.InteractionTypeBlockActions:
		return r.press(ctx, desk, in)
	case slack.InteractionTypeViewSubmission:
		return r.submit(ctx, desk, in)
	default:
		r.log.DebugContext(ctx, "an interaction that no card has is left alone", "use", r.use, "type", string(in.Type))
		return outcome{held: true}
	}
}

// afterwards does what is left to do, in its own time.
func (r *Receiver) afterwards(ctx context.Context, o outcome) {
	if o.after == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, r.afterWithin)
	defer cancel()
	o.after(ctx)
}

// telling is what is left to do when the clicker only gets a reply.
func (r *Receiver) telling(at, text string) func(context.Context) {
	return func(ctx context.Context) { r.teller.tell(ctx, at, text) }
}

func (r *Receiver) press(ctx context.Context, desk integrations.Desk, in interaction) outcome {
	b, ok := in.action()
	if !ok {
		return r.puzzled(ctx, in, errors.New("it is not one button"))
	}
	switch b.ActionID {
	case blocks.ActionOpen:
		return outcome{held: true}
	case blocks.ActionApprove, blocks.ActionDeny, blocks.ActionEvidence:
	default:
		return r.puzzled(ctx, in, errors.New("no card has such a button"))
	}
	a, err := blocks.ParseAnswer(b.Value)
	if err != nil {
		return r.puzzled(ctx, in, err)
	}
	ctx = integrations.ForCase(ctx, a.Case)
	if b.ActionID == blocks.ActionEvidence {
		return r.evidence(ctx, desk, in, a)
	}
	if err := whole(in, b, a); err != nil {
		return r.puzzled(ctx, in, err)
	}
	if !a.Approve || a.Reason {
		return r.ask(ctx, in, a)
	}
	return r.record(ctx, desk, r.pressed(in, b, a), a.Label, in.ResponseURL)
}

// whole reports whether a button says all that a click must say.
func whole(in interaction, b slack.BlockAction, a blocks.Answer) error {
	switch {
	case in.User.ID == "":
		return errors.New("it names no user")
	case b.ActionTs == "" || in.message() == "" || in.channel() == "":
		return errors.New("it does not say when or where")
	case a.Approval == "" || a.PlanDigest == "":
		return errors.New("it names no approval")
	case a.Approve != (b.ActionID == blocks.ActionApprove):
		return errors.New("the button says something else than its value")
	}
	return nil
}

// puzzled is the outcome of what no card of this version sends.
func (r *Receiver) puzzled(ctx context.Context, in interaction, why error) outcome {
	r.log.WarnContext(ctx, "a click cannot be understood", "use", r.use, "user", in.User.ID, "error", why)
	return outcome{held: true, after: r.telling(in.ResponseURL, notUnderstood)}
}

// record gives a click to the desk.
func (r *Receiver) record(ctx context.Context, desk integrations.Desk, c integrations.Click, label, at string) outcome {
	if err := desk.Answer(ctx, c); err != nil {
		r.log.ErrorContext(ctx, "a click is not recorded", "use", r.use, "case", c.Case, "user", c.User, "click", c.ID, "error", err)
		return outcome{after: r.telling(at, notRecorded(c))}
	}
	return outcome{held: true, after: r.telling(at, recorded(c, label))}
}
