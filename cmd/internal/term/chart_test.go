package term_test

import (
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/stanch-soar/stanch/cmd/internal/term"
)

// flooded is a flood that is limited, blocked and given back.
func flooded(seconds int) term.Chart {
	c := term.Chart{Every: time.Second}
	for i := range seconds {
		rate := int64(1e6)
		switch at := i * 20 / seconds; {
		case at >= 3 && at < 8:
			rate = 61e6
		case at >= 8 && at < 14:
			rate = 11e6
		case at >= 18:
			rate = 95e6
		}
		c.Rates = append(c.Rates, rate)
	}
	part := time.Duration(seconds) * time.Second / 20
	c.Moments = []term.Moment{
		{After: 3 * part, Text: "the flood begins"},
		{After: 8*part + 100*time.Millisecond, Text: "it is limited"},
		{After: 8*part + 200*time.Millisecond, Text: "people are asked"},
		{After: 14 * part, Text: "it is blocked, and what else the host sends has the whole of its limit"},
		{After: time.Hour, Text: "later"},
	}
	return c
}

func TestChart(t *testing.T) {
	for name, tt := range map[string]struct {
		o term.Options
		c term.Chart
	}{
		"chart-pipe.txt":     {term.Options{}, flooded(40)},
		"chart-60.txt":       {term.Options{Width: 60, Color: true}, flooded(200)},
		"chart-40-ascii.txt": {term.Options{Width: 40, ASCII: true}, flooded(20)},
	} {
		t.Run(name, func(t *testing.T) {
			got := show(t, tt.o, func(p *term.Printer) error { return p.Chart(tt.c) })
			golden(t, name, got)
		})
	}
}

// A chart fits its output however long it took, and has no row for what was not measured.
func TestAChartFits(t *testing.T) {
	for _, seconds := range []int{1, 20, 45, 46, 90, 91, 600, 3601} {
		out := show(t, term.Options{Width: 60}, func(p *term.Printer) error { return p.Chart(flooded(seconds)) })
		for line := range strings.Lines(out) {
			if w := runewidth.StringWidth(strings.TrimSuffix(line, "\n")); w > 60 {
				t.Errorf("of %d seconds a line has %d columns: %q", seconds, w, line)
			}
		}
		if !strings.Contains(out, "█") {
			t.Errorf("of %d seconds it shows nothing:\n%s", seconds, out)
		}
	}
	for _, c := range []term.Chart{{}, {Every: time.Second}, {Rates: []int64{1}}} {
		if out := show(t, term.Options{}, func(p *term.Printer) error { return p.Chart(c) }); out != "" {
			t.Errorf("%+v is shown as %q", c, out)
		}
	}
	many := term.Chart{Rates: []int64{0, 1, 1e12}, Every: time.Second, Moments: make([]term.Moment, 40)}
	if out := show(t, term.Options{}, func(p *term.Printer) error { return p.Chart(many) }); !strings.Contains(out, "▁█") || !strings.Contains(out, "1 Tbit/s") && !strings.Contains(out, "1000 Gbit/s") {
		t.Errorf("a small and a large rate are shown as\n%s", out)
	}
}
