package blocks

import (
	"errors"
	"fmt"
	"slices"

	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/playbooks/evidence/wording"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// maxViewCharacters is what a view may be at most, as JSON. Slack takes 250,000
// bytes; nobody scrolls through as much on a phone.
const maxViewCharacters = 50_000

// ReasonView asks for the words of an answer. It carries where the answer came
// from, and is an error when that does not fit.
func ReasonView(o Origin) (slack.ModalViewRequest, error) {
	metadata := o.Encode()
	if metadata == "" {
		return slack.ModalViewRequest{}, errors.New("draw a reason's view: its origin does not fit")
	}
	word, meaning, label := "Deny", "Denying ends the question: what it asks for is not done.", "Why not?"
	if o.Answer.Approve {
		word, meaning, label = "Approve", "Your approval counts once this is sent.", "Why?"
	}
	what := told(o.Answer.Label, 200)
	if what == "" {
		what = told(o.Answer.Approval, 200)
	}
	input := slack.NewPlainTextInputBlockElement(plainText("What you saw or know"), ReasonInput).
		WithMultiline(true).WithMaxLength(MaxReason)
	if o.Answer.Reason {
		input = input.WithMinLength(1)
	}
	hint := plainText("It is kept as evidence and shown on the card.")
	view := modal(word, rich(
		paragraph(line{bold(word + ": "), words(what)}),
		paragraph(line{words("Case " + told(o.Answer.Case, 200))}),
		paragraph(line{words(meaning)}),
	)...)
	view.Blocks.BlockSet = append(view.Blocks.BlockSet,
		slack.NewInputBlock(ReasonBlock, plainText(label), hint, input).WithOptional(!o.Answer.Reason))
	view.CallbackID, view.PrivateMetadata = CallbackReason, metadata
	view.Submit, view.Close = plainText(word), plainText("Go back")
	return view, nil
}

// LoadingView is shown until the evidence of a case is: Slack lets a
// view be opened for three seconds after a click, and a case may take longer.
func LoadingView(id string) slack.ModalViewRequest {
	return notice("Evidence", line{words("Reading case "), bold(told(id, 200)), words(" …")})
}

// NoticeView says in a view what went wrong.
func NoticeView(text string) slack.ModalViewRequest {
	return notice("Stanch", line{words(told(text, maxSection))})
}

func notice(title string, l line) slack.ModalViewRequest {
	view := modal(title, rich(paragraph(l))...)
	view.CallbackID = CallbackEvidence
	return view
}

func modal(title string, blocks ...slack.Block) slack.ModalViewRequest {
	return slack.ModalViewRequest{
		Type: slack.VTModal, Title: plainText(cut(title, maxViewTitle)), Close: plainText("Close"),
		Blocks: slack.Blocks{BlockSet: blocks},
	}
}

// EvidenceView shows what a case rests on: the facts with where they come from,
// every condition of the decision, and the timeline. It takes as much of it as
// a view holds, and says what it leaves out.
func EvidenceView(c incident.Case) slack.ModalViewRequest {
	view := modal("Evidence")
	view.CallbackID = CallbackEvidence
	for _, p := range viewPainters() {
		view.Blocks.BlockSet = p.evidence(c)
		if size(view.Blocks.BlockSet) <= maxViewCharacters {
			break
		}
	}
	return view
}

func viewPainters() []painter {
	return []painter{{lines: 20, line: 200, long: 400}, {lines: 12, line: 100, long: 200}, {lines: 6, line: 60, long: 90}}
}

// evidence draws a case at length.
func (p painter) evidence(c incident.Case) []slack.Block {
	a := wording.Of(c)
	commands := rich(paragraph(line{words("All of it, in a terminal:")}), preformatted(exact(c.ID)))
	return slices.Concat(
		p.summary(a), p.facts(a), p.trace(a), p.proofs(a), p.timeline(a), commands,
	)
}

// exact is the command that shows a case, where the whole of its id can be
// written.
func exact(id string) string {
	if shown, _ := inert(id, maxCaseID); shown != id || id == "" {
		return ""
	}
	return fmt.Sprintf("stanch case show %s --timeline", id)
}
