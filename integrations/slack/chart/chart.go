// Package chart draws egress over time as a PNG, for messengers that show
// pictures.
package chart

import (
	"fmt"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/evidence/wording"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// The picture's size in pixels. With letters of 20 pixels it can be read on a
// phone, which shows it at half of that.
const (
	Width  = 800
	Height = 400
)

const (
	maxPoints = 10_080 // a week of minutes
	maxMarks  = 8
)

// Draw returns a chart as a PNG. A chart without a known value is an invalid
// error: an empty picture would look like no egress.
func Draw(c integrations.Chart) ([]byte, error) {
	data, err := drawn(c)
	if err != nil {
		return nil, integrations.Errorf(integrations.Invalid, fmt.Sprintf("draw the chart %q", wording.Inert(c.Title, 80)), "%w", err)
	}
	return data, nil
}

func drawn(c integrations.Chart) ([]byte, error) {
	series, err := points(c.Series)
	if err != nil {
		return nil, err
	}
	picture, err := newCanvas()
	if err != nil {
		return nil, err
	}
	normal, hasNormal := c.Normal.Get()
	hasNormal = hasNormal && normal >= 0
	top := float64(max(normal, 0))
	for _, p := range series {
		top = max(top, rate(p))
	}
	scale, span := unitFor(top), spanOf(series, c.Marks)
	// Half as much again above the highest value is for the labels of marks.
	p := plot{canvas: picture, from: seconds(span.from), to: seconds(span.to), most: max(top/scale.size, 1e-9) * 1.5}
	p.axes(c.Title, span.days()+", time in UTC", "Egress, "+scale.name)
	p.series(series, scale)
	if hasNormal {
		p.normal(float64(normal)/scale.size, "normal: below "+incident.FormatRate(normal))
	}
	p.marks(c.Marks, span)
	return picture.png()
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
