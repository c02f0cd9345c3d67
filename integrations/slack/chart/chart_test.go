package chart_test

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/slack/chart"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func opened() time.Time { return time.Date(2026, 3, 14, 3, 0, 0, 0, time.UTC) }

// minutes are egress per minute, in Mbit/s.
func minutes(mbit ...float64) []incident.Point {
	out := make([]incident.Point, len(mbit))
	for i, v := range mbit {
		out[i] = incident.Point{At: opened().Add(time.Duration(i) * time.Minute), BytesOut: int64(v * 1e6 / 8 * 60)}
	}
	return out
}

func flood() integrations.Chart {
	return integrations.Chart{
		Key: "chart/1", Title: "Egress of WS-042",
		Series: minutes(0.4, 0.3, 0.5, 0.4, 0.6, 0.5, 0.4, 0.5, 18, 36, 37, 38, 36, 37, 38, 36, 2, 2, 1.9, 2, 0.03, 0.02, 0.03, 0.02),
		Normal: incident.Known(int64(1.8e6), incident.FromFlows),
		Marks: []integrations.ChartMark{
			{At: opened().Add(9 * time.Minute), Label: "alert"},
			{At: opened().Add(11 * time.Minute), Label: "asked"},
			{At: opened().Add(16 * time.Minute), Label: "rate limited"},
			{At: opened().Add(20 * time.Minute), Label: "isolated"},
			{At: opened().Add(5 * time.Hour), Label: "given back"},
		},
	}
}

func drawn(t *testing.T, c integrations.Chart) image.Image {
	t.Helper()
	data, err := chart.Draw(c)
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > 100_000 {
		t.Errorf("the picture has %d bytes", len(data))
	}
	if dir := os.Getenv("STANCH_PICTURES"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, strings.ReplaceAll(t.Name(), "/", "-")+".png"), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if size := img.Bounds().Size(); size != image.Pt(chart.Width, chart.Height) {
		t.Errorf("the picture is %v", size)
	}
	return img
}

func TestFlood(t *testing.T) {
	drawn(t, flood())
	a, errA := chart.Draw(flood())
	b, errB := chart.Draw(flood())
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Errorf("the same chart is drawn differently: %v, %v", errA, errB)
	}
}

// is reports whether a pixel has nearly a colour.
func is(img image.Image, x, y int, r, g, b int) bool {
	pr, pg, pb, _ := img.At(x, y).RGBA()
	near := func(got uint32, want int) bool { d := int(got>>8) - want; return d > -24 && d < 24 }
	return near(pr, r) && near(pg, g) && near(pb, b)
}

func isSeries(img image.Image, x, y int) bool { return is(img, x, y, 0x1b, 0x4f, 0xa8) }
func isNormal(img image.Image, x, y int) bool { return is(img, x, y, 0xc2, 0x5a, 0x00) }
func isMark(img image.Image, x, y int) bool   { return is(img, x, y, 0x44, 0x44, 0x44) }

// middle returns the middle of the pixels of a column, or of a row, that have a
// colour; -1: there is none.
func middle(n int, has func(i int) bool) int {
	first, last := -1, -1
	for i := range n {
		if has(i) {
			if first < 0 {
				first = i
			}
			last = i
		}
	}
	if first < 0 {
		return -1
	}
	return (first + last) / 2
}

// extent returns the first and the last column in which the series is drawn.
func extent(t *testing.T, img image.Image) (int, int) {
	t.Helper()
	columns := func(x int) bool {
		return middle(chart.Height, func(y int) bool { return isSeries(img, x, y) }) >= 0
	}
	first, last := -1, -1
	for x := range chart.Width {
		if columns(x) {
			if first < 0 {
				first = x
			}
			last = x
		}
	}
	if first < 0 {
		t.Fatal("no series is drawn")
	}
	return first, last
}

// TestTheLineIsWhereTheDataAre draws 2 and then 8 Mbit/s with 5 as the normal
// rate, and a mark in the middle.
func TestTheLineIsWhereTheDataAre(t *testing.T) {
	c := integrations.Chart{
		Title: "step", Series: minutes(2, 2, 2, 2, 2, 8, 8, 8, 8, 8, 8), Normal: incident.Known(int64(5e6), incident.FromFlows),
		Marks: []integrations.ChartMark{{At: opened().Add(7*time.Minute + 30*time.Second), Label: "isolated"}},
	}
	img := drawn(t, c)
	first, last := extent(t, img)
	column := func(minute float64) int { return first + int(float64(last-first)*minute/10) }
	row := func(x int, has func(image.Image, int, int) bool) int {
		return middle(chart.Height, func(y int) bool { return has(img, x, y) })
	}
	two, eight := row(column(2), isSeries), row(column(9), isSeries)
	five := -1
	for x := column(8); x < column(10) && five < 0; x++ { // it is dashed
		five = row(x, isNormal)
	}
	if two < 0 || eight < 0 || five < 0 {
		t.Fatalf("rows: 2 Mbit/s at %d, 5 at %d, 8 at %d", two, five, eight)
	}
	if off := (two + eight) - 2*five; two <= five || five <= eight || off < -4 || off > 4 {
		t.Errorf("2 Mbit/s is at row %d, normal 5 at %d, 8 at %d; want equal distances", two, five, eight)
	}
	// The mark's line crosses the empty top, where nothing else is.
	top := eight - 20
	marked := middle(last, func(x int) bool {
		return x > first && (isMark(img, x, top) || isMark(img, x, top-2) || isMark(img, x, top-4))
	})
	if want := column(7.5); marked < want-3 || marked > want+3 {
		t.Errorf("the mark is at column %d; want %d", marked, want)
	}
}

func TestMissingMinutesAreAGap(t *testing.T) {
	c := integrations.Chart{Title: "gap", Series: minutes(4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4)}
	whole := drawn(t, c)
	c.Series = append(c.Series[:4:4], c.Series[7:]...)
	gap := drawn(t, c)
	first, last := extent(t, whole)
	x := (first + last) / 2
	has := func(img image.Image) bool {
		return middle(chart.Height, func(y int) bool { return isSeries(img, x, y) }) >= 0
	}
	if !has(whole) || has(gap) {
		t.Errorf("a line in the middle: %t; with minutes missing there: %t", has(whole), has(gap))
	}
}

func TestUnknownNormalIsNotDrawn(t *testing.T) {
	for name, normal := range map[string]incident.Value[int64]{
		"unknown": {}, "known": incident.Known(int64(1e6), incident.FromFlows),
	} {
		c := flood()
		c.Normal = normal
		img := drawn(t, c)
		found := false
		for y := range chart.Height {
			found = found || middle(chart.Width, func(x int) bool { return isNormal(img, x, y) }) >= 0
		}
		if found != normal.IsKnown() {
			t.Errorf("%s: a normal rate is drawn: %t", name, found)
		}
	}
}

func TestOddCharts(t *testing.T) {
	hostile := flood()
	attack := "<!channel> \u202e$x^2_{10}$ \\frac{1}{0} \x00\xff" + strings.Repeat("W", 10_000)
	hostile.Title = attack
	for range 200 {
		hostile.Marks = append(hostile.Marks, integrations.ChartMark{At: opened().Add(10 * time.Minute), Label: attack})
	}
	unsorted := flood()
	unsorted.Series[0], unsorted.Series[20] = unsorted.Series[20], unsorted.Series[0]
	years := flood()
	years.Series = append(years.Series, incident.Point{At: opened().AddDate(200, 0, 0), BytesOut: 1})
	huge := flood()
	huge.Series[3].BytesOut = 1<<63 - 1
	for name, c := range map[string]integrations.Chart{
		"one minute": {Series: minutes(5)}, "all zero": {Series: minutes(0, 0, 0)}, "hostile": hostile, "unsorted": unsorted,
		"years": years, "huge": huge, "same minute": {Series: []incident.Point{{At: opened(), BytesOut: 5}, {At: opened(), BytesOut: 7}}},
		"day": {Title: "day", Series: func() []incident.Point {
			var s []incident.Point
			for i := range 1440 {
				s = append(s, incident.Point{At: opened().Add(time.Duration(i) * time.Minute), BytesOut: int64(i%60) * 1e6})
			}
			return s
		}()},
	} {
		t.Run(name, func(t *testing.T) { drawn(t, c) })
	}
}

func TestNothingIsKnown(t *testing.T) {
	for name, c := range map[string]integrations.Chart{
		"no series": {Title: "t"}, "negative": {Series: []incident.Point{{At: opened(), BytesOut: -1}}}, "no time": {Series: []incident.Point{{BytesOut: 1}}},
		"too long": {Series: make([]incident.Point, 10_081)},
	} {
		if data, err := chart.Draw(c); integrations.KindOf(err) != integrations.Invalid || data != nil {
			t.Errorf("%s: %d bytes, %v; want an invalid error", name, len(data), err)
		}
	}
}

func BenchmarkDraw(b *testing.B) {
	for b.Loop() {
		if _, err := chart.Draw(flood()); err != nil {
			b.Fatal(err)
		}
	}
}
