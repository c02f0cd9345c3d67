package main_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

var (
	pendingCards    = flag.Int("pending-cards", 200, "questions that wait in the benchmark of clicks")
	clicksPerSecond = flag.Int("clicks", 20, "clicks a second in the benchmark of clicks")
)

// rooms is over how many channels the cards are spread: a channel takes one
// message a second.
const rooms = 10

// BenchmarkClicks measures from the moment Slack sends a click to the moment the
// engine has decided on it, while many cards wait. Every third click is a double
// one. It fails when a click is lost, counts twice, or is answered so late that Slack
// shows it as failed. Run it once: -benchtime 1x.
func BenchmarkClicks(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		o := newOffice(b, "socket")
		for room := range rooms {
			name := fmt.Sprintf("room-%d", room)
			o.slack.SetChannel(slackfake.Channel{ID: fmt.Sprintf("C0ROOM%d", room), Name: name})
			o.write("playbooks/"+name+".yaml", enforced(b, "high-egress-windows",
				asksFirst[0], "do: [{ approve: on-call }, cut-off]", "name: high-egress-windows", "name: "+name,
				"'high_egress'", "'"+name+"'", "ask: { slack: '#sec-oncall'", "ask: { slack: '#"+name+"'"))
		}
		estate := o.openMany(*pendingCards)
		for i := range *pendingCards {
			status := o.post("/v1/alerts/siem", sourceToken, map[string]any{
				"id": fmt.Sprintf("a-%d", i), "category": fmt.Sprintf("room-%d", i%rooms),
				"host": map[string]any{"id": hostOf(i), "name": hostOf(i), "ip": []string{addressOf(i)}, "os": "windows"},
			}, nil)
			if status != http.StatusAccepted {
				b.Fatalf("alert %d: status %d", i, status)
			}
		}
		var cards []slackfake.Message
		o.wait("every card to be shown", func() bool { cards = o.roomCards(); return len(cards) == *pendingCards })
		b.StartTimer()
		sent := o.clickAll(cards)
		o.wait("every host to be isolated", func() bool { return estate.Count("apply", incident.Isolate) >= *pendingCards })
		b.StopTimer()
		o.report(b, sent)
		b.StartTimer()
	}
}

func (o *office) roomCards() []slackfake.Message {
	var cards []slackfake.Message
	for room := range rooms {
		for _, m := range o.slack.Messages(fmt.Sprintf("C0ROOM%d", room)) {
			if slices.ContainsFunc(m.Buttons(), func(b slackfake.Button) bool { return strings.HasPrefix(b.Text, "Isolate") }) {
				cards = append(cards, m)
			}
		}
	}
	return cards
}

// clickAll clicks on every card and returns each case's first click.
func (o *office) clickAll(cards []slackfake.Message) map[string]*slackfake.Delivery {
	var mu sync.Mutex
	var clicking sync.WaitGroup
	sent := map[string]*slackfake.Delivery{}
	tick := time.NewTicker(time.Second / time.Duration(*clicksPerSecond))
	defer tick.Stop()
	for i, m := range cards {
		<-tick.C
		clicking.Go(func() {
			for n := range 1 + (i%3)/2 {
				d, err := o.slack.Click(uAlice, m.Channel, m.TS, o.button(m, "Isolate"))
				if err != nil {
					// The card was decided by the first of the two.
					continue
				}
				if n > 0 {
					continue
				}
				var button struct {
					Case string `json:"c"`
				}
				if err := json.Unmarshal([]byte(m.Buttons()[0].Value), &button); err != nil {
					o.t.Error(err)
				}
				mu.Lock()
				sent[button.Case] = d
				mu.Unlock()
			}
		})
	}
	clicking.Wait()
	return sent
}

// decided is when the engine has taken the first answer of a case.
func (o *office) decided(id string) time.Time {
	o.t.Helper()
	events := o.running.Client().GetWorkflowHistory(o.t.Context(), protocol.CaseWorkflowID(id), "", false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for events.HasNext() {
		e, err := events.Next()
		if err != nil {
			o.t.Fatal(err)
		}
		if e.GetEventType() == enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED {
			return e.GetEventTime().AsTime()
		}
	}
	o.t.Fatalf("case %s took no answer", id)
	return time.Time{}
}

// report logs how long the clicks took until the engine had decided, and how many were
// lost, counted twice or answered too late.
func (o *office) report(b *testing.B, sent map[string]*slackfake.Delivery) {
	var took []time.Duration
	lost, twice, late := *pendingCards-len(sent), 0, 0
	for id, click := range sent {
		answer, err := click.Answer(o.t.Context())
		if err != nil {
			b.Fatal(err)
		}
		if !answer.Acked {
			late++
		}
		votes := o.see(id).Approvals[0].Votes
		if len(votes) == 0 {
			lost++
			continue
		}
		twice += len(votes) - 1
		took = append(took, o.decided(id).Sub(answer.Sent))
	}
	if lost+twice+late > 0 || len(took) == 0 {
		b.Fatalf("of %d clicks %d were lost, %d counted twice and %d were answered too late", *pendingCards, lost, twice, late)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
	b.ReportMetric(0, "ns/op")
}
