package workflows

import (
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// maxReplies bounds the replies that wait in an outbox; a further one is refused, and its
	// case is told.
	maxReplies = 1000
	// tellWithin is how long one attempt to tell a sender is tried, before the others have
	// their turn, and replyFor how long a reply is tried at all.
	tellWithin = 30 * time.Second
	replyFor   = 72 * time.Hour
	// replyLongest bounds the pause before a reply that did not arrive is tried again;
	// deniedPause is that of one that was refused.
	replyLongest = 5 * time.Minute
	deniedPause  = 15 * time.Minute
	// echoWithin is how long after a sender was told something an alert of the same record
	// counts as an echo of that, and sentKept how many replies are remembered for it.
	echoWithin = 10 * time.Minute
	sentKept   = 2000
	// outboxIdle is after how long an outbox without replies ends.
	outboxIdle = time.Hour
)

// outbox tells the senders of alerts, through one integration, what becomes of their cases.
// It outlives the cases, keeps what waits while a sender is down, and tells each record in
// order.
type outbox struct {
	in    protocol.OutboxInput
	state *protocol.OutboxState
	// rest is until when the product asks to wait.
	rest time.Time
}

// Outbox sends the replies of one integration, each once and those of one record in order.
func Outbox(ctx workflow.Context, in protocol.OutboxInput) error {
	o := &outbox{in: in, state: in.State}
	if o.state == nil {
		o.state = &protocol.OutboxState{}
	}
	requests := inbox{hear(ctx, protocol.RepliesSignal, o.take)}
	requests.open(ctx)
	for {
		if workflow.GetInfo(ctx).GetContinueAsNewSuggested() {
			requests.drain(ctx)
			in.State = o.state
			return workflow.NewContinueAsNewError(ctx, Outbox, in)
		}
		due, err := await(ctx, o.patience(ctx), func() bool { return o.pick(ctx) >= 0 })
		if err != nil {
			return err
		}
		if !due && len(o.state.Entries) == 0 {
			requests.drain(ctx)
			if len(o.state.Entries) == 0 {
				return nil
			}
		}
		o.next(ctx)
	}
}

// patience is how long there is nothing to do, if nothing comes.
func (o *outbox) patience(ctx workflow.Context) time.Duration {
	left := outboxIdle
	for _, i := range o.heads() {
		left = min(left, max(o.state.Entries[i].NotBefore.Sub(workflow.Now(ctx)), time.Millisecond))
	}
	return left
}

// heads are the entries that have no other before them at their record.
func (o *outbox) heads() []int {
	var heads []int
	met := map[[2]string]bool{}
	for i, e := range o.state.Entries {
		if of := [2]string{e.To.Source, e.To.ID}; !met[of] {
			met[of] = true
			heads = append(heads, i)
		}
	}
	return heads
}

func sameRecord(a, b incident.AlertRecord) bool { return a.Source == b.Source && a.ID == b.ID }

func printOf(r incident.AlertRecord) string {
	return incident.Alert{Source: r.Source, ID: r.ID}.Fingerprint()
}

// shortOf is a key as it is remembered.
func shortOf(key string) string { return incident.DigestOf([]byte(key))[len("sha256:"):][:sizeOf] }

// pick returns the reply that goes next, or -1.
func (o *outbox) pick(ctx workflow.Context) int {
	now := workflow.Now(ctx)
	for _, i := range o.heads() {
		if !now.Before(o.state.Entries[i].NotBefore) {
			return i
		}
	}
	return -1
}

// take notes what senders are to be told. What is there or was sent is not noted again.
func (o *outbox) take(ctx workflow.Context, replies []incident.Reply) {
	o.forget(ctx)
	for _, reply := range replies {
		key := shortOf(reply.Key)
		known := slices.ContainsFunc(o.state.Entries, func(e protocol.OutboxEntry) bool { return e.Key == reply.Key }) ||
			slices.ContainsFunc(o.state.Sent, func(s protocol.SentReply) bool { return s.Key == key })
		switch {
		case known || o.muted(ctx, reply):
		case len(o.state.Entries) >= maxReplies:
			o.tell(ctx, reply, protocol.ReplyChange{Problem: fmt.Sprintf("%d replies wait already", maxReplies), GivenUp: true})
			o.count(ctx, "given_up")
		default:
			o.state.Entries = append(o.state.Entries, protocol.OutboxEntry{Reply: reply, Since: workflow.Now(ctx)})
		}
	}
}

// muted reports whether a reply is left out. An alert that comes right on what its sender was
// told about another case is taken for an echo of that: it is handled like every alert, but
// to answer it would be a conversation of two machines.
func (o *outbox) muted(ctx workflow.Context, reply incident.Reply) bool {
	record := printOf(reply.To)
	if slices.ContainsFunc(o.state.Muted, func(m protocol.MutedCase) bool { return m.Record == record && m.Run == reply.Case.Run }) {
		return true
	}
	if reply.Kind != incident.EvOpened || reply.Received.IsZero() {
		return false
	}
	echo := slices.ContainsFunc(o.state.Sent, func(s protocol.SentReply) bool {
		return s.Record == record && s.Run != reply.Case.Run && reply.Received.Sub(s.At) < echoWithin
	})
	if echo {
		o.state.Muted = append(o.state.Muted, protocol.MutedCase{Record: record, Run: reply.Case.Run, At: workflow.Now(ctx)})
		o.tell(ctx, reply, protocol.ReplyChange{GivenUp: true, Problem: fmt.Sprintf(
			"it came within %s of what was told there about another case, as an echo does", incident.FormatDuration(echoWithin))})
		o.count(ctx, "echo")
	}
	return echo
}

// forget drops what no echo can follow any more, and cases that are long over.
func (o *outbox) forget(ctx workflow.Context) {
	now := workflow.Now(ctx)
	o.state.Sent = slices.DeleteFunc(o.state.Sent, func(s protocol.SentReply) bool { return now.Sub(s.At) > 2*echoWithin })
	o.state.Sent = o.state.Sent[max(0, len(o.state.Sent)-sentKept):]
	o.state.Muted = slices.DeleteFunc(o.state.Muted, func(m protocol.MutedCase) bool { return now.Sub(m.At) > replyFor })
	o.state.Muted = o.state.Muted[max(0, len(o.state.Muted)-sentKept):]
}

// next sends the reply whose turn it is. One that does not arrive is tried again later, after
// those of other records.
func (o *outbox) next(ctx workflow.Context) {
	if left := o.rest.Sub(workflow.Now(ctx)); left > 0 {
		_ = workflow.Sleep(ctx, left)
	}
	at := o.pick(ctx)
	if at < 0 {
		return
	}
	reply := o.state.Entries[at].Reply
	receipt, err := do(ctx, o.in.Queue, tellWithin, activities.TellSender, activities.TellSenderIn{Use: o.in.Use, Reply: reply})
	// More may have come in the meantime, but none before it.
	if err != nil {
		o.failed(ctx, at, err)
		return
	}
	now := workflow.Now(ctx)
	o.rest = now.Add(receipt.Rest)
	if o.state.Entries[at].Failures > 0 {
		o.tell(ctx, reply, protocol.ReplyChange{})
	}
	o.count(ctx, "sent")
	o.state.Sent = append(o.state.Sent, protocol.SentReply{
		Key: shortOf(reply.Key), Record: printOf(reply.To), Run: reply.Case.Run, At: now,
	})
	o.state.Entries = slices.Delete(o.state.Entries, at, at+1)
}

// failed has a reply tried again, or gives it up where that is futile. One that is refused for
// a lack of rights may be let through once people have seen to it.
func (o *outbox) failed(ctx workflow.Context, at int, err error) {
	e := &o.state.Entries[at]
	kind, known := activities.ErrorKind(err)
	futile := known && !kind.Retryable() && kind != integrations.Denied
	now := workflow.Now(ctx)
	if futile || now.Sub(e.Since) >= replyFor {
		workflow.GetLogger(ctx).Warn("the sender of an alert was not told", "use", o.in.Use, "case", e.Case.ID, "error", err)
		o.tell(ctx, e.Reply, protocol.ReplyChange{Problem: activities.Reason(err), GivenUp: true})
		o.count(ctx, "given_up")
		o.state.Entries = slices.Delete(o.state.Entries, at, at+1)
		return
	}
	if e.Failures == 0 {
		o.tell(ctx, e.Reply, protocol.ReplyChange{Problem: activities.Reason(err)})
	}
	e.Failures++
	pause := min(replyLongest, retryFirst<<min(e.Failures, 10))
	if kind == integrations.Denied {
		// People must see to it, and an account may be locked by wrong credentials.
		pause = deniedPause
	}
	e.NotBefore = now.Add(pause)
}

// tell reports to a case how its replies fare. One that has closed need not know.
func (o *outbox) tell(ctx workflow.Context, reply incident.Reply, change protocol.ReplyChange) {
	change.Run, change.Use, change.Alert, change.At = reply.Case.Run, o.in.Use, reply.To.Source+"/"+reply.To.ID, workflow.Now(ctx)
	_ = workflow.SignalExternalWorkflow(ctx, protocol.CaseWorkflowID(reply.Case.ID), "", protocol.ReplySignal, change)
}

// count counts what became of a reply.
func (o *outbox) count(ctx workflow.Context, result string) {
	count(ctx, protocol.MetricReplies, map[string]string{protocol.LabelIntegration: o.in.Use, protocol.LabelResult: result})
}
