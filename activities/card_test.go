package activities

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/evidence/casetest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Every fact on a card says where it is from; one that is unknown says so, why,
// and is no number.
func TestACardSaysWhereItsFactsAreFrom(t *testing.T) {
	const why = "source not attributable: 10.0.0.7 is the NAT address of fw-01"
	known, unknown := casetest.Waiting(t), casetest.Waiting(t)
	unknown.Facts.Disown([]incident.SharedAddress{{IP: "10.0.0.7", Kind: "nat", Asset: "fw-01"}})
	unknown.Facts.Alert.BytesOut = incident.NotKnown[int64]("the alert does not say")
	words := []string{"from the alert", "from the EDR", "from the flow store", "from the inventory", "computed", "assumed", "unknown", "worked out by Stanch"}
	for name, c := range map[string]incident.Case{"known": known, "unknown": unknown, "nothing": {}} {
		facts := CardOf(c, 0).Facts
		if name == "nothing" {
			facts = factsOf(c)
		}
		if len(facts) < 5 {
			t.Errorf("%s: the card has %d facts", name, len(facts))
		}
		for _, f := range facts {
			if f.Value == "" || !slices.Contains(words, f.How) {
				t.Errorf("%s: %s is %q, %q", name, f.Label, f.Value, f.How)
			}
		}
	}
	for label, want := range map[string]string{"How much": "volume unknown: " + why, "Where to": "destination unknown: " + why} {
		facts := CardOf(unknown, 0).Facts
		at := slices.IndexFunc(facts, func(f integrations.CardFact) bool { return f.Label == label })
		if at < 0 || !strings.HasPrefix(facts[at].Value, want) || facts[at].How != "unknown" {
			t.Errorf("the card has %+v, want %s: %q", facts, label, want)
		}
	}
}

// A card says that containment is paused, by whom and why, for as long as it
// asks or what was approved waits, in Slack and in a messenger without cards.
func TestACardSaysThatContainmentIsPaused(t *testing.T) {
	pause := &incident.Pause{By: "carol", Reason: "change freeze", At: casetest.Waiting(t).OpenedAt}
	asking := casetest.Waiting(t)
	asking.Approvals[0].Paused = pause
	waits := casetest.Waiting(t)
	waits.Status = incident.Working
	waits.Approvals[0].State, waits.Approvals[0].Paused = incident.Approved, pause
	over := casetest.Flood(t)
	over.Approvals[0].Paused = pause
	for _, tt := range []struct {
		name  string
		c     incident.Case
		state integrations.CardState
		line  string
	}{
		{"asking", asking, integrations.CardAsking, "Containment is paused by carol: change freeze. An approval waits until it is resumed"},
		{"approved", waits, integrations.CardPaused, "Containment is paused by carol: change freeze. The approval waits until it is resumed"},
		{"over", over, integrations.CardGivenBack, ""},
	} {
		m := MessageOf(tt.c, protocol.ShowRequest{Kind: incident.ShownQuestion})
		if m.Card.State != tt.state || m.Card.Question.Paused != pause {
			t.Errorf("%s: the card is %s, paused %+v", tt.name, m.Card.State, m.Card.Question.Paused)
		}
		at := slices.IndexFunc(m.Lines, func(l string) bool { return strings.HasPrefix(l, "Containment is paused") })
		if at < 0 && tt.line != "" || at >= 0 && (tt.line == "" || !strings.HasPrefix(m.Lines[at], tt.line)) {
			t.Errorf("%s: the lines are %q, want %q", tt.name, m.Lines, tt.line)
		}
	}
	if m := MessageOf(waits, protocol.ShowRequest{Kind: incident.ShownQuestion}); !slices.Contains(m.Card.Commands, "stanch resume --reason …") {
		t.Errorf("the card does not say how it goes on: %q", m.Card.Commands)
	}
}

// What was approved and then held back says so; it has not failed.
func TestACardSaysWhatWasHeldBack(t *testing.T) {
	c := casetest.Waiting(t)
	c.Approvals[0].State = incident.Approved
	for i := range c.Steps {
		if s := &c.Steps[i]; s.Status == incident.StepWaiting && s.Action.Containing() {
			s.Status, s.HeldBack, s.Problem = incident.StepSkipped, true, "guardrail infrastructure"
		}
	}
	if card := CardOf(c, 0); card.State != integrations.CardHeldBack || !strings.HasPrefix(card.Title, "Held back: ") {
		t.Errorf("the card is %s, %q", card.State, card.Title)
	}
}

// People who approve a containment that may be held again see for how long in all.
func TestACardSaysForHowLongAContainmentMayBeHeld(t *testing.T) {
	c := casetest.Waiting(t)
	for i := range c.Steps {
		if s := &c.Steps[i]; s.Action.Leased() {
			s.TTL, s.Hold = time.Hour, &incident.Hold{AtMost: 8 * time.Hour, Watch: 15 * time.Minute}
		}
	}
	if effect := strings.Join(CardOf(c, 0).Effect, "\n"); !strings.Contains(effect, "for 1 h, at most 8 h while it still sends") {
		t.Errorf("the card says %q", effect)
	}
}
