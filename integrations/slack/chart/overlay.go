package chart

import (
	"slices"
	"unicode/utf8"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/evidence/account"
)

// overlay draws over the series what it is to be compared with: what is normal,
// and what was done when.
type overlay struct {
	style text.Style
	// normal is in the axis' unit; no label means that it is unknown.
	normal      float64
	normalLabel string
	marks       []mark
}

type mark struct {
	at    float64
	label string
}

// marksIn returns the marks within a span, in order.
func marksIn(marks []integrations.ChartMark, s span, style text.Style) []mark {
	var out []mark
	for _, m := range marks {
		if m.At.Before(s.from) || m.At.After(s.to) {
			continue
		}
		out = append(out, mark{seconds(m.At), fit(style, m.Label, 2.5*vg.Inch)})
	}
	slices.SortStableFunc(out, func(a, b mark) int { return int(a.at - b.at) })
	return out[:min(len(out), maxMarks)]
}

// fit shows as much of untrusted text as there is room for.
func fit(style text.Style, s string, room vg.Length) string {
	const most = 80
	first := []rune(s)
	first = first[:min(len(first), most)]
	shown := []rune(account.Inert(string(first), most))
	cut := utf8.RuneCountInString(s) > most
	for len(shown) > 0 {
		label := string(shown)
		if cut {
			label += "…"
		}
		if style.Width(label) <= room {
			return label
		}
		shown, cut = shown[:len(shown)-1], true
	}
	return ""
}

// Plot implements [plot.Plotter].
func (o overlay) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	if o.normalLabel != "" {
		at := y(o.normal)
		c.StrokeLine2(draw.LineStyle{Color: normalColor(), Width: vg.Points(2), Dashes: []vg.Length{vg.Points(8), vg.Points(4)}},
			c.Min.X, at, c.Max.X, at)
		style := o.style
		style.Color, style.XAlign, style.YAlign = normalColor(), draw.XLeft, draw.YBottom
		c.FillText(style, vg.Point{X: c.Min.X + vg.Points(4), Y: at + vg.Points(2)}, o.normalLabel)
	}
	o.plotMarks(c, x)
}

// plotMarks draws each mark with its label at the top, on the first line that
// has room for it.
func (o overlay) plotMarks(c draw.Canvas, x func(float64) vg.Length) {
	style := o.style
	style.Color, style.XAlign, style.YAlign = markColor(), draw.XLeft, draw.YTop
	stroke := draw.LineStyle{Color: markColor(), Width: vg.Points(1.5), Dashes: []vg.Length{vg.Points(2), vg.Points(3)}}
	height := style.Height("Ag") * 1.15
	ends := make([]vg.Length, 4)
	for i := range ends {
		ends[i] = c.Min.X
	}
	for _, m := range o.marks {
		at, width := x(m.at), style.Width(m.label)
		left := min(at+vg.Points(3), c.Max.X-width)
		c.StrokeLine2(stroke, at, c.Min.Y, at, c.Max.Y)
		row := slices.IndexFunc(ends, func(end vg.Length) bool { return end <= left })
		if row < 0 {
			continue // letters over letters say less than none
		}
		ends[row] = left + width + vg.Points(6)
		c.FillText(style, vg.Point{X: left, Y: c.Max.Y - vg.Length(row)*height}, m.label)
	}
}
