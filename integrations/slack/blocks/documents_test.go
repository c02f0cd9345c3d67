package blocks_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations/slack/blocks"
	"github.com/stanch-soar/stanch/integrations/slack/blocks/cardtest"
)

// shownInDocuments is a message of the documents: a comment with its name, and
// with how many of its blocks are shown where it is not all, and below it what
// it says.
var shownInDocuments = regexp.MustCompile("(?s)(<!-- message ([a-z-]+)(?:, first ([1-9]) blocks)? -->\n~~~text\n).*?(~~~\n)")

// TestDocuments compares the messages in docs/approvals.md, word for word, with
// what the code sends.
func TestDocuments(t *testing.T) {
	const path = "../../../docs/approvals.md"
	document, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	messages := documented(t)
	shown := 0
	want := shownInDocuments.ReplaceAllStringFunc(string(document), func(block string) string {
		shown++
		parts := shownInDocuments.FindStringSubmatch(block)
		text := messages[parts[2]]
		if first, err := strconv.Atoi(parts[3]); err == nil {
			text = append(slices.Clone(text[:min(first, len(text))]), "…\n")
		}
		all := strings.Join(text, "\n")
		if all == "" || strings.Contains(all, "~~~") {
			t.Errorf("%s: message %q cannot be shown", path, parts[2])
		}
		return parts[1] + all + parts[4]
	})
	if marked := strings.Count(want, "<!-- message "); shown < 10 || shown != marked {
		t.Errorf("%s shows %d messages of %d that are marked; want all, and at least 10", path, shown, marked)
	}
	compare(t, path, want)
}

// stateWords are the words for a state at the head of a card.
var stateWords = regexp.MustCompile(`[⏳✋⏸⌛👍✅🚨↩💬❔] ([A-Z]{2,}(?: [A-Z]{2,})*)(?: and ([A-Z]+))?:`)

// TestTheWordsOfACardAreExplained wants each word that a card has for its state
// explained in docs/approvals.md, and no others.
func TestTheWordsOfACardAreExplained(t *testing.T) {
	document, err := os.ReadFile("../../../docs/approvals.md")
	if err != nil {
		t.Fatal(err)
	}
	var explained, said []string
	for _, row := range regexp.MustCompile(`(?m)^\| ([A-Z]{2,}(?: [A-Z]{2,})*) \|`).FindAllStringSubmatch(string(document), -1) {
		explained = append(explained, row[1])
	}
	for _, text := range documented(t) {
		for _, words := range stateWords.FindAllStringSubmatch(strings.Join(text, "\n"), -1) {
			said = append(said, slices.DeleteFunc(words[1:], func(w string) bool { return w == "" })...)
		}
	}
	slices.Sort(explained)
	slices.Sort(said)
	if said = slices.Compact(said); !slices.Equal(explained, said) {
		t.Errorf("the document explains %q, and cards say %q", explained, said)
	}
}

// documented returns what messages say, block by block, by their names.
func documented(t *testing.T) map[string][]string {
	t.Helper()
	messages := map[string][]string{"form-deny": denyForm(t)}
	for _, s := range cardtest.Samples() {
		messages[s.Name] = transcript(t, blocks.Render(s.Message, s.Mention).Blocks)
	}
	return messages
}

// denyForm is the form for the reason of a denial: the buttons of its frame and
// its title, and what is in it.
func denyForm(t *testing.T) []string {
	t.Helper()
	v, err := blocks.ReasonView(blocks.Origin{Answer: blocks.Answer{
		Case: "high-egress-windows/ws-042", Approval: "on-call", PlanDigest: cardtest.PlanDigest(), Label: "Isolate WS-042 for 4 h", Reason: true,
	}, Channel: "C1", Message: "1"})
	if err != nil {
		t.Fatal(err)
	}
	frame := fmt.Sprintf("%s [%s] [%s]\n", v.Title.Text, v.Close.Text, v.Submit.Text)
	return append([]string{frame}, transcript(t, v.Blocks.BlockSet)...)
}

// transcript writes each block as text, with buttons in brackets and moments in
// UTC. It fails for what it cannot write, so that nothing is left out.
func transcript(tb testing.TB, list []slack.Block) []string {
	tb.Helper()
	var out []string
	for _, block := range list {
		switch b := block.(type) {
		case *slack.HeaderBlock:
			out = append(out, wrapped(b.Text.Text))
		case *slack.SectionBlock:
			out = append(out, wrapped(parsed(b.Text.Text)))
		case *slack.ContextBlock:
			out = append(out, wrapped(as[*slack.TextBlockObject](tb, b.ContextElements.Elements[0]).Text))
		case *slack.ActionBlock:
			var labels []string
			for _, e := range b.Elements.ElementSet {
				labels = append(labels, "["+as[*slack.ButtonBlockElement](tb, e).Text.Text+"]")
			}
			out = append(out, wrapped(strings.Join(labels, " ")))
		case *slack.InputBlock:
			input := as[*slack.PlainTextInputBlockElement](tb, b.Element)
			out = append(out, fmt.Sprintf("%s\n[ %s ]\n%s\n", b.Label.Text, input.Placeholder.Text, b.Hint.Text))
		case *slack.RichTextBlock:
			var parts strings.Builder
			for _, part := range b.Elements {
				parts.WriteString(richText(tb, part))
			}
			out = append(out, parts.String())
		default:
			tb.Fatalf("cannot write %s", encode(tb, block))
		}
	}
	return out
}

// as returns a value as what it must be.
func as[T any](tb testing.TB, v any) T {
	tb.Helper()
	t, ok := v.(T)
	if !ok {
		tb.Fatalf("cannot write %s", encode(tb, v))
	}
	return t
}

func richText(tb testing.TB, part slack.RichTextElement) string {
	tb.Helper()
	switch part := part.(type) {
	case *slack.RichTextSection:
		return wrapped(inline(tb, part.Elements))
	case *slack.RichTextPreformatted:
		return "    " + strings.ReplaceAll(inline(tb, part.Elements), "\n", "\n    ") + "\n"
	case *slack.RichTextList:
		var items strings.Builder
		for _, item := range part.Elements {
			text := strings.TrimSuffix(richText(tb, item), "\n")
			items.WriteString("- " + strings.ReplaceAll(text, "\n", "\n  ") + "\n")
		}
		return items.String()
	}
	tb.Fatalf("cannot write %s", encode(tb, part))
	return ""
}

func inline(tb testing.TB, elements []slack.RichTextSectionElement) string {
	tb.Helper()
	var out strings.Builder
	for _, e := range elements {
		switch e := e.(type) {
		case *slack.RichTextSectionTextElement:
			out.WriteString(e.Text)
		case *slack.RichTextSectionLinkElement:
			out.WriteString(e.Text + " <" + e.URL + ">")
		case *slack.RichTextSectionDateElement:
			out.WriteString(*e.Fallback)
		default:
			tb.Fatalf("cannot write %s", encode(tb, e))
		}
	}
	return out.String()
}

var dateInText = regexp.MustCompile(`<!date\^[^|>]*\|([^>]*)>`)

// parsed is text with Slack's markup as people see it.
func parsed(text string) string {
	text = strings.NewReplacer(cardtest.OnCall, "@sec-oncall", "*", "").Replace(text)
	return dateInText.ReplaceAllString(text, "$1")
}

// wrapped breaks text between words, for a page that does not.
func wrapped(text string) string {
	const columns = 100
	lines := []string{""}
	for _, word := range strings.Split(text, " ") {
		last := &lines[len(lines)-1]
		if *last != "" && utf8.RuneCountInString(*last+" "+word) > columns {
			lines = append(lines, word)
			continue
		}
		*last = strings.TrimPrefix(*last+" "+word, " ")
	}
	return strings.Join(lines, "\n") + "\n"
}
