package chart

import (
	"image/color"
	"slices"
	"unicode/utf8"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/evidence/wording"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// seriesColor, normalColor and markColor differ in lightness and in their
// strokes too, for people who do not see colours.
func seriesColor() color.Color { return color.RGBA{R: 0x1b, G: 0x4f, B: 0xa8, A: 0xff} }
func normalColor() color.Color { return color.RGBA{R: 0xc2, G: 0x5a, B: 0x00, A: 0xff} }
func markColor() color.Color   { return color.RGBA{R: 0x44, G: 0x44, B: 0x44, A: 0xff} }
func fillColor() color.Color   { return color.RGBA{R: 0xdc, G: 0xe7, B: 0xf7, A: 0xff} }
func gridColor() color.Color   { return color.RGBA{R: 0xd6, G: 0xd6, B: 0xd6, A: 0xff} }
func inkColor() color.Color    { return color.Black }

const (
	pad      = 10
	tickMark = 6
)

// plot is the area within the axes. Its values are rates in the unit of the
// axis over seconds since 1970.
type plot struct {
	*canvas
	left, top, right, bottom int
	from, to, most           float64
}

func (p plot) x(at float64) float64 {
	return float64(p.left) + (at-p.from)/(p.to-p.from)*float64(p.right-p.left)
}

func (p plot) y(value float64) float64 {
	return float64(p.bottom) - value/p.most*float64(p.bottom-p.top)
}

// axes draws the grid, and what it means around it. The left edge is where the
// longest value has room.
func (p *plot) axes(title, horizontal, vertical string) {
	values := valueTicks(p.most)
	wide := 0
	for _, t := range values {
		wide = max(wide, p.width(t.label))
	}
	p.left, p.right = pad+lineHeight+wide+pad+tickMark, Width-2*pad
	p.top, p.bottom = lineHeight+2*pad, Height-2*lineHeight-2*pad
	middle := (p.left + p.right) / 2
	title = p.fit(title, p.right-p.left)
	p.text(middle-p.width(title)/2, pad+letters-4, title, inkColor())
	p.text(middle-p.width(horizontal)/2, Height-pad-2, horizontal, inkColor())
	p.textUp(pad+letters-4, (p.top+p.bottom+p.width(vertical))/2, vertical, inkColor())
	for _, t := range values {
		y := int(p.y(t.value))
		p.rect(p.left, y, p.right-p.left, 1, gridColor())
		p.rect(p.left-tickMark, y, tickMark, 1, inkColor())
		p.text(p.left-tickMark-pad/2-p.width(t.label), y+letters/3, t.label, inkColor())
	}
	for _, t := range clockTicks(p.from, p.to) {
		x := int(p.x(t.value))
		p.rect(x, p.top, 1, p.bottom-p.top, gridColor())
		p.rect(x, p.bottom, 1, tickMark, inkColor())
		p.text(x-p.width(t.label)/2, p.bottom+lineHeight, t.label, inkColor())
	}
}

// series draws egress. Minutes that are missing are a gap in the line, as
// nobody knows what happened in them.
func (p plot) series(series []incident.Point, scale unit) {
	below, line := newShape(), newShape()
	for _, run := range runs(series) {
		points := make([]point, len(run))
		for i, minute := range run {
			points[i] = point{p.x(seconds(minute.At)), p.y(rate(minute) / scale.size)}
		}
		if len(points) == 1 {
			line.disc(points[0], 4)
			continue
		}
		first, last := points[0], points[len(points)-1]
		floor := float64(p.bottom)
		below.polygon(slices.Concat([]point{{first.x, floor}}, points, []point{{last.x, floor}})...)
		line.line(points, 3.5)
	}
	p.fill(below, fillColor())
	p.rect(p.left, p.bottom, p.right-p.left, 1, inkColor())
	p.rect(p.left, p.top, 1, p.bottom-p.top, inkColor())
	p.fill(line, seriesColor())
}

// normal draws the rate that is normal, with its name.
func (p plot) normal(value float64, label string) {
	const dash, gap = 11, 5
	y := int(p.y(value))
	for x := p.left; x < p.right; x += dash + gap {
		p.rect(x, y-1, min(dash, p.right-x), 3, normalColor())
	}
	p.text(p.left+pad/2, y-pad/2, label, normalColor())
}

// marks draws what was done when: each mark with its label at the top, on the
// first line that has room for it.
func (p plot) marks(marks []integrations.ChartMark, s span) {
	const dot, gap, lines = 3, 4, 4
	marks = slices.DeleteFunc(slices.Clone(marks), func(m integrations.ChartMark) bool { return m.At.Before(s.from) || m.At.After(s.to) })
	slices.SortStableFunc(marks, func(a, b integrations.ChartMark) int { return a.At.Compare(b.At) })
	ends := make([]int, lines)
	for _, m := range marks[:min(len(marks), maxMarks)] {
		x := int(p.x(seconds(m.At)))
		for y := p.top; y < p.bottom; y += dot + gap {
			p.rect(x-1, y, 2, min(dot, p.bottom-y), markColor())
		}
		label := p.fit(m.Label, 240)
		left := min(x+pad/2, p.right-p.width(label))
		row := slices.IndexFunc(ends, func(end int) bool { return end <= left })
		if row < 0 {
			continue // letters over letters say less than none
		}
		ends[row] = left + p.width(label) + pad
		p.text(left, p.top+letters-2+row*lineHeight, label, markColor())
	}
}

// fit shows as much of untrusted text as there is room for, in pixels.
func (c *canvas) fit(s string, room int) string {
	const most = 80
	first := []rune(s)
	first = first[:min(len(first), most)]
	shown := []rune(wording.Inert(string(first), most))
	cut := utf8.RuneCountInString(s) > most
	for len(shown) > 0 {
		label := string(shown)
		if cut {
			label += "…"
		}
		if c.width(label) <= room {
			return label
		}
		shown, cut = shown[:len(shown)-1], true
	}
	return ""
}
