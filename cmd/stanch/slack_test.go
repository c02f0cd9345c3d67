package main_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/cmd/internal/service"
	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// office is a site whose people sit in a Slack.
type office struct {
	*site
	slack *slackfake.Server
	// running is the service, when it runs in this process.
	running *service.Service
}

// The people of the office by what they are to Slack and to stanch.yaml.
const (
	uAlice, uBob, uCarol  = "U0ALICE", "U0BOB", "U0CAROL"
	uStranger             = "U0STRANGER"
	uGuest, uOutsider     = "U0GUEST", "U0OUTSIDER"
	cOncall, cEgress      = "C0ONCALL", "C0EGRESS"
	slackSecret, botToken = "signing-secret-of-the-test", "xoxb-of-the-test"
)

// asksFirst makes the rule that fires ask first.
var asksFirst = []string{"do: [evidence, throttle, cut-off, tell]", "do: [throttle, { approve: on-call }, cut-off, tell]"}

// newOffice lays out a site with a Slack; over is how answers arrive.
func newOffice(t testing.TB, over string, edits ...string) *office {
	t.Helper()

	fake := slackfake.New(t, slackfake.Options{
		BotToken: botToken, AppToken: "xapp-of-the-test", SigningSecret: slackSecret,
		Users: []slackfake.User{
			{ID: uAlice, Name: "alice", Email: "alice@example.com"},
			{ID: uBob, Name: "bob"},
			{ID: uCarol, Name: "carol"},
			{ID: uStranger, Name: "stranger"},
			{ID: "U0MANAGER", Name: "sec-manager"},
			{ID: uGuest, Name: "guest", Restricted: true},
			{ID: uOutsider, Name: "outsider", Team: "T0OTHER"},
		},
		Groups: []slackfake.Group{
			{ID: "S0ONCALL", Handle: "sec-oncall", Users: []string{uAlice, uBob, uGuest, uOutsider, uStranger}},
			{ID: "S0LEADS", Handle: "sec-leads", Users: []string{uAlice, uBob}},
		},
		Channels: []slackfake.Channel{
			{ID: cOncall, Name: "sec-oncall"}, {ID: cEgress, Name: "sec-egress"},
		},
	})
	o := &office{site: newSite(t, append(slices.Clone(asksFirst), edits...)...), slack: fake}
	o.settings = func(slow string) string {
		kind := fmt.Sprintf("kind: slack, api_url: %q, bot_token: %s, app_token: %s", fake.URL, botToken, fake.AppToken)
		if over == "http" {
			kind = fmt.Sprintf("kind: slack, mode: http, api_url: %q, bot_token: %s, signing_secret: %s", fake.URL, botToken, slackSecret)
		}
		text := strings.Replace(configuration(slow), "  slack: { kind: memory, path: estate.jsonl"+slow+" }", "  slack: { "+kind+" }", 1)
		for id, user := range map[string]string{alice: uAlice, bob: uBob} {
			text = strings.Replace(text, "id: "+id+",", "id: "+id+", slack: "+user+",", 1)
		}
		return text + fmt.Sprintf("  - { id: carol, slack: %s, may: [] }\n  - { id: guest, slack: %s }\n  - { id: outsider, slack: %s }\n", uCarol, uGuest, uOutsider)
	}
	return o
}

// open starts the service over the Slack, which must be connected.
func (o *office) open(over string) {
	o.t.Helper()
	o.start("")
	if over == "http" {
		o.slack.SetRequestURL(o.url + "/v1/interactions/slack")
		return
	}
	o.wait("the socket to be open", func() bool { return o.slack.Sockets() > 0 })
}

// card waits for a card in the channel of the on-call that holds the words, and
// returns it.
func (o *office) card(words ...string) slackfake.Message {
	o.t.Helper()
	var found slackfake.Message
	o.wait(fmt.Sprintf("a card with %q", words), func() bool {
		for _, m := range o.slack.Messages(cOncall) {
			text := fmt.Sprint(m.Text, m.Blocks)
			if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(text, w) }) {
				found = m
				return true
			}
		}
		return false
	})
	return found
}

// button is the action of the card's button whose label begins so.
func (o *office) button(m slackfake.Message, label string) string {
	o.t.Helper()
	for _, b := range m.Buttons() {
		if strings.HasPrefix(b.Text, label) {
			return b.Action
		}
	}
	o.t.Fatalf("the card has no button %q: %+v", label, m.Buttons())
	return ""
}

// click clicks a button, which Slack must find acknowledged.
func (o *office) click(user string, m slackfake.Message, label string) {
	o.t.Helper()
	if _, err := o.slack.Click(user, m.Channel, m.TS, o.button(m, label)); err != nil {
		o.t.Fatalf("%s clicks %q: %v", user, label, err)
	}
}

// deny denies with a reason, by the form that the button opens.
func (o *office) deny(user string, m slackfake.Message, reason string) {
	o.t.Helper()
	o.click(user, m, "Deny")
	o.fill(user, reason)
}

// fill fills in the form that a user sees.
func (o *office) fill(user, reason string) {
	o.t.Helper()
	o.wait("the form to open", func() bool { return len(o.slack.Views(user)) > 0 })
	v := o.slack.Views(user)[0]
	values := map[string]string{}
	for _, b := range v.Blocks {
		if b["type"] == "input" {
			values[b["block_id"].(string)] = reason
		}
	}
	if _, err := o.slack.SubmitView(user, v.ID, values); err != nil {
		o.t.Fatalf("%s submits the form: %v", user, err)
	}
}

// toldPrivately waits until only the user was told something with the words.
func (o *office) toldPrivately(user, words string) {
	o.t.Helper()
	o.wait(user+" to get "+words, func() bool {
		return slices.ContainsFunc(o.slack.Ephemerals(user), func(m slackfake.Message) bool {
			return strings.Contains(fmt.Sprint(m.Text, m.Blocks), words)
		})
	})
}

func (o *office) flood() {
	o.t.Helper()
	if _, status := o.send("a-1", "ws-042", "10.20.4.42"); status != http.StatusAccepted {
		o.t.Fatalf("the alert's status is %d", status)
	}
}

func TestTheOnCallApprovesInSlack(t *testing.T) {
	t.Parallel()
	for _, over := range []string{"socket", "http"} {
		t.Run(over, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t, over, "ttl: 4h", "ttl: 10s")
			o.open(over)
			o.flood()
			card := o.card("Isolate ws-042")
			for _, w := range []struct{ user, says string }{
				{uGuest, "guest"}, {uOutsider, "workspace"}, {uStranger, "nobody of stanch.yaml"}, {uCarol, "not_an_approver"},
			} {
				o.click(w.user, card, "Isolate")
				o.toldPrivately(w.user, w.says)
			}
			if votes := o.see(floodCase).Approvals[0].Votes; len(votes) != 0 {
				t.Fatalf("who may not answer was counted: %+v", votes)
			}
			o.click(uAlice, card, "Isolate")
			o.toldPrivately(uAlice, "Recorded")
			o.wait("the isolation", func() bool { return o.effects("apply", incident.Isolate) == 1 })
			shown := o.card("Isolate ws-042", "alice")
			if len(slices.DeleteFunc(shown.Buttons(), func(b slackfake.Button) bool {
				return !strings.HasPrefix(b.Text, "Isolate") && !strings.HasPrefix(b.Text, "Deny")
			})) != 0 {
				t.Errorf("the decided card still has the buttons %+v", shown.Buttons())
			}
			o.card("ffective", "alice")
			o.wait("everything to be given back", func() bool { return o.effects("undo", incident.Isolate) == 1 })
			o.card("Given back")
			c := o.see(floodCase)
			if votes := c.Approvals[0].Votes; len(votes) != 1 || votes[0].Person.ID != alice || votes[0].Person.Via != "slack" {
				t.Errorf("the votes are %+v", votes)
			}
			for _, m := range o.slack.Messages(cOncall) {
				for _, who := range m.Mentions() {
					if !strings.Contains(who, "S0ONCALL") {
						t.Errorf("the card calls %q", who)
					}
				}
			}
		})
	}
}

// The evidence names users and command lines: it takes the right to read, as at
// the API, and a person without it sees nothing and gets the reason.
func TestEvidenceInSlackTakesTheRightToRead(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "http")
	o.open("http")
	o.flood()
	card := o.card("Isolate ws-042")
	for _, w := range []struct{ user, says string }{
		{uGuest, "guest"}, {uOutsider, "workspace"}, {uStranger, "nobody of stanch.yaml"}, {uCarol, "carol lacks the right read"},
	} {
		o.click(w.user, card, "Evidence")
		o.toldPrivately(w.user, w.says)
		if views := o.slack.Views(w.user); len(views) != 0 {
			t.Errorf("%s sees %+v", w.user, views)
		}
	}
	o.click(uBob, card, "Evidence")
	o.wait("bob to see the evidence", func() bool {
		views := o.slack.Views(uBob)
		return len(views) == 1 && strings.Contains(fmt.Sprint(views[0].Blocks), "powershell")
	})
}

func TestADenialInSlackCarriesItsReason(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "socket", "ttl: 1h", "ttl: 5s")
	o.open("socket")
	o.flood()
	o.deny(uBob, o.card("Isolate ws-042"), "it is the backup <!channel> of the week")
	o.wait("the case to close", func() bool { return o.see(floodCase).Status == incident.Closed })
	c := o.see(floodCase)
	if a := c.Approvals[0]; c.Outcome != incident.OutcomeRefused || a.Votes[0].Reason != "it is the backup <!channel> of the week" {
		t.Errorf("the case ended %s, the approval is %+v", c.Outcome, a)
	}
	for _, who := range o.card("Denied", "bob", "it is the backup").Mentions() {
		if !strings.Contains(who, "S0ONCALL") {
			t.Errorf("the reason calls %q", who)
		}
	}
	if n := o.effects("apply", incident.Isolate); n != 0 {
		t.Errorf("the denied host was isolated %d times", n)
	}
}

func TestTwoPeopleApproveInSlack(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "socket", "approve: on-call", "approve: two-people")
	o.open("socket")
	o.flood()
	card := o.card("Isolate ws-042")
	o.click(uAlice, card, "Isolate")
	o.fill(uAlice, "it drives an attack")
	one := o.card("Isolate ws-042", "1 of 2")
	// The same person again, and twice in a row.
	for range 2 {
		o.click(uAlice, one, "Isolate")
		o.fill(uAlice, "once more")
	}
	o.toldPrivately(uAlice, "already_voted")
	if n := o.effects("apply", incident.Isolate); n != 0 {
		t.Fatalf("one person isolated the host")
	}
	o.click(uBob, one, "Isolate")
	o.fill(uBob, "I see it too")
	o.wait("the isolation", func() bool { return o.effects("apply", incident.Isolate) == 1 })
	o.card("alice", "bob", "it drives an attack", "I see it too")
	if votes := o.see(floodCase).Approvals[0].Votes; len(votes) != 2 {
		t.Errorf("%d votes were counted", len(votes))
	}
}

func TestAClickCountsThoughTheProcessDies(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "socket", "ttl: 4h", "ttl: 1h")
	o.open("socket")
	o.flood()
	card := o.card("Isolate ws-042")
	// No receiver is connected: Slack shows that to the person, who clicks again
	// later.
	o.kill()
	o.wait("the socket to be gone", func() bool { return o.slack.Sockets() == 0 })
	if n := o.effects("apply", incident.Isolate); n != 0 {
		t.Fatal("isolated before anybody answered")
	}
	o.open("socket")
	late, err := o.slack.Click(uAlice, card.Channel, card.TS, o.button(card, "Isolate"))
	if err != nil {
		t.Fatal(err)
	}
	o.wait("the click to be acknowledged", func() bool {
		return slices.ContainsFunc(late.Answers(), func(a slackfake.Answer) bool { return a.Acked })
	})
	// An acknowledged click counts, whatever happens next.
	o.kill()
	o.open("socket")
	o.wait("the isolation", func() bool { return o.effects("apply", incident.Isolate) == 1 })
	// A repeated click is not a second vote.
	late.Deliver()
	o.card("ffective", "alice")
	if votes := o.see(floodCase).Approvals[0].Votes; len(votes) != 1 {
		t.Errorf("%d votes were counted", len(votes))
	}
	if n := o.effects("apply", incident.Isolate); n != 1 {
		t.Errorf("the host was isolated %d times", n)
	}
}

func TestWhenSlackIsDownTheTerminalAnswers(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "socket")
	o.open("socket")
	o.slack.Outage(true)
	o.flood()
	o.wait("the case to ask", func() bool { return o.see(floodCase).Status == incident.Awaiting })
	o.wait("the case to say that nobody was reached", func() bool { return saw(o.see(floodCase), incident.EvNotShown, "") })
	if n := o.effects("apply", incident.Isolate); n != 0 {
		t.Fatalf("isolated while nobody was asked")
	}
	if status := o.vote(floodCase, alice, true); status != http.StatusOK {
		t.Fatalf("the answer at the terminal has the status %d", status)
	}
	o.wait("the isolation", func() bool { return o.effects("apply", incident.Isolate) == 1 })
}

func TestAnExpiredQuestionTakesNoAnswer(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "http", "remind_after: 5m\n    expire_after: 15m", "remind_after: 2s\n    expire_after: 6s", "ttl: 1h", "ttl: 20s")
	o.open("http")
	o.flood()
	card := o.card("Isolate ws-042")
	o.wait("the reminder", func() bool {
		return slices.ContainsFunc(o.slack.Thread(card.Channel, card.TS), func(m slackfake.Message) bool { return strings.Contains(m.Text, "Still waiting") })
	})
	stale := card
	o.card("Expired")
	// The card of a moment ago, on a phone that was not refreshed.
	if _, err := o.slack.Press(uAlice, stale.Channel, stale.TS, "stanch.approve"); err == nil {
		t.Error("the expired card still has its buttons")
	}
	o.wait("the case to close", func() bool { return o.see(floodCase).Status == incident.Closed })
	if c := o.see(floodCase); c.Outcome != incident.OutcomeExpired || o.effects("apply", incident.Isolate) != 0 {
		t.Errorf("the case ended %s with %d isolations", c.Outcome, o.effects("apply", incident.Isolate))
	}
}
