package interact

import (
	"context"
	"time"

	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/slack/blocks"
)

// admitWithin is how long the desk may take to say who may look: what lets a
// view be opened lives for 3 s.
const admitWithin = 1500 * time.Millisecond

// evidence opens a view for who may look, and fills it when the desk has given
// the case. Whoever may not gets a reply that says so, and nothing is opened.
func (r *Receiver) evidence(ctx context.Context, desk integrations.Desk, in interaction, a blocks.Answer) outcome {
	click := r.click(in, blocks.Origin{Answer: a, Channel: in.channel(), Message: in.message()}, "", "")
	soon, cancel := context.WithTimeout(ctx, min(admitWithin, r.ackWithin/2))
	err := desk.Admit(soon, click)
	cancel()
	if err != nil {
		r.log.WarnContext(ctx, "the evidence of a case is not shown", "use", r.use, "case", a.Case, "user", in.User.ID, "error", err)
		return outcome{held: true, after: r.telling(in.ResponseURL, notAdmitted(err))}
	}
	opened, err := r.api.OpenViewContext(ctx, in.TriggerID, blocks.LoadingView(a.Case))
	if err != nil {
		return r.unopened(ctx, in, err)
	}
	return outcome{held: true, after: func(ctx context.Context) { r.fill(ctx, desk, click, opened.View.ID) }}
}

func (r *Receiver) fill(ctx context.Context, desk integrations.Desk, click integrations.Click, view string) {
	var shown slack.ModalViewRequest
	asked, cancel := context.WithTimeout(ctx, r.afterWithin/2)
	defer cancel()
	c, err := desk.Case(asked, click)
	if err != nil {
		r.log.WarnContext(ctx, "a case cannot be shown", "use", r.use, "case", click.Case, "error", err)
		shown = blocks.NoticeView(noEvidence(err))
	} else {
		shown = blocks.EvidenceView(c)
	}
	if _, err := r.api.UpdateViewContext(ctx, shown, "", "", view); err != nil {
		r.log.WarnContext(ctx, "a view was not filled", "use", r.use, "case", click.Case, "error", cause(err))
	}
}
