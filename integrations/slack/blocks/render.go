package blocks

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// What a message may be at most: its blocks, and the characters of its blocks
// as JSON. Slack refuses messages of some 13,200 characters without saying so
// in its documents; a card that needs as much is none that people read.
const (
	MaxBlocks     = 12
	MaxCharacters = 8000
)

// MetadataEvent is the type of the metadata that every message carries.
const MetadataEvent = "stanch_message"

// Rendered is a message as Slack takes it.
type Rendered struct {
	Blocks []slack.Block
	// Text says the message in sentences, for notifications and screen readers.
	// Control sequences in it are escaped; it is to be sent with markup and
	// link names off.
	Text string
	// Metadata tells messages apart without saying what they are about, as
	// other apps can read it: it holds the key's digest under "key".
	Metadata slack.SlackMetadata
}

// Render shows a message: the card where it has one, else its title and lines.
// Mention is whom it calls, as Slack writes it: <@U1> or <!subteam^S1>, or
// several of them. It is the only markup that is let in; anything else
// is shown as text and calls nobody.
func Render(m integrations.Message, mention string) Rendered {
	out := Rendered{Text: fallback(m)}
	if m.Key != "" {
		out.Metadata = slack.SlackMetadata{
			EventType: MetadataEvent, EventPayload: map[string]any{"key": incident.DigestOf([]byte(m.Key))},
		}
	}
	for _, p := range painters() {
		out.Blocks = p.message(m, mention)
		if len(out.Blocks) <= MaxBlocks && size(out.Blocks) <= MaxCharacters {
			break
		}
	}
	return out
}

// painter draws with an amount of detail.
type painter struct {
	// lines bounds lists, line and long the characters of a line and of a
	// paragraph.
	lines, line, long int
	// answerable is off for a question that buttons have no room for: it is then
	// answered by the command lines.
	answerable bool
}

// painters are tried in order until a message fits. The last always does.
func painters() []painter {
	return []painter{
		{lines: 8, line: 300, long: 600, answerable: true},
		{lines: 6, line: 150, long: 300, answerable: true},
		{lines: 4, line: 90, long: 150, answerable: true},
		{lines: 2, line: 60, long: 90, answerable: true},
		{lines: 1, line: 40, long: 60, answerable: true},
		{lines: 1, line: 40, long: 60},
	}
}

func size(blocks []slack.Block) int {
	data, err := compact(blocks)
	if err != nil {
		return MaxCharacters + 1
	}
	return width(data)
}

func (p painter) message(m integrations.Message, mention string) []slack.Block {
	if m.Card == nil {
		return p.plain(m, mention)
	}
	return p.card(m, mention)
}

// plain draws a message without a card: a reminder, a digest of a storm.
func (p painter) plain(m integrations.Message, mention string) []slack.Block {
	var calls []slack.Block
	if text := called(mention); text != "" {
		calls = []slack.Block{markup(text)}
	}
	return slices.Concat(
		[]slack.Block{header(m.Severity, m.Title, false)},
		calls,
		p.uncalled(mention),
		rich(list(m.Lines, 3*p.lines, p.text), paragraph(link(m))),
	)
}

var (
	calls = regexp.MustCompile(`^(<(@[UW][A-Z0-9]{1,30}|!subteam\^S[A-Z0-9]{1,30})>( |$)){1,10}$`)
	// What Slack makes links and calls of in a message's text, though nothing
	// marks it.
	bareAddress = regexp.MustCompile(`(?i)(://|mailto:)`)
	bareCall    = regexp.MustCompile(`(?i)@(channel|here|everyone|group)`)
)

// called returns a mention that calls people, or nothing.
func called(mention string) string {
	if !calls.MatchString(mention) {
		return ""
	}
	return strings.TrimSpace(mention)
}

// uncalled shows as text a mention that calls nobody.
func (p painter) uncalled(mention string) []slack.Block {
	text := told(mention, p.line)
	if text == "" || called(mention) != "" {
		return nil
	}
	return rich(paragraph(line{words("Could not be called: " + text)}))
}

// severity is a word with its sign: the sign alone says nothing to people who
// do not see colours.
func severity(word string) string {
	word = told(word, 40)
	signs := map[string]string{"critical": "🔴", "high": "🟠", "medium": "🟡", "low": "🔵", "info": "⚪"}
	sign, known := signs[strings.ToLower(word)]
	switch {
	case known:
		return sign + " " + strings.ToUpper(word)
	case word == "":
		return ""
	default:
		return "❔ " + word
	}
}

func header(word, title string, shadow bool) slack.Block {
	parts := []string{severity(word)}
	if shadow {
		parts = append(parts, "SHADOW")
	}
	parts = append(parts, cut(title, maxHeader))
	parts = slices.DeleteFunc(parts, func(s string) bool { return s == "" })
	if len(parts) == 0 {
		parts = []string{"Stanch"}
	}
	return slack.NewHeaderBlock(plainText(cut(strings.Join(parts, " · "), maxHeader)))
}

// link leads to the case, or is nothing where no address is known.
func link(m integrations.Message) line {
	if address := address(m); address != "" {
		return line{slack.NewRichTextSectionLinkElement(address, "Open", nil)}
	}
	return nil
}

// address is where the case is shown. A path alone is no address: Slack opens
// pages only.
func address(m integrations.Message) string {
	candidates := []string{m.URL}
	if m.Card != nil {
		candidates = append(candidates, m.Card.URL)
	}
	for _, c := range candidates {
		u, err := url.Parse(c)
		if err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil &&
			width(u.String()) <= maxAddress {
			return u.String()
		}
	}
	return ""
}

// fallback says the message in sentences.
func fallback(m integrations.Message) string {
	const limit = 900
	parts := []string{}
	if word := told(m.Severity, 40); word != "" {
		parts = append(parts, strings.ToUpper(word)+":")
	}
	title := told(m.Title, 200)
	if m.Card != nil {
		title = told(m.Card.Title, 200)
		if word := told(m.Card.Severity, 40); word != "" {
			parts = []string{strings.ToUpper(word) + ":"}
		}
	}
	parts = append(parts, sentence(title))
	if m.Card != nil {
		parts = append(parts, cardSentences(*m.Card)...)
	} else if len(m.Lines) > 0 {
		parts = append(parts, sentence(told(m.Lines[0], 200)))
		if more := len(m.Lines) - 1; more > 0 {
			parts = append(parts, fmt.Sprintf("And %d more lines.", more))
		}
	}
	text := strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), " ")
	if text == "" {
		text = "Stanch has a message."
	}
	text = bareAddress.ReplaceAllStringFunc(text, func(s string) string { return strings.Replace(s, ":", "[:]", 1) })
	return escape(cut(bareCall.ReplaceAllString(text, "(at)$1"), limit))
}

func cardSentences(c integrations.Card) []string {
	sentences := []string{sentence(told(c.Because, 200))}
	if q := c.Question; q != nil && c.State == integrations.CardAsking {
		deadline := "No deadline is set."
		if !q.ExpiresAt.IsZero() {
			deadline = "Answer by " + clock(q.ExpiresAt) + "."
		}
		sentences = append(sentences, deadline, sentence(votesSoFar(*q)))
	} else {
		sentences = append(sentences, stateSentence(c.State))
	}
	if c.Shadow {
		sentences = append(sentences, shadowSentence)
	}
	return sentences
}

// sentence ends a text with a full stop, unless it ends by itself.
func sentence(s string) string {
	if s == "" || strings.HasSuffix(s, ".") || strings.HasSuffix(s, "?") || strings.HasSuffix(s, "!") {
		return s
	}
	return s + "."
}
