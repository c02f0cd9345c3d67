package interact

import (
	"context"

	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/slack/blocks"
)

// evidence opens a view at once, because what lets it be opened lives for 3 s,
// and fills it when the desk has given the case.
func (r *Receiver) evidence(ctx context.Context, desk integrations.Desk, in interaction, a blocks.Answer) outcome {
	opened, err := r.api.OpenViewContext(ctx, in.TriggerID, blocks.LoadingView(a.Case))
	if err != nil {
		return r.unopened(ctx, in, err)
	}
	return outcome{held: true, after: func(ctx context.Context) { r.fill(ctx, desk, a.Case, opened.View.ID) }}
}

func (r *Receiver) fill(ctx context.Context, desk integrations.Desk, id, view string) {
	var shown slack.ModalViewRequest
	asked, cancel := context.WithTimeout(ctx, r.afterWithin/2)
	defer cancel()
	c, err := desk.Case(asked, id)
	if err != nil {
		r.log.WarnContext(ctx, "a case cannot be shown", "use", r.use, "case", id, "error", err)
		shown = blocks.NoticeView(noEvidence(err))
	} else {
		shown = blocks.EvidenceView(c)
	}
	if _, err := r.api.UpdateViewContext(ctx, shown, "", "", view); err != nil {
		r.log.WarnContext(ctx, "a view was not filled", "use", r.use, "case", id, "error", cause(err))
	}
}
