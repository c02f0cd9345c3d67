package evidence

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"html"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stanch-soar/stanch/playbooks/evidence/casetest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func pageOf(t *testing.T, c incident.Case) string {
	t.Helper()
	page, err := renderPage(c, []File{{Path: "case.json", Size: 2048, SHA256: strings.Repeat("ab", 32)}})
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

// words is the page's text as a reader sees it, on one line.
func words(page string) string {
	page = regexp.MustCompile(`(?s)<style>.*?</style>`).ReplaceAllString(page, "")
	page = regexp.MustCompile(`<[^>]*>`).ReplaceAllString(page, " ")
	return strings.Join(strings.Fields(html.UnescapeString(page)), " ")
}

func TestThePageTellsTheWholeCase(t *testing.T) {
	text := words(pageOf(t, casetest.Flood(t)))
	for _, want := range []string{
		"high high-egress-windows · rule unexplained-volume",
		"Closed: contained, and everything was given back.",
		"after 58m12s Run 0196a1f2",
		`updatesvc.exe (pid 6612) as CORP\m.keller, not signed from the EDR`,
		"4.1 GiB sent in 15m, 39.1 Mbit/s on average; 209.9 times its usual p99 of 20 MiB from the flow store",
		"asset.role unknown inventory: timed out after 5s",
		"alert.window 15m assumed",
		"sanctioned-transfer false not this one: process.path =",
		"unexplained-volume true decided every part is true",
		"throttle limit the host to 2 Mbit/s with gateway given back accepted ✓ yes 03:12:14 UTC, +10s",
		"effective ✓ yes 03:19:15 UTC, +7m11s egress fell to 10 kbit/s, asked for below 64 kbit/s",
		"until 2026-03-14 07:17:18 UTC given back 2026-03-14 04:05:44 UTC alice",
		"2026-03-14 03:17:15 UTC alice via slack approve Temp-folder binary, user is asleep. Cut it.",
		"04:05:44 +53m40s given back cut-off released by hand",
		"splunk-prod/7f21-0002 firing",
		"1 more joined the case",
		"case.json 2 KiB abab",
		incident.DigestOf([]byte("high-egress-windows")),
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

func TestAnOpenCaseSaysWhatEachAnswerDoes(t *testing.T) {
	text := words(pageOf(t, casetest.Waiting(t)))
	for _, want := range []string{
		"Waiting for people to answer.", "effective … not yet wanted: egress below 3 Mbit/s within 2m", "Nobody has answered.",
		"approve runs cut-off (isolate), tell (notify)", "still stands",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

func TestAnEmptyCaseSaysThatThereIsNothing(t *testing.T) {
	text := words(pageOf(t, incident.Case{Status: incident.Working}))
	for _, want := range []string{
		"That is unknown, not zero.", "There was no plan, so no step ran.", "Nothing was contained", "Nobody was asked.",
		"No rule was looked at.", "The timeline is empty.", "No alert was kept.", "no exact target: not looked for yet",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// tags are the tags that the page may hold; text of an attacker adds none.
var tags = regexp.MustCompile(`<(/?[a-zA-Z!][a-zA-Z0-9!]*)`)

func TestHostileTextIsInertAndBounded(t *testing.T) {
	calm, hostile := pageOf(t, casetest.Flood(t)), pageOf(t, casetest.Hostile(t))
	allowed := map[string]bool{}
	for _, m := range tags.FindAllStringSubmatch(calm, -1) {
		allowed[m[1]] = true
	}
	// An unknown list and a problem are shown in tags of their own.
	for _, m := range tags.FindAllStringSubmatch(hostile, -1) {
		if !allowed[m[1]] {
			t.Errorf("hostile text made a %q tag", m[0])
		}
	}
	for _, never := range []string{"<script", "<img", "onerror=alert(2)>\"", "<!channel", "javascript:"} {
		if strings.Contains(hostile, never) {
			t.Errorf("the page holds %q", never)
		}
	}
	if i := strings.IndexFunc(hostile, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }); i >= 0 {
		t.Errorf("the page holds what does not print: %q", hostile[max(0, i-20):i+20])
	}
	if shown := strings.Count(hostile, "&lt;script&gt;"); shown < 60 {
		t.Errorf("the hostile text is shown %d times only", shown)
	}
	if len(hostile) > 4*len(calm) {
		t.Errorf("the hostile page has %d bytes, the calm one %d", len(hostile), len(calm))
	}
	if strings.Contains(hostile, strings.Repeat("A", 3000)) {
		t.Error("10,000 characters are shown")
	}
}

func TestThePageLoadsNothingAndRunsNothing(t *testing.T) {
	page := pageOf(t, casetest.Flood(t))
	for _, never := range []string{"<script", "<link", "<img", "<iframe", " src=", " href=", "@import", "url(", " style=", "http://", "https://"} {
		if strings.Contains(page, never) {
			t.Errorf("the page holds %q", never)
		}
	}
	style := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindStringSubmatch(page)
	policy := regexp.MustCompile(`Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(page)
	if style == nil || policy == nil {
		t.Fatal("the page has no style or no policy")
	}
	sum := sha256.Sum256([]byte(style[1]))
	want := "default-src 'none'; style-src 'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'; base-uri 'none'; form-action 'none'"
	if got := html.UnescapeString(policy[1]); got != want {
		t.Errorf("the policy is %q, want %q", got, want)
	}
}

func TestThePageIsTheSameForTheSameCase(t *testing.T) {
	c := casetest.Flood(t)
	a, b := pageOf(t, c), pageOf(t, c)
	if !bytes.Equal([]byte(a), []byte(b)) {
		t.Error("the same case gives two pages")
	}
}

func TestTheChartMarksTheMomentsOfAction(t *testing.T) {
	page := pageOf(t, casetest.Flood(t))
	wide := regexp.MustCompile(`(?s)<svg class="wide".*?</svg>`).FindString(page)
	for _, want := range []string{
		"03:12 case opened", "03:12 throttle accepted, confirmed", "03:13 throttle proven", "03:17 on-call approved",
		"03:17 cut-off accepted, confirmed", "03:19 cut-off proven", "04:05 cut-off given back", "04:06 throttle given back",
	} {
		if !strings.Contains(wide, ">"+want+"</text>") {
			t.Errorf("the chart has no mark %q", want)
		}
	}
	for _, want := range []string{`role="img"`, `aria-labelledby="wide-title wide-desc"`, "<title id=\"wide-title\">", "usual p99: 186.4 kbit/s", ">20 Mbit/s<", ">03:15<"} {
		if !strings.Contains(wide, want) {
			t.Errorf("the chart has no %q", want)
		}
	}
	if got := strings.Count(wide, `class="mark"`); got != 8 {
		t.Errorf("the chart has %d marks, want 8", got)
	}
	if !strings.Contains(page, `<ol class="narrow key"><li>03:12 case opened</li>`) {
		t.Error("the numbered chart has no key")
	}
}

func TestLabelsNeverOverlap(t *testing.T) {
	start := casetest.Opened()
	g := graph{points: []incident.Point{{At: start, BytesOut: 1}, {At: start.Add(time.Hour), BytesOut: 5e9}}}
	for name, gap := range map[string]time.Duration{"at once": 0, "seconds": 7 * time.Second, "minutes": 4 * time.Minute} {
		for _, from := range []time.Duration{0, 20 * time.Minute, 58 * time.Minute} {
			g.moments = nil
			for i := range mostMarks {
				at := min(from+time.Duration(i)*gap, time.Hour)
				g.moments = append(g.moments, moment{start.Add(at), "", strings.Repeat("long ", i%7) + "label"})
			}
			for _, c := range []chart{layOut("wide", wideChart, false, g), layOut("narrow", narrowChart, true, g)} {
				for i, a := range c.Marks {
					if a.from < 0 || a.to > float64(c.Width) || a.LabelY > c.Top {
						t.Errorf("%s from %v, %s: label %q is outside: %+v", name, from, c.ID, a.Text, a)
					}
					for _, b := range c.Marks[:i] {
						if a.LabelY == b.LabelY && a.from < b.to && b.from < a.to {
							t.Errorf("%s from %v, %s: %q and %q overlap", name, from, c.ID, a.Text, b.Text)
						}
					}
				}
			}
		}
	}
}

func TestMinutesWithoutDataAreAGap(t *testing.T) {
	start := casetest.Opened().Truncate(time.Minute)
	at := func(m int, bytes int64) incident.Point {
		return incident.Point{At: start.Add(time.Duration(m) * time.Minute), BytesOut: bytes}
	}
	c := incident.Case{OpenedAt: start, Series: []incident.Point{at(6, 500), at(0, 100), at(1, 0), at(1, 0), at(2, -1), at(5, 300)}}
	g := graphOf(c)
	if len(g.points) != 4 {
		t.Fatalf("%d points are kept, want 4: %+v", len(g.points), g.points)
	}
	drawn := layOut("wide", wideChart, false, g)
	if runs := strings.Count(drawn.Line, "M"); runs != 2 {
		t.Errorf("the line has %d runs, want 2 with a gap between: %s", runs, drawn.Line)
	}
	if want := "3 of 7 minutes have no data and are left blank: unknown, not zero."; !strings.Contains(strings.Join(g.Notes, " "), want) {
		t.Errorf("the notes are %q, want %q", g.Notes, want)
	}
}

func TestWhatTheChartCannotShowIsSaid(t *testing.T) {
	c := casetest.Flood(t)
	c.Facts.Baseline.P99 = incident.NotKnown[int64]("10 of 24 windows")
	c.Series = c.Series[:40]
	g := graphOf(c)
	notes := strings.Join(g.Notes, " ")
	for _, want := range []string{
		"No baseline line: what this host usually sends is unknown (10 of 24 windows).",
		"Not in the chart: cut-off given back Mar 14 04:05; throttle given back Mar 14 04:06 UTC.",
	} {
		if !strings.Contains(notes, want) {
			t.Errorf("the notes are %q, want %q among them", notes, want)
		}
	}
	if layOut("wide", wideChart, false, g).Usual != nil {
		t.Error("a baseline line is drawn though p99 is unknown")
	}
}

func TestExtremeSeriesAreLaidOut(t *testing.T) {
	start := casetest.Opened()
	for name, points := range map[string][]incident.Point{
		"one quiet minute": {{At: start}},
		"the largest":      {{At: start, BytesOut: 1<<63 - 1}, {At: start.Add(time.Minute)}},
		"a year apart":     {{At: start, BytesOut: 10}, {At: start.AddDate(1, 0, 0), BytesOut: 20}},
	} {
		t.Run(name, func(t *testing.T) {
			c := layOut("wide", wideChart, false, graphOf(incident.Case{OpenedAt: start, Series: points}))
			if strings.Contains(c.Line, "NaN") || strings.Contains(c.Line, "Inf") {
				t.Errorf("the line is %s", c.Line)
			}
			if n := len(c.Levels); n < 2 || n > 8 {
				t.Errorf("the axis has %d levels", n)
			}
			if n := len(c.Times); n > 12 {
				t.Errorf("the axis has %d times", n)
			}
		})
	}
}
