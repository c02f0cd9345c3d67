package term_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/mattn/go-runewidth"

	"github.com/stanch-soar/stanch/cmd/internal/term"
	"github.com/stanch-soar/stanch/playbooks/evidence/casetest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// ninety is 90 seconds into the sample case.
func ninety() time.Time { return casetest.Opened().Add(90 * time.Second) }

func show(t *testing.T, o term.Options, what func(*term.Printer) error) string {
	t.Helper()
	if o.Now == nil {
		o.Now = ninety
	}
	var out bytes.Buffer
	if err := what(term.New(&out, o)); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func card(c incident.Case) func(*term.Printer) error {
	return func(p *term.Printer) error {
		return errors.Join(p.Case(c), p.Timeline(c.OpenedAt, c.Timeline...))
	}
}

// golden compares with a file of testdata; UPDATE_GOLDEN=1 writes it.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", name)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", file, diff)
	}
}

func TestCase(t *testing.T) {
	for name, o := range map[string]term.Options{
		"waiting-60.txt":       {Width: 60},
		"waiting-80-color.txt": {Width: 80, Color: true},
		"waiting-pipe.txt":     {},
		"waiting-80-ascii.txt": {Width: 80, ASCII: true},
	} {
		t.Run(name, func(t *testing.T) { golden(t, name, show(t, o, card(casetest.Waiting(t)))) })
	}
	t.Run("flood-120.txt", func(t *testing.T) {
		golden(t, "flood-120.txt", show(t, term.Options{Width: 120}, card(casetest.Flood(t))))
	})
}

func TestThePendingApprovalStandsNextToThePrompt(t *testing.T) {
	out := show(t, term.Options{Width: 80}, func(p *term.Printer) error { return p.Case(casetest.Waiting(t)) })
	want := "" +
		"  approve     runs cut-off (isolate), tell (notify)\n" +
		"  deny        runs tell (notify #sec-egress) instead; still standing: throttle\n" +
		"              until 04:12 UTC (needs a reason)\n" +
		"  no answer   those steps do not run; still standing: throttle until 04:12 UTC\n"
	if !strings.HasSuffix(out, want) {
		t.Errorf("the card ends with %q, want %q", out[max(0, len(out)-len(want)):], want)
	}
	if !strings.Contains(out, "pending, 13m44s left to answer") || !strings.Contains(out, "stands, 58m40s left, until 2026-03-14 04:12:14 UTC") {
		t.Errorf("the countdowns are missing:\n%s", out)
	}
}

// sgr is the only escape sequence that the printer writes itself on a card.
var sgr = regexp.MustCompile("\x1b\\[[0-9;]*m")

func TestNothingIsWiderThanTheOutput(t *testing.T) {
	cond := runewidth.Condition{StrictEmojiNeutral: true}
	wide := casetest.Waiting(t)
	wide.Subject, wide.Timeline[0].Text = strings.Repeat("日本語", 90), strings.Repeat("漢字 ", 60)
	wide.Facts.Process.Path = incident.Known(strings.Repeat("長い", 90), incident.FromEDR)
	for name, c := range map[string]incident.Case{"flood": casetest.Flood(t), "hostile": casetest.Hostile(t), "wide": wide, "empty": {}} {
		for _, ascii := range []bool{false, true} {
			for width := 40; width <= 130; width += 7 {
				out := show(t, term.Options{Width: width, Color: true, ASCII: ascii}, card(c))
				for _, line := range strings.Split(sgr.ReplaceAllString(out, ""), "\n") {
					if got := cond.StringWidth(line); got > width {
						t.Fatalf("%s at %d columns (ascii %t): a line of %d: %q", name, width, ascii, got, line)
					}
				}
			}
		}
	}
}

func TestHostileTextCannotSteerTheTerminal(t *testing.T) {
	c, text := casetest.Hostile(t), casetest.Attack()
	everything := func(p *term.Printer) error {
		return errors.Join(card(c)(p), p.Trace(*c.Decision), p.Table([]string{text, "B"}, [][]string{{text, text, text}, {text}}),
			p.Progress(text, 10).Set(5, text), p.Progress(text, 0).End(text), p.Event(c.OpenedAt, c.Timeline[0]),
			p.Question(c), p.Outcome(c), p.Say(text), p.Aside(text), p.Command(text, text), p.Ask(text))
	}
	for _, o := range []term.Options{{}, {Width: 80}, {Width: 80, Color: true}, {ASCII: true}} {
		t.Run(fmt.Sprintf("%+v", o), func(t *testing.T) {
			out := show(t, o, everything)
			if !strings.Contains(out, "[U+001B]") {
				t.Fatal("the hostile text is not shown")
			}
			if o.Color {
				out = sgr.ReplaceAllString(out, "")
			}
			bad := func(r rune) bool { return r != '\n' && (!unicode.IsPrint(r) || o.ASCII && r >= 0x80) }
			if i := strings.IndexFunc(out, bad); i >= 0 {
				t.Errorf("the output holds %q", out[max(0, i-10):min(len(out), i+20)])
			}
			if len(out) > 200_000 {
				t.Errorf("the output has %d bytes", len(out))
			}
		})
	}
}

func TestTimelineIsOneLinePerEvent(t *testing.T) {
	at := casetest.Opened()
	events := []incident.Event{
		{At: at.Add(-2 * time.Second), Kind: incident.EvJoined, Text: "early"},
		{At: at.Add(107 * time.Second), Kind: incident.EvVerified, Step: "throttle", Text: "egress fell from 47.4 Mbit/s to 1.9 Mbit/s", By: "flows"},
		{At: at.Add(4 * time.Hour), Kind: incident.EvGivenBack, Step: "cut-off", Text: "two\nlines"},
	}
	got := show(t, term.Options{Width: 60}, func(p *term.Printer) error { return p.Timeline(at, events...) })
	want := "" +
		"▸ -2s      joined        early\n" +
		"✓ +1m47s   verified      throttle: egress fell from 47.4 Mb…\n" +
		"↩ +4h      given back    cut-off: two lines\n"
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestTable(t *testing.T) {
	headers := []string{"CASE", "RULE", "SINCE"}
	rows := [][]string{{"high-egress/ws-042", "unexplained-volume", "1m30s"}, {"high-egress/日本", "", "2h"}, {"short"}}
	for name, tt := range map[string]struct {
		o    term.Options
		want string
	}{
		"a pipe gets everything": {
			term.Options{},
			"CASE                RULE                SINCE\n" +
				"high-egress/ws-042  unexplained-volume  1m30s\n" +
				"high-egress/日本                        2h\n" +
				"short\n",
		},
		"a narrow output cuts the widest": {
			term.Options{Width: 40},
			"CASE             RULE              SINCE\n" +
				"high-egress/ws…  unexplained-vol…  1m30s\n" +
				"high-egress/日…                    2h\n" +
				"short\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := show(t, tt.o, func(p *term.Printer) error { return p.Table(headers, rows) })
			if got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestProgressIsWrittenOverOnATerminal(t *testing.T) {
	now := ninety()
	o := term.Options{Width: 40, TTY: true, Now: func() time.Time { return now }}
	got := show(t, o, func(p *term.Printer) error {
		r := p.Progress("replayed", 30)
		err := r.Set(1, "ws-001")
		err = errors.Join(err, r.Set(2, "too soon to see"))
		now = now.Add(time.Second)
		return errors.Join(err, r.Set(3, strings.Repeat("x", 90)), r.Set(30, "last"), r.End("replayed 30 cases"),
			r.Set(30, "again"), r.Clear(), r.Clear(), p.Say("after it"))
	})
	want := "\r\x1b[Kreplayed 1 of 30: ws-001" +
		"\r\x1b[Kreplayed 3 of 30: xxxxxxxxxxxxxxxxxxxx…" +
		"\r\x1b[Kreplayed 30 of 30: last" +
		"\r\x1b[Kreplayed 30 cases\n" +
		"\r\x1b[Kreplayed 30 of 30: again\r\x1b[Kafter it\n"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func TestProgressIsALinePerTenthInAPipe(t *testing.T) {
	got := show(t, term.Options{}, func(p *term.Printer) error {
		r := p.Progress("replayed", 200)
		for i := range 200 {
			if err := r.Set(i+1, ""); err != nil {
				return err
			}
		}
		silent := p.Progress("waiting", 0)
		return errors.Join(silent.Set(5, "nobody knows how long"), silent.Clear(), r.End("done"))
	})
	lines := strings.Split(strings.TrimSpace(got), "\n")
	if len(lines) != 11 || lines[0] != "replayed 20 of 200" || lines[9] != "replayed 200 of 200" || lines[10] != "done" {
		t.Errorf("the lines are %q", lines)
	}
}

func TestCountdown(t *testing.T) {
	p := term.New(&bytes.Buffer{}, term.Options{Now: ninety})
	for want, until := range map[string]time.Time{
		"3m12s left":   ninety().Add(3*time.Minute + 12*time.Second + 900*time.Millisecond),
		"0s left":      ninety(),
		"1h2m overdue": ninety().Add(-62 * time.Minute),
		"no end known": {},
	} {
		if got := p.Countdown(until); got != want {
			t.Errorf("Countdown(%v) = %q, want %q", until, got, want)
		}
	}
}

func TestDetectAPipe(t *testing.T) {
	for _, tt := range []struct {
		env   map[string]string
		ascii bool
	}{
		{map[string]string{"LANG": "en_US.UTF-8"}, false},
		{map[string]string{"LANG": "C.utf8"}, false},
		{map[string]string{"LANG": "en_US.UTF-8", "LC_ALL": "C"}, true},
		{map[string]string{"LANG": "C", "LC_CTYPE": "de_CH.UTF-8"}, false},
		{map[string]string{}, true},
	} {
		got := term.Detect(&bytes.Buffer{}, func(name string) string { return tt.env[name] })
		if got.ASCII != tt.ascii || got.TTY || got.Color || got.Width != 0 {
			t.Errorf("with %v: %+v, want ASCII %t and a pipe", tt.env, got, tt.ascii)
		}
	}
}

func TestAWriteErrorIsReturned(t *testing.T) {
	p := term.New(closed{}, term.Options{})
	if err := p.Case(casetest.Waiting(t)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("the error is %v, want closed", err)
	}
}

type closed struct{}

func (closed) Write([]byte) (int, error) { return 0, os.ErrClosed }
