package term_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/term"
	"github.com/stanch-soar/stanch/playbooks/evidence/casetest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func TestEventIsWrappedWhereATimelineIsCut(t *testing.T) {
	at := casetest.Opened()
	for name, tt := range map[string]struct {
		event incident.Event
		want  string
	}{
		"the step stands before the text": {
			incident.Event{At: at.Add(107 * time.Second), Kind: incident.EvVerified, Step: "throttle", Text: "egress fell from 47.4 Mbit/s to 1.9 Mbit/s", By: "flows"},
			"✓ +1m47s   verified      throttle: egress fell from 47.4\n" +
				"                         Mbit/s to 1.9 Mbit/s (flows)\n",
		},
		"a step and a person that the text names are not named twice": {
			incident.Event{At: at, Kind: incident.EvVoted, Step: "on-call", By: "alice", Text: "alice approved on-call"},
			"· +0s      voted         alice approved on-call\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := show(t, term.Options{Width: 60}, func(p *term.Printer) error { return p.Event(at, tt.event) })
			if got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

func TestQuestionSaysWhatEachAnswerDoesAndHowItIsUndone(t *testing.T) {
	c := casetest.Waiting(t)
	for i := range c.Steps {
		if c.Steps[i].Name == "cut-off" {
			c.Steps[i].TTL = 4 * time.Hour
		}
	}
	out := show(t, term.Options{Width: 80}, func(p *term.Printer) error { return p.Question(c) })
	rest := out
	for _, part := range []string{
		"Who", "How sure", "exact", "throttle", "stands, 58m40s left", "13m44s left to answer", "approve", "runs cut-off (isolate)", "deny", "no answer",
		"undone", "cut-off is a lease: it ends by itself after 4h",
	} {
		_, after, found := strings.Cut(rest, part)
		if !found {
			t.Fatalf("%q does not come where it should:\n%s", part, out)
		}
		rest = after
	}
	if strings.Contains(out, "Rules") {
		t.Errorf("the trace is in the question:\n%s", out)
	}
}

func TestAQuestionSaysThatContainmentIsPaused(t *testing.T) {
	c := casetest.Waiting(t)
	c.Approvals[0].Paused = &incident.Pause{By: "carol", Reason: "change freeze", At: c.OpenedAt}
	for name, printed := range map[string]func(*term.Printer) error{
		"question": func(p *term.Printer) error { return p.Question(c) },
		"case":     func(p *term.Printer) error { return p.Case(c) },
	} {
		out := show(t, term.Options{Width: 200}, printed)
		if !strings.Contains(out, "Containment is paused by carol: change freeze. An approval waits until it is resumed") {
			t.Errorf("the %s does not say so:\n%s", name, out)
		}
	}
}

func TestOutcomeShowsEveryLevelOfProof(t *testing.T) {
	out := show(t, term.Options{}, func(p *term.Printer) error { return p.Outcome(casetest.Flood(t)) })
	for _, want := range []string{"Closed: contained, and everything was given back.", "accepted  ✓ yes", "confirmed ✓ yes", "effective ✓ yes"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is missing:\n%s", want, out)
		}
	}
}

func TestALiveLineGivesWayToWhatComesNext(t *testing.T) {
	values := []int64{40_000_000, 40_000_000, 2_000_000, 8_000}
	shown := func(o term.Options) string {
		return show(t, o, func(p *term.Printer) error {
			return errors.Join(p.Live(nil, "starting"), p.Live(values, "egress 8 kbit/s, "+strings.Repeat("x", 90)), p.Say("next"), p.Say("last"))
		})
	}
	bars, gone := strings.Repeat(" ", 6), "\r\x1b[K"
	for name, tt := range map[string]struct {
		o    term.Options
		want string
	}{
		"a pipe does not get it": {term.Options{}, "next\nlast\n"},
		"a terminal does": {
			term.Options{TTY: true, Width: 40},
			"          " + "  starting" + gone + bars + "██▂▁" + "  egress 8 kbit/s, xxxxxxxx…" + gone + "next\nlast\n",
		},
		"in ASCII": {
			term.Options{TTY: true, Width: 40, ASCII: true},
			"          " + "  starting" + gone + bars + "##._" + "  egress 8 kbit/s, xxxxxx..." + gone + "next\nlast\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := shown(tt.o); got != tt.want {
				t.Errorf("got  %q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestWhatCanBeCopiedIsNotBroken(t *testing.T) {
	line := "stanch serve --config /tmp/" + strings.Repeat("a-long-folder/", 8) + "stanch.yaml"
	out := show(t, term.Options{Width: 60}, func(p *term.Printer) error { return p.Command("serve it", line) })
	if !strings.HasSuffix(out, "    "+line+"\n") {
		t.Errorf("the command is broken: %q", out)
	}
}
