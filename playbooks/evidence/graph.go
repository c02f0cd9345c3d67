package evidence

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// graph is the data of the chart, before any layout.
type graph struct {
	points []incident.Point // sorted, in UTC, each minute once
	// usual is the baseline's p99 as a rate; 0 when it is unknown.
	usual   float64
	moments []moment
	// Summary describes the chart in words, Notes what it cannot show.
	Summary string
	Notes   []string
}

func graphOf(c incident.Case) graph {
	var g graph
	for _, p := range c.Series {
		if p.BytesOut >= 0 { // less than 0: the sensor could not see it
			p.At = p.At.UTC()
			g.points = append(g.points, p)
		}
	}
	slices.SortStableFunc(g.points, func(a, b incident.Point) int { return a.At.Compare(b.At) })
	g.points = slices.CompactFunc(g.points, func(a, b incident.Point) bool { return a.At.Equal(b.At) })
	if len(g.points) == 0 {
		g.Summary = "There is no chart: the flow store gave no egress for this host around the case. That is unknown, not zero."
		return g
	}
	g.addUsual(c.Facts)
	g.addMoments(moments(c))
	g.summarise()
	return g
}

func (g *graph) start() time.Time { return g.points[0].At }

func (g *graph) end() time.Time { return g.points[len(g.points)-1].At.Add(time.Minute) }

func (g *graph) highest() incident.Point {
	return slices.MaxFunc(g.points, func(a, b incident.Point) int { return int(min(1, max(-1, a.BytesOut-b.BytesOut))) })
}

func (g *graph) peak() float64 { return rateOf(g.highest()) }

// addUsual turns the baseline's p99, bytes per window, into a rate.
func (g *graph) addUsual(f incident.Facts) {
	p99, known := f.Baseline.P99.Get()
	window, sized := f.Traffic.Window.Get()
	switch {
	case known && sized && window > 0:
		g.usual = float64(p99) * 8 / window.Seconds()
	case known:
		g.Notes = append(g.Notes, "No baseline line: the window of the baseline is unknown.")
	default:
		g.Notes = append(g.Notes, "No baseline line: what this host usually sends is "+f.Baseline.P99.String()+".")
	}
}

// addMoments keeps the moments that the chart covers; the others become notes.
func (g *graph) addMoments(all []moment) {
	var outside []string
	for _, m := range all {
		m.At = m.At.UTC()
		if m.At.Before(g.start()) || m.At.After(g.end()) || len(g.moments) == mostMarks {
			outside = append(outside, m.Text+" "+m.At.Format("Jan 2 15:04"))
			continue
		}
		g.moments = append(g.moments, m)
	}
	if len(outside) > 0 {
		g.Notes = append(g.Notes, "Not in the chart: "+strings.Join(outside[:min(len(outside), mostMarks)], "; ")+" UTC.")
	}
}

func (g *graph) summarise() {
	high := g.highest()
	last := g.points[len(g.points)-1]
	g.Summary = fmt.Sprintf("Egress was highest at %s UTC with %s, and %s in the last minute shown, %s UTC.",
		high.At.Format("15:04"), human(rateOf(high)), human(rateOf(last)), last.At.Format("15:04"))
	minutes := int(g.end().Sub(g.start()).Round(time.Minute) / time.Minute)
	if blank := minutes - len(g.points); blank > 0 {
		g.Notes = append(g.Notes, fmt.Sprintf("%d of %d minutes have no data and are left blank: unknown, not zero.", blank, minutes))
	}
}

func human(rate float64) string { return incident.FormatRate(int64(rate)) }
