package evidence

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks/evidence/wording"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// The chart's measures, in pixels of its own width. Lanes above the plot hold
// the marks' labels.
const (
	chartTop    = 8
	laneHeight  = 16
	plotHeight  = 180
	axisHeight  = 26
	chartLeft   = 70
	chartRight  = 8
	glyphWidth  = 6.4 // of the chart's 11 px font, generously
	mostMarks   = 16
	labelMargin = 4
	lowestTop   = 1e3 // bits per second, so that a quiet host still has an axis
)

// chart is egress per minute, laid out for the template to draw. Numbers are
// pixels.
type chart struct {
	ID            string
	Title, Desc   string
	Width, Height int
	Left, Right   float64
	Top, Bottom   float64 // of the plot
	Line, Area    string
	Levels, Times []tick
	Usual         *tick
	Marks         []mark
	Key           []string
}

// tick is a labelled place on an axis.
type tick struct {
	At    float64
	Label string
}

// mark is a moment of action: a line down to the axis, and its label.
type mark struct {
	X, LabelX, LabelY float64
	Text              string
	lane              int
	from, to          float64 // the label's extent
}

// scale maps time and rate to pixels.
type scale struct {
	start, end  time.Time
	top         float64 // the highest rate
	left, right float64
	plotTop     float64
	plotBottom  float64
}

func (s scale) x(t time.Time) float64 {
	share := float64(t.Sub(s.start)) / float64(s.end.Sub(s.start))
	return round(s.left + share*(s.right-s.left))
}

func (s scale) y(rate float64) float64 {
	return round(s.plotBottom - rate/s.top*(s.plotBottom-s.plotTop))
}

func round(f float64) float64 { return math.Round(f*10) / 10 }

// rateOf is a minute's mean egress in bits per second.
func rateOf(p incident.Point) float64 { return float64(p.BytesOut) * 8 / 60 }

// layOut lays a series out at the given width. The series is sorted and not
// empty. A numbered chart has its marks' texts in a key below: where it is
// narrow, labels have no room.
func layOut(id string, width int, numbered bool, g graph) chart {
	c := chart{ID: id, Title: "Egress of the host per minute", Desc: g.Summary + " " + strings.Join(markTexts(g.moments), ". "), Width: width}
	s := scale{start: g.start(), end: g.end(), left: chartLeft, right: float64(width - chartRight)}
	s.top = max(g.peak(), g.usual, lowestTop)
	texts := markTexts(g.moments)
	if numbered {
		c.Key = texts
		texts = numbers(len(texts))
	}
	marks := placeMarks(g.moments, texts, s)
	lanes := 0
	for _, m := range marks {
		lanes = max(lanes, m.lane+1)
	}
	s.plotTop = float64(chartTop + lanes*laneHeight)
	s.plotBottom = s.plotTop + plotHeight
	step := niceStep(s.top)
	s.top = math.Ceil(s.top/step) * step
	c.Left, c.Right, c.Top, c.Bottom = s.left, s.right, s.plotTop, s.plotBottom
	c.Height = int(s.plotBottom) + axisHeight
	for i := range marks {
		marks[i].LabelY = float64(chartTop + marks[i].lane*laneHeight + laneHeight - 5)
	}
	c.Marks = marks
	c.Levels, c.Times = levels(s, step), times(s)
	if g.usual > 0 {
		c.Usual = &tick{s.y(g.usual), "usual p99: " + incident.FormatRate(int64(g.usual))}
	}
	c.Line, c.Area = paths(g.points, s)
	return c
}

// niceStep divides the axis into about four round steps.
func niceStep(top float64) float64 {
	raw := top / 4
	unit := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, f := range []float64{1, 2, 5} {
		if raw <= f*unit {
			return f * unit
		}
	}
	return 10 * unit
}

func levels(s scale, step float64) []tick {
	var out []tick
	for i := 0; ; i++ {
		rate := float64(i) * step
		if rate > s.top*1.001 {
			return out
		}
		label := "0"
		if i > 0 {
			label = incident.FormatRate(int64(math.Min(rate, math.MaxInt64/2)))
		}
		out = append(out, tick{s.y(rate), label})
	}
}

// times puts a tick about every 90 pixels, on round minutes.
func times(s scale) []tick {
	span, most := s.end.Sub(s.start), max(2, int((s.right-s.left)/90))
	step := time.Duration(0)
	for _, m := range []int{1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440} {
		if step = time.Duration(m) * time.Minute; span <= step*time.Duration(most) {
			break
		}
	}
	for span > step*time.Duration(most) {
		step *= 2
	}
	layout := "15:04"
	if span > 24*time.Hour {
		layout = "Jan 2 15:04"
	}
	var out []tick
	for t := s.start.Truncate(step); !t.After(s.end); t = t.Add(step) {
		// A label centred closer to the edge than this would be cut off.
		if x := s.x(t); x >= s.left && x <= s.right-16 {
			out = append(out, tick{x, t.Format(layout)})
		}
	}
	return out
}

// paths draws each minute as a level. Minutes without a point are a gap: they
// are unknown, not zero.
func paths(points []incident.Point, s scale) (line, area string) {
	var l, a strings.Builder
	for i := 0; i < len(points); {
		first := points[i].At
		var run strings.Builder
		last := first
		for ; i < len(points) && (run.Len() == 0 || points[i].At.Sub(last) < 30*time.Second); i++ {
			until := points[i].At.Add(time.Minute)
			fmt.Fprintf(&run, "V%g H%g ", s.y(rateOf(points[i])), s.x(until))
			last = until
		}
		fmt.Fprintf(&l, "M%g %g %s", s.x(first), s.plotBottom, run.String())
		fmt.Fprintf(&a, "M%g %g %sV%g Z ", s.x(first), s.plotBottom, run.String(), s.plotBottom)
	}
	return strings.TrimSpace(l.String()), strings.TrimSpace(a.String())
}

// markTexts are the marks' labels, each short enough for half of the wide
// chart, so that it fits on one side of its line.
func markTexts(moments []moment) []string {
	const most = 60
	out := make([]string, 0, len(moments))
	for _, m := range moments {
		text := []rune(m.At.Format("15:04") + " " + m.Text)
		if len(text) > most {
			text = append(text[:most-1], '…')
		}
		out = append(out, string(text))
	}
	return out
}

func numbers(n int) []string {
	out := make([]string, 0, n)
	for i := range n {
		out = append(out, strconv.Itoa(i+1))
	}
	return out
}

// placeMarks gives every moment a lane in which its label touches no other.
// Labels are to the right of their lines, near the edge to the left. The mark
// that is farthest from its label's side gets the top lane, so that no line
// crosses a label on its way down to the axis.
func placeMarks(moments []moment, texts []string, s scale) []mark {
	var right, left []mark
	for i, at := range moments {
		m := mark{X: s.x(at.At), Text: texts[i]}
		width := glyphWidth * float64(len([]rune(m.Text)))
		m.LabelX, m.to = round(m.X+labelMargin), m.X+labelMargin+width
		if m.to <= s.right {
			m.from = m.LabelX
			right = append(right, m)
			continue
		}
		m.from = max(0, m.X-labelMargin-width)
		m.LabelX, m.to = round(m.from), m.from+width
		left = append(left, m)
	}
	slices.Reverse(left)
	var out []mark
	for _, m := range append(right, left...) {
		m.lane = freeLane(m, out)
		out = append(out, m)
	}
	return out
}

// freeLane is the highest lane in which the mark touches no other. Where lines
// have to run through a label, which hides them, it is the highest without
// overlap.
func freeLane(m mark, placed []mark) int {
	for m.lane = 0; m.lane <= len(placed); m.lane++ {
		if !slices.ContainsFunc(placed, func(o mark) bool { return m.overlaps(o) || m.crosses(o) || o.crosses(m) }) {
			return m.lane
		}
	}
	for m.lane = 0; slices.ContainsFunc(placed, m.overlaps); m.lane++ {
	}
	return m.lane
}

func (m mark) overlaps(o mark) bool {
	return m.lane == o.lane && m.from < o.to+2*labelMargin && o.from < m.to+2*labelMargin
}

// crosses reports whether the mark's line runs through the label of o.
func (m mark) crosses(o mark) bool {
	return m.lane < o.lane && o.from-labelMargin/2 < m.X && m.X < o.to+labelMargin/2
}

// moment is the time at which an action took effect, was proven or was released.
type moment struct {
	At         time.Time
	Step, Text string
}

// moments are the case's marks in order. Events of one step within a minute are
// one mark: the chart cannot separate them.
func moments(c incident.Case) []moment {
	out := []moment{{c.OpenedAt, "", "case opened"}}
	for _, s := range c.Steps {
		if !s.Action.Containing() {
			continue
		}
		name := wording.Inert(s.Name, 24)
		out = appendMoment(out, name, "accepted", s.AcceptedAt)
		out = appendMoment(out, name, "confirmed", s.ConfirmedAt)
		if s.Proof == incident.Verified {
			out = appendMoment(out, name, "proven", s.ProvenAt)
		}
		out = appendMoment(out, name, "given back", s.EndedAt)
	}
	for _, a := range c.Approvals {
		if len(a.Votes) > 0 && a.State == incident.Approved {
			out = appendMoment(out, wording.Inert(a.Name, 24), "approved", a.EndedAt)
		}
	}
	slices.SortStableFunc(out, func(a, b moment) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Text, b.Text)) })
	return out
}

func appendMoment(list []moment, step, word string, at time.Time) []moment {
	if at.IsZero() {
		return list
	}
	if last := &list[len(list)-1]; last.Step == step && at.Sub(last.At).Abs() < time.Minute {
		last.Text += ", " + word
		return list
	}
	return append(list, moment{at, step, step + " " + word})
}
