package term

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"

	"github.com/stanch-soar/stanch/playbooks/evidence/wording"
)

// longest bounds one text, in characters.
const longest = 2000

// span is a piece of a line with its look. Its text is inert.
type span struct {
	text  string
	style style
}

// text makes s safe for this output; all output must go through it.
func (p *Printer) text(s string) string {
	s = wording.Inert(s, longest)
	if !p.o.ASCII {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r < utf8.RuneSelf:
			b.WriteRune(r)
		case r == '…':
			b.WriteString("...")
		case r == '·' || r == '–' || r == '−':
			b.WriteByte('-')
		default:
			fmt.Fprintf(&b, "[U+%04X]", r)
		}
	}
	return b.String()
}

func (p *Printer) ellipsis() string {
	if p.o.ASCII {
		return "..."
	}
	return "…"
}

// wide counts columns. It does not depend on the environment, so that the same
// options give the same output.
func wide() *runewidth.Condition { return &runewidth.Condition{StrictEmojiNeutral: true} }

func columns(s string) int { return wide().StringWidth(s) }

// cut shortens s to the given columns, with an ellipsis where it had more.
func (p *Printer) cut(s string, to int) string {
	if columns(s) <= to {
		return s
	}
	tail := p.ellipsis()
	if to <= columns(tail) {
		return wide().Truncate(s, max(0, to), "")
	}
	return wide().Truncate(s, to, tail)
}

func pad(s string, to int) string { return s + strings.Repeat(" ", max(0, to-columns(s))) }

// line adds one line, cut at the output's width.
func (p *Printer) line(spans ...span) {
	left := p.o.Width
	for _, s := range spans {
		text := p.text(s.text)
		if p.o.Width > 0 {
			text = p.cut(text, left)
			left -= columns(text)
		}
		p.out.WriteString(p.paint(s.style, text))
		if p.o.Width > 0 && left <= 0 {
			break
		}
	}
	p.out.WriteByte('\n')
}

// field adds a label and a text that is wrapped next to it, or below a label that
// is too long for its column. The note follows the text, dimmed.
func (p *Printer) field(indent, labelWidth int, label, text span, note string) {
	spans := []span{text}
	if note != "" {
		spans = append(spans, span{"(" + note + ")", dim})
	}
	margin := indent + labelWidth
	name := p.text(label.text)
	if p.o.Width > 0 {
		name = p.cut(name, p.o.Width-indent)
	}
	used := indent + columns(name)
	p.out.WriteString(strings.Repeat(" ", indent) + p.paint(label.style, name))
	if name != "" && used >= margin {
		p.out.WriteByte('\n')
		used = 0
	}
	for i, line := range p.wrap(spans, p.o.Width-margin) {
		if i > 0 {
			used = 0
		}
		p.out.WriteString(strings.Repeat(" ", margin-used))
		for _, s := range line {
			p.out.WriteString(p.paint(s.style, s.text))
		}
		p.out.WriteByte('\n')
	}
}

// wrap breaks spans between words into lines of at most the given columns; a
// word that is wider is broken inside. Without a width all is one line. There
// is always one line.
func (p *Printer) wrap(spans []span, to int) [][]span {
	lines, at := [][]span{{}}, 0
	for _, s := range spans {
		for _, word := range p.pieces(s.text, to) {
			last := &lines[len(lines)-1]
			switch need := columns(word); {
			case at == 0:
			case p.o.Width > 0 && at+1+need > to:
				lines, at = append(lines, nil), 0
				last = &lines[len(lines)-1]
			default:
				word = " " + word
			}
			at += columns(word)
			if n := len(*last); n > 0 && (*last)[n-1].style == s.style {
				(*last)[n-1].text += word
			} else {
				*last = append(*last, span{word, s.style})
			}
		}
	}
	return lines
}

// pieces are the words of s, none wider than the given columns.
func (p *Printer) pieces(s string, to int) []string {
	var out []string
	for _, word := range strings.Fields(p.text(s)) {
		for p.o.Width > 0 && columns(word) > to {
			head := wide().Truncate(word, to, "")
			if head == "" {
				break
			}
			out = append(out, head)
			word = word[len(head):]
		}
		out = append(out, word)
	}
	return out
}
