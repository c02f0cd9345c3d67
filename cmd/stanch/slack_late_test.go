package main_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Bob's click is on its way while alice approves. The budget is used up then, so
// that the plan gets a second gate: what bob saw is not what would be done any
// more.
func TestTheAnswerToAPlanThatHasChangedDoesNotCount(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "socket",
		"{ action: isolate, per: site, max: 5, window: 1h }", "{ action: rate_limit, per: host, max: 1, window: 1h }",
		"{ approve: on-call }, cut-off, tell]", "{ approve: on-call }, squeeze, cut-off, tell]",
		"  cut-off:  {", "  squeeze: { action: rate_limit, use: gateway, with: { rate: 1Mbit }, ttl: 1h, verify: { egress_below: 2Mbit, within: 2m } }\n  cut-off:  {")
	o.open("socket")
	o.flood()
	card := o.card("isolate ws-042")
	late, err := o.slack.Press(uBob, card.Channel, card.TS, o.button(card, "Limit"))
	if err != nil {
		t.Fatal(err)
	}
	o.click(uAlice, card, "Limit")
	o.card("solate ws-042", "0 of 2")
	late.Deliver()
	o.toldPrivately(uBob, "plan_changed")
	c := o.see(floodCase)
	if len(c.Approvals) != 2 || len(c.Approvals[1].Votes) != 0 {
		t.Errorf("the late answer was counted: %+v", c.Approvals)
	}
	if n := o.effects("apply", incident.Isolate); n != 0 {
		t.Errorf("the host was isolated %d times", n)
	}
}

// Slack refuses most of what it is sent for a while: the question comes late,
// and once.
func TestSlackThatThrottlesGetsOneQuestion(t *testing.T) {
	t.Parallel()
	o := newOffice(t, "socket")
	o.open("socket")
	for _, method := range []string{"chat.postMessage", "chat.update", "users.info"} {
		o.slack.Fail(method, 4, slackfake.Throttle(time.Second))
	}
	o.flood()
	card := o.card("Isolate ws-042")
	o.click(uAlice, card, "Isolate")
	o.wait("the isolation", func() bool { return o.effects("apply", incident.Isolate) == 1 })
	o.card("ffective", "alice")
	asked := 0
	for _, m := range o.slack.Messages(cOncall) {
		if strings.Contains(m.Text, "ws-042") && (m.Thread == "" || m.Thread == m.TS) {
			asked++
		}
	}
	if votes := o.see(floodCase).Approvals[0].Votes; asked != 1 || len(votes) != 1 {
		t.Errorf("%d questions and %d votes, want one of each", asked, len(votes))
	}
}
