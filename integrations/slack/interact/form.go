package interact

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/slack/blocks"
)

// ask opens the form that asks for a reason. It must come first: what lets a
// form be opened lives for 3 s and can be used once.
func (r *Receiver) ask(ctx context.Context, in interaction, a blocks.Answer) outcome {
	form, err := blocks.ReasonView(blocks.Origin{Answer: a, Channel: in.channel(), Message: in.message()})
	if err != nil {
		return r.puzzled(ctx, in, err)
	}
	opened, err := r.api.OpenViewContext(ctx, in.TriggerID, form)
	if err != nil {
		return r.unopened(ctx, in, err)
	}
	r.urls.keep(opened.View.ID, in.ResponseURL)
	return outcome{held: true}
}

// unopened is the outcome of a form that Slack did not open. One that was
// opened already is a click that was delivered again.
func (r *Receiver) unopened(ctx context.Context, in interaction, err error) outcome {
	if e, ok := errors.AsType[slack.SlackErrorResponse](err); ok && e.Err == "exchanged_trigger_id" {
		return outcome{held: true}
	}
	r.log.WarnContext(ctx, "a form was not opened", "use", r.use, "user", in.User.ID, "error", cause(err))
	return outcome{after: r.telling(in.ResponseURL, formNotOpened)}
}

// submit takes a form that was filled in.
func (r *Receiver) submit(ctx context.Context, desk integrations.Desk, in interaction) outcome {
	origin, err := opener(in)
	if err != nil {
		r.log.WarnContext(ctx, "a form cannot be understood", "use", r.use, "user", in.User.ID, "error", err)
		notice := blocks.NoticeView(formNotUnderstood)
		return outcome{held: true, response: slack.NewUpdateViewSubmissionResponse(&notice)}
	}
	reason := given(in.View)
	if problem := wrong(reason, origin.Answer.Reason); problem != "" {
		return outcome{held: true, response: slack.NewErrorsViewSubmissionResponse(map[string]string{blocks.ReasonBlock: problem})}
	}
	o := r.record(ctx, desk, r.submitted(in, origin, reason), "", r.urls.of(in.View.ID))
	if o.held {
		r.urls.forget(in.View.ID)
		o.response = slack.NewClearViewSubmissionResponse()
	}
	return o
}

// opener is the button that opened a form.
func opener(in interaction) (blocks.Origin, error) {
	switch {
	case in.View.CallbackID != blocks.CallbackReason:
		return blocks.Origin{}, errors.New("unknown form")
	case in.User.ID == "" || in.View.ID == "":
		return blocks.Origin{}, errors.New("it does not say who or which")
	}
	o, err := blocks.ParseOrigin(in.View.PrivateMetadata)
	if err != nil {
		return blocks.Origin{}, err
	}
	if o.Answer.Approval == "" || o.Answer.PlanDigest == "" {
		return blocks.Origin{}, errors.New("it names no approval")
	}
	return o, nil
}

// given returns the reason that somebody wrote.
func given(v slack.View) string {
	if v.State == nil {
		return ""
	}
	return strings.TrimSpace(v.State.Values[blocks.ReasonBlock][blocks.ReasonInput].Value)
}

// wrong says what is wrong with a reason, to who wrote it.
func wrong(reason string, required bool) string {
	switch n := utf8.RuneCountInString(reason); {
	case n == 0 && required:
		return "Say why, for the record."
	case n > blocks.MaxReason:
		return fmt.Sprintf("This is %d characters long; at most %d fit.", n, blocks.MaxReason)
	}
	return ""
}
