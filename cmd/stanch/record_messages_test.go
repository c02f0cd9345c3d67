package main_test

import (
	"fmt"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// showMessages keeps the histories of the workflows that speak to people: of a
// channel and of the daily digest, each until it goes on in a new run, and of a
// click.
func (r *recorder) showMessages() {
	r.t.Helper()
	const closed = "contained"
	c := r.see((&path{name: closed}).caseID())
	channel := protocol.ChannelWorkflowID("slack", "#recorded")
	r.startOnce(protocol.ChannelWorkflow, channel, protocol.ChannelInput{Use: "slack", Channel: "#recorded"})
	r.continueAs("channel", channel, protocol.ShowSignal, func(i int) any {
		req := protocol.ShowRequest{
			Key: "recorded/notice", Case: c.ID, Run: c.Run, Kind: incident.ShownNotice, Severity: "high", Title: "recorded", Open: true,
		}
		if i%50 == 0 {
			req.Key = fmt.Sprintf("recorded/notice-%d", i)
		}
		return req
	})

	// The daily message is sent once, a minute from now.
	standing := func(i int) any {
		return protocol.DailyInput{Use: "slack", Channel: fmt.Sprintf("#standing-%d", i%2), At: time.Now().Add(time.Minute).UTC().Format("15:04"), Zone: "UTC"}
	}
	r.startOnce(protocol.DailyWorkflow, "standing-recorded", standing(0))
	r.continueAs("standing", "standing-recorded", protocol.ConfigureSignal, standing)

	// The estate has no buttons: the click is refused, and so is the reply.
	click := integrations.Click{ID: "recorded", Use: "slack", Case: c.ID, Approve: true, Approval: "on-call", PlanDigest: "sha256:0"}
	id := protocol.ClickWorkflowID(click)
	r.startOnce(protocol.ClickWorkflow, id, protocol.ClickInput{Click: click})
	var answered protocol.Answered
	if err := r.service.Client().GetWorkflow(r.t.Context(), id, "").Get(r.t.Context(), &answered); err != nil || answered.Refused == "" {
		r.t.Fatalf("a click that cannot be counted ended as %+v, %v", answered, err)
	}
	r.keep("click-refused", id, "")
}

func (r *recorder) startOnce(workflow, id string, in any) {
	r.t.Helper()
	_, err := r.service.Client().ExecuteWorkflow(r.t.Context(), client.StartWorkflowOptions{ID: id, TaskQueue: protocol.TaskQueue}, workflow, in)
	if err != nil {
		r.t.Fatal(err)
	}
}

// continueAs signals a workflow until it goes on in a new run, and keeps both.
func (r *recorder) continueAs(name, id, signal string, arg func(int) any) {
	r.t.Helper()
	first := r.runOf(id)
	const most = 5000
	for i := 0; r.runOf(id) == first; i++ {
		if i == most {
			r.t.Fatalf("%s has not gone on after %d signals", id, most)
		}
		for range 20 {
			if err := r.service.Client().SignalWorkflow(r.t.Context(), id, "", signal, arg(i)); err != nil {
				r.t.Fatal(err)
			}
			i++
		}
	}
	r.keep(name+"-continued", id, first)
	if err := r.service.Client().SignalWorkflow(r.t.Context(), id, "", signal, arg(1)); err != nil {
		r.t.Fatal(err)
	}
	r.keep(name+"-goes-on", id, "")
}

// answerAlerts keeps the histories of an outbox, until it goes on in a new run: some of what it
// is given is answered once, and most of it is a repeat.
func (r *recorder) answerAlerts() {
	r.t.Helper()
	c := r.see((&path{name: "answered"}).caseID())
	id := protocol.OutboxWorkflowID("slack-recorded")
	r.startOnce(protocol.OutboxWorkflow, id, protocol.OutboxInput{Use: "slack"})
	r.continueAs("outbox", id, protocol.RepliesSignal, func(i int) any {
		return []incident.Reply{{
			Key: fmt.Sprintf("%s/%d/recorded", c.Run, i/50), To: incident.AlertRecord{Source: "answered", ID: fmt.Sprintf("a-%d", i%7)},
			Kind: incident.EvAccepted, Case: incident.CaseRef{ID: c.ID, Run: c.Run}, Step: "throttle", Use: "gateway", Text: "recorded",
		}}
	})
}
