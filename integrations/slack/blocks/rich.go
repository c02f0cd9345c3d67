package blocks

import (
	"fmt"
	"slices"
	"time"

	"github.com/slack-go/slack"
)

// line is one line of rich text. Slack parses none of its text.
type line []slack.RichTextSectionElement

func words(s string) slack.RichTextSectionElement {
	return slack.NewRichTextSectionTextElement(s, nil)
}

func bold(s string) slack.RichTextSectionElement {
	return slack.NewRichTextSectionTextElement(s, &slack.RichTextSectionTextStyle{Bold: true})
}

func italic(s string) slack.RichTextSectionElement {
	return slack.NewRichTextSectionTextElement(s, &slack.RichTextSectionTextStyle{Italic: true})
}

// when is a moment in the reader's own time.
func when(t time.Time) slack.RichTextSectionElement {
	utc := clock(t)
	return slack.NewRichTextSectionDateElement(t.Unix(), dateFormat, nil, &utc)
}

// dateFormat is how Slack shows a moment: "14:32 today".
const dateFormat = "{time} {date_short_pretty}"

// moment is when in text that Slack parses.
func moment(t time.Time) string {
	return fmt.Sprintf("<!date^%d^%s|%s>", t.Unix(), dateFormat, clock(t))
}

// clock writes a moment in UTC, for readers whose own time is not known.
func clock(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04 UTC") }

// section is a part of rich text that may be empty.
type section []slack.RichTextElement

func paragraph(l line) section {
	l = slices.DeleteFunc(l, empty)
	if len(l) == 0 {
		return nil
	}
	return section{slack.NewRichTextSection(l...)}
}

// list is a bulleted list of the first so many members, which says how many it
// leaves out.
func list[T any](members []T, most int, draw func(T) line) section {
	kept := make([]slack.RichTextElement, 0, min(len(members), most)+1)
	for _, m := range members[:min(len(members), most)] {
		if l := slices.DeleteFunc(draw(m), empty); len(l) > 0 {
			kept = append(kept, slack.NewRichTextSection(l...))
		}
	}
	if more := len(members) - most; more > 0 {
		kept = append(kept, slack.NewRichTextSection(words(fmt.Sprintf("… (%d more)", more))))
	}
	if len(kept) == 0 {
		return nil
	}
	return section{slack.NewRichTextList(slack.RTEListBullet, 0, kept...)}
}

// preformatted shows text as a terminal does.
func preformatted(text string) section {
	if text == "" {
		return nil
	}
	return section{&slack.RichTextPreformatted{Type: slack.RTEPreformatted, Elements: line{words(text)}}}
}

// rich is one block of the sections that hold something, or none.
func rich(sections ...section) []slack.Block {
	all := slices.Concat(sections...)
	if len(all) == 0 {
		return nil
	}
	return []slack.Block{slack.NewRichTextBlock("", all...)}
}

// empty reports whether an element has no text, which Slack refuses.
func empty(e slack.RichTextSectionElement) bool {
	t, ok := e.(*slack.RichTextSectionTextElement)
	return ok && t.Text == ""
}

// plainText is text that Slack does not parse: :fire: stays what it is.
func plainText(s string) *slack.TextBlockObject {
	return slack.NewTextBlockObject(slack.PlainTextType, s, false, false)
}

// markup is a section of text that Slack parses. Nothing but our own words and
// tokens may go into it.
func markup(s string) slack.Block {
	return slack.NewSectionBlock(slack.NewTextBlockObject(slack.MarkdownType, s, false, true), nil, nil)
}
