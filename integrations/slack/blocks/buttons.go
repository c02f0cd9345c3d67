package blocks

import (
	"strings"

	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations"
)

// answers are the buttons. They are there while the card asks, and only then: one that decides
// nothing any more teaches people to press twice.
func (p painter) answers(m integrations.Message) []slack.Block {
	c := m.Card
	q := c.Question
	if c.State != integrations.CardAsking || q == nil {
		return nil
	}
	label := cut(q.Approve, maxConfirmText)
	if label == "" {
		label = "Approve"
	}
	answer := Answer{Case: c.Case, Approval: q.Approval, PlanDigest: q.PlanDigest, Groups: q.Groups, Label: label}
	yes, no := answer, answer
	yes.Approve, yes.Reason, no.Reason = true, q.ApproveReason, q.DenyReason
	values := []string{yes.Encode(), no.Encode(), Answer{Case: c.Case}.Encode()}
	if !p.answerable || values[0] == "" || values[1] == "" {
		return []slack.Block{markup("The buttons for this question do not fit into Slack. *Answer it in a terminal*, as below.")}
	}
	elements := []slack.BlockElement{
		approve(values[0], label, *c),
		slack.NewButtonBlockElement(ActionDeny, values[1], plainText("Deny…")),
		slack.NewButtonBlockElement(ActionEvidence, values[2], plainText("Evidence")),
	}
	if address := address(m); address != "" {
		elements = append(elements, slack.NewButtonBlockElement(ActionOpen, "", plainText("Open")).WithURL(address))
	}
	return []slack.Block{slack.NewActionBlock(AnswerBlock, elements...)}
}

// approve is the button that says yes, named by what it does. The ellipsis says
// that a reason is asked before anything counts.
func approve(value, label string, c integrations.Card) slack.BlockElement {
	text := cut(label, maxButtonText)
	if c.Question.ApproveReason {
		text = strings.TrimSuffix(cut(label, maxButtonText-1), "…") + "…"
	}
	button := slack.NewButtonBlockElement(ActionApprove, value, plainText(text)).WithStyle(slack.StylePrimary)
	if c.Question.Critical {
		button = button.WithConfirm(confirmation(label, c))
	}
	return button
}

// confirmation asks again. Its text is what a yes does, as on the card.
func confirmation(label string, c integrations.Card) *slack.ConfirmationBlockObject {
	var parts []string
	for _, effect := range c.Effect {
		parts = append(parts, sentence(cut(effect, maxConfirmText)))
	}
	parts = append(parts, cut(c.Undo, maxConfirmText))
	text := strings.TrimSpace(strings.Join(parts, " "))
	if text == "" {
		text = "This counts as your approval."
	}
	return slack.NewConfirmationBlockObject(
		plainText(cut(strings.TrimSuffix(label, "?"), maxConfirmTitle-1)+"?"),
		plainText(cut(text, maxConfirmText)),
		plainText("Yes, approve"),
		plainText("Go back"),
	).WithStyle(slack.StyleDanger)
}
