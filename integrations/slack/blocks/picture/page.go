package picture

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"strings"
)

// page is drawn from the top down.
type page struct {
	reader      Reader
	ruler       ruler
	b           strings.Builder
	y           float64
	left, width float64
}

// svg returns the page as a document of its own.
func (p *page) svg() []byte {
	height := p.y + margin - gap
	var doc strings.Builder
	fmt.Fprintf(&doc, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%.0f" viewBox="0 0 %d %.0f">`+"\n", pageWidth, height, pageWidth, height)
	fmt.Fprintf(&doc, `<rect x="0.5" y="0.5" width="%d" height="%.0f" rx="8" fill="#ffffff" stroke="#dddddd"/>`+"\n", pageWidth-1, height-1)
	doc.WriteString(p.b.String())
	doc.WriteString("</svg>\n")
	return []byte(doc.String())
}

// text writes text at a place. Whatever it holds, it stays text.
func (p *page) text(x, y float64, r run) {
	if r.text == "" {
		return
	}
	if r.letters.back != "" {
		p.box(x-2, y-r.letters.size, p.ruler.measure(r.text, r.letters)+4, r.letters.size*1.35, 3, r.letters.back, "none")
	}
	var escaped strings.Builder
	// Writing to a builder does not fail; runes that XML has no room for
	// become U+FFFD.
	_ = xml.EscapeText(&escaped, []byte(r.text))
	fmt.Fprintf(&p.b, `<text x="%.1f" y="%.1f" xml:space="preserve" %s>%s</text>`+"\n", x, y, r.letters.attributes(), escaped.String())
}

func (p *page) box(x, y, width, height, round float64, fill, stroke string) {
	fmt.Fprintf(&p.b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="%g" fill="%s" stroke="%s"/>`+"\n", x, y, width, height, round, fill, stroke)
}

// flow writes text in lines, below each other.
func (p *page) flow(runs []run, indent float64) {
	p.y += p.lines(runs, p.left+indent, p.y, p.width-indent)
}

// lines writes text in lines from a place on, and returns their height.
func (p *page) lines(runs []run, left, top, room float64) float64 {
	r := p.ruler
	x, y, tallest := 0.0, top, 0.0
	var pending []word
	flush := func() {
		if tallest == 0 {
			tallest = body().size
		}
		y += tallest * lead
		p.line(pending, left, y-tallest*(lead-1))
		pending, x, tallest = nil, 0, 0
	}
	for _, w := range r.wordsOf(runs, room) {
		space := 0.0
		if w.space && x > 0 {
			space = r.measure(" ", w.letters)
		}
		if x > 0 && x+space+w.width > room {
			flush()
			space = 0
		}
		w.space = space > 0
		pending = append(pending, w)
		x += space + w.width
		tallest = max(tallest, w.letters.size)
		if w.end {
			flush()
		}
	}
	if len(pending) > 0 {
		flush()
	}
	return y - top
}

// line writes one line, joining the words that look alike.
func (p *page) line(words []word, left, y float64) {
	r := p.ruler
	x := left
	for _, w := range words {
		if w.space {
			x += r.measure(" ", w.letters)
		}
		p.text(x, y, w.run)
		x += w.width
	}
}

// sender is who a message is from.
func (p *page) sender() {
	p.box(p.left, p.y, 22, 22, 4, "#12355b", "none")
	p.text(p.left+6.2, p.y+16, run{"S", letters{size: 15, bold: true, color: "#ffffff"}})
	p.text(p.left+30, p.y+16, run{"Stanch", boldOf(body())})
	p.box(p.left+87, p.y+4, 30, 15, 2, "#dddddd", "none")
	p.text(p.left+91, p.y+15, run{"APP", letters{size: 10, bold: true, color: quietColor}})
	p.y += 22 + gap
}

// titleBar is a view's title, between what closes and what submits it.
func (p *page) titleBar(closing, title, submit string) {
	heading := body().heading()
	p.text(p.left, p.y+18, run{title, heading})
	x := p.left + p.width
	if submit != "" {
		x -= p.button(x, p.y-2, submit, "primary", true) + 8
	}
	if closing != "" {
		p.button(x, p.y-2, closing, "", true)
	}
	p.y += 34
	fmt.Fprintf(&p.b, `<line x1="0" y1="%.1f" x2="%d" y2="%.1f" stroke="#dddddd"/>`+"\n", p.y, pageWidth, p.y)
	p.y += gap
}

// button draws a button from its left or its right edge on, and returns its
// width.
func (p *page) button(x, y float64, label, style string, fromRight bool) float64 {
	l := letters{size: 14, bold: true, color: textColor}
	fill, stroke := "#ffffff", "#bbbbbb"
	switch style {
	case "primary":
		fill, stroke, l.color = "#007a5a", "#007a5a", "#ffffff"
	case "danger":
		fill, stroke, l.color = "#e01e5a", "#e01e5a", "#ffffff"
	}
	// Slack ends a label that is wider than a phone.
	room := p.width - 24
	for r := []rune(label); p.ruler.measure(label, l) > room && len(r) > 1; {
		r = r[:len(r)-1]
		label = string(r) + "…"
	}
	width := p.ruler.measure(label, l) + 24
	if fromRight {
		x -= width
	}
	p.box(x, y, width, 32, 6, fill, stroke)
	p.text(x+12, y+21, run{label, l})
	return width
}

// buttons are drawn in rows.
func (p *page) buttons(list []element) error {
	x, row := p.left, 0.0
	for _, e := range list {
		if e.Type != "button" {
			return fmt.Errorf("an element of type %q cannot be drawn", e.Type)
		}
		t, err := e.object()
		if err != nil {
			return err
		}
		style := ""
		if len(e.Style) > 0 {
			if err := json.Unmarshal(e.Style, &style); err != nil {
				return fmt.Errorf("the style of a button: %w", err)
			}
		}
		width := min(p.ruler.measure(t.Text, letters{size: 14, bold: true})+24, p.width)
		if x > p.left && x+width > p.left+p.width {
			x, row = p.left, row+40
		}
		x += p.button(x, p.y+row, t.Text, style, false) + 8
	}
	p.y += row + 32
	return nil
}

func (p *page) bullet() {
	p.text(p.left+6, p.y+body().size, run{"•", body()})
}

// terminal is text in a box, as a terminal shows it.
func (p *page) terminal(runs []run) {
	const pad = 8
	// The box is drawn below the text, so its height is measured first.
	measured := &page{reader: p.reader, ruler: p.ruler, left: p.left, width: p.width}
	height := measured.lines(runs, 0, 0, p.width-2*pad)
	p.box(p.left, p.y+3, p.width, height+2*pad, 4, "#f8f8f8", "#dddddd")
	p.lines(runs, p.left+pad, p.y+pad, p.width-2*pad)
	p.y += height + 2*pad + 6
}

// input is what people fill in.
func (p *page) input(b element) {
	label := b.Label.Text
	if b.Optional {
		label += " (optional)"
	}
	p.flow([]run{{label, boldOf(body())}}, 0)
	p.y += 4
	p.box(p.left, p.y, p.width, 84, 4, "#ffffff", "#888888")
	if b.Element != nil {
		p.text(p.left+10, p.y+24, run{b.Element.Placeholder.Text, letters{size: 15, color: "#868686"}})
	}
	p.y += 90
	if b.Hint.Text != "" {
		p.flow([]run{{b.Hint.Text, body().small()}}, 0)
	}
}
