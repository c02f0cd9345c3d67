// Package chart draws egress over time as a PNG, for messengers that show
// pictures.
//
// It draws with gonum.org/v1/plot: BSD-licensed, kept by the Gonum project, and
// open to lines across the plot at exact values. Its price is some 9 MB of
// binary, as it links fonts and vector formats that are not used here.
package chart

import (
	"bytes"
	"fmt"
	"image/color"
	"slices"
	"time"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/evidence/account"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// The picture's size in pixels. With letters of 21 pixels it can be read on a
// phone, which shows it at half of that.
const (
	Width  = 800
	Height = 400
)

const (
	dpi       = 96
	letters   = font.Length(15)
	maxPoints = 10_080 // a week of minutes
	maxMarks  = 8
)

// seriesColor, normalColor and markColor differ in lightness and in their
// strokes too, for people who do not see colours.
func seriesColor() color.Color { return color.RGBA{R: 0x1b, G: 0x4f, B: 0xa8, A: 0xff} }
func normalColor() color.Color { return color.RGBA{R: 0xc2, G: 0x5a, B: 0x00, A: 0xff} }
func markColor() color.Color   { return color.RGBA{R: 0x44, G: 0x44, B: 0x44, A: 0xff} }
func fillColor() color.Color   { return color.RGBA{R: 0xdc, G: 0xe7, B: 0xf7, A: 0xff} }

// Draw returns a chart as a PNG. A chart without a known value is an invalid
// error: an empty picture would look like no egress.
func Draw(c integrations.Chart) ([]byte, error) {
	series, err := points(c.Series)
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, fmt.Sprintf("draw the chart %q", account.Inert(c.Title, 80)), "%w", err)
	}
	p, err := layout(c, series)
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, fmt.Sprintf("draw the chart %q", account.Inert(c.Title, 80)), "%w", err)
	}
	canvas := vgimg.PngCanvas{Canvas: vgimg.NewWith(
		vgimg.UseWH(vg.Length(Width)/dpi*vg.Inch, vg.Length(Height)/dpi*vg.Inch), vgimg.UseDPI(dpi))}
	p.Draw(draw.Crop(draw.New(canvas), 4, -12, 4, -6))
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return nil, integrations.Errorf(integrations.Invalid, "write a chart", "%w", err)
	}
	return b.Bytes(), nil
}

// points returns the known minutes in order.
func points(series []incident.Point) ([]incident.Point, error) {
	if len(series) > maxPoints {
		return nil, fmt.Errorf("it has %d minutes, more than %d", len(series), maxPoints)
	}
	known := slices.DeleteFunc(slices.Clone(series), func(p incident.Point) bool { return p.BytesOut < 0 || p.At.IsZero() })
	if len(known) == 0 {
		return nil, fmt.Errorf("egress is unknown in all of its %d minutes", len(series))
	}
	slices.SortStableFunc(known, func(a, b incident.Point) int { return a.At.Compare(b.At) })
	return known, nil
}

func layout(c integrations.Chart, series []incident.Point) (*plot.Plot, error) {
	normal, hasNormal := c.Normal.Get()
	hasNormal = hasNormal && normal >= 0
	top := float64(normal)
	for _, p := range series {
		top = max(top, rate(p))
	}
	scale := unitFor(top)
	span := spanOf(series, c.Marks)

	p := plot.New()
	p.X.Label.Text = span.days() + ", time in UTC"
	p.Y.Label.Text = "Egress, " + scale.name
	for _, f := range []*font.Font{
		&p.Title.TextStyle.Font, &p.X.Label.TextStyle.Font, &p.Y.Label.TextStyle.Font, &p.X.Tick.Label.Font, &p.Y.Tick.Label.Font,
	} {
		f.Variant, f.Size = "Sans", letters
	}
	p.Title.Text = fit(p.Title.TextStyle, c.Title, 7*vg.Inch)
	p.X.Min, p.X.Max = seconds(span.from), seconds(span.to)
	p.X.Tick.Marker, p.Y.Tick.Marker = clockTicks{}, valueTicks{}
	p.Add(plotter.NewGrid())
	if err := addSeries(p, series, scale); err != nil {
		return nil, err
	}
	// A third above the highest value is for the labels of marks.
	p.Y.Min, p.Y.Max = 0, max(top/scale.size, 1e-9)*1.5
	over := overlay{style: p.X.Tick.Label, marks: marksIn(c.Marks, span, p.X.Tick.Label)}
	if hasNormal {
		over.normal, over.normalLabel = float64(normal)/scale.size, "normal: below "+incident.FormatRate(normal)
	}
	p.Add(over)
	p.X.Min, p.X.Max = seconds(span.from), seconds(span.to)
	return p, nil
}

// addSeries draws egress. Minutes that are missing are a gap in the line, as
// nobody knows what happened in them.
func addSeries(p *plot.Plot, series []incident.Point, scale unit) error {
	for _, run := range runs(series) {
		xys := make(plotter.XYs, len(run))
		for i, point := range run {
			xys[i] = plotter.XY{X: seconds(point.At), Y: rate(point) / scale.size}
		}
		if len(xys) == 1 {
			dot, err := plotter.NewScatter(xys)
			if err != nil {
				return fmt.Errorf("draw a minute: %w", err)
			}
			dot.GlyphStyle = draw.GlyphStyle{Color: seriesColor(), Radius: vg.Points(3), Shape: draw.CircleGlyph{}}
			p.Add(dot)
			continue
		}
		line, err := plotter.NewLine(xys)
		if err != nil {
			return fmt.Errorf("draw the line: %w", err)
		}
		line.Color, line.Width, line.FillColor = seriesColor(), vg.Points(2.5), fillColor()
		p.Add(line)
	}
	return nil
}

// runs splits a series where minutes are missing.
func runs(series []incident.Point) [][]incident.Point {
	var out [][]incident.Point
	start := 0
	for i := 1; i <= len(series); i++ {
		if i == len(series) || series[i].At.Sub(series[i-1].At) >= 2*time.Minute {
			out = append(out, series[start:i])
			start = i
		}
	}
	return out
}

// rate is a minute's egress in bits per second.
func rate(p incident.Point) float64 { return float64(p.BytesOut) * 8 / 60 }

func seconds(t time.Time) float64 { return float64(t.Unix()) }

type unit struct {
	name string
	size float64
}

func unitFor(top float64) unit {
	switch {
	case top >= 1e9:
		return unit{"Gbit/s", 1e9}
	case top >= 1e6:
		return unit{"Mbit/s", 1e6}
	case top >= 1e3:
		return unit{"kbit/s", 1e3}
	default:
		return unit{"bit/s", 1}
	}
}

// span is the time that a chart shows.
type span struct{ from, to time.Time }

// spanOf is the series with a margin, and those marks that are not far off: one
// of hours later would press the series into a corner.
func spanOf(series []incident.Point, marks []integrations.ChartMark) span {
	s := span{series[0].At.UTC(), series[len(series)-1].At.UTC()}
	reach := max(10*time.Minute, s.to.Sub(s.from)/4)
	first, last := s.from.Add(-reach), s.to.Add(reach)
	for _, m := range marks {
		if m.At.Before(first) || m.At.After(last) {
			continue
		}
		s.from, s.to = earlier(s.from, m.At.UTC()), later(s.to, m.At.UTC())
	}
	margin := max(30*time.Second, s.to.Sub(s.from)/50)
	return span{s.from.Add(-margin), s.to.Add(margin)}
}

func (s span) days() string {
	from, to := s.from.Format("2 Jan 2006"), s.to.Format("2 Jan 2006")
	if from == to {
		return from
	}
	return from + " to " + to
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
