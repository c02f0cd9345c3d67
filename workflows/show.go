package workflows

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// sendWithin bounds the handing over of a message to its channel.
const sendWithin = time.Minute

// post notes a message that people are to be sent. keepShown hands it to its
// channel, and from then on whatever changes.
func (r *responder) post(ctx workflow.Context, ask playbooks.Ask, s incident.Shown) {
	s.Use, s.Channel, s.Mention, s.SentAt = ask.Use, ask.Channel, ask.Mention, workflow.Now(ctx)
	s.Key = fmt.Sprintf("%s/%s/%d", r.state.Case.Run, s.Kind, len(r.state.Case.Shown))
	r.state.Case.Shown = append(r.state.Case.Shown, s)
	r.changed = true
}

// keepShown sends the messages for people, brings them up to date whenever the
// case changes, and sends elsewhere what does not arrive. It is the only
// function that signals channels while the case runs.
func (r *responder) keepShown(ctx workflow.Context) {
	workflow.Go(ctx, func(ctx workflow.Context) {
		for !r.yield {
			wake := func() bool { return r.yield || r.changed && !r.final && len(r.state.Case.Shown) > 0 }
			if due := r.fallBackDue(); due.IsZero() {
				_ = workflow.Await(ctx, wake)
			} else if left := due.Sub(workflow.Now(ctx)); left > 0 {
				_, _ = await(ctx, left, wake)
			}
			if r.yield || r.final {
				continue
			}
			r.busy++
			r.fallBack(ctx)
			if r.changed {
				r.sendAll(ctx, false)
			}
			r.busy--
		}
	})
}

// sendAll hands every message to its channel: those that were not, and the
// questions again when people would see something else. Last says that it will
// not change any more.
func (r *responder) sendAll(ctx workflow.Context, last bool) {
	r.changed = false
	// An answer is given when the engine's task ends. The quick way would keep
	// the task, and whoever answered, waiting for the channels.
	send := ask[activities.SendIn, struct{}]
	if r.heard {
		r.heard = false
		send = do[activities.SendIn, struct{}]
	}
	for i := 0; i < len(r.state.Case.Shown); i++ {
		s := r.state.Case.Shown[i]
		if i < len(r.state.Sent) && s.Kind != incident.ShownQuestion {
			continue
		}
		in := activities.SendIn{
			Channel: protocol.ChannelInput{Use: s.Use, Channel: s.Channel, Queue: r.in.Pin.Queue(s.Use, string(incident.Notify))},
			Request: r.request(s, last),
		}
		seen := r.seenAs(in.Request)
		switch {
		case i == len(r.state.Sent):
			r.state.Sent = append(r.state.Sent, seen)
		case r.state.Sent[i] == seen:
			continue
		default:
			r.state.Sent[i] = seen
		}
		if _, err := send(ctx, "", sendWithin, activities.Send, in); err != nil {
			r.state.Case.Shown[i].Problem = activities.Reason(err)
		}
	}
}

// seenAs is the digest of what people see of a message: alerts that join, for
// one, change nothing of it.
func (r *responder) seenAs(req protocol.ShowRequest) string {
	c := r.state.Case
	text, err := json.Marshal([]any{req, c.Status, c.Outcome, c.Facts, c.Decision, c.Steps, c.Approvals, c.TargetProblem})
	if err != nil {
		// Then it is sent each time, no worse.
		return ""
	}
	return incident.DigestOf(text)
}

func (r *responder) request(s incident.Shown, last bool) protocol.ShowRequest {
	c := r.state.Case
	req := protocol.ShowRequest{
		Key: s.Key, Case: c.ID, Run: c.Run, Kind: s.Kind, Approval: s.Approval, Mention: s.Mention, Under: s.Under,
		Title: s.Text, Last: last, Chart: s.Kind == incident.ShownQuestion && len(c.Series) > 0,
	}
	if c.Decision != nil {
		_, req.Severity = c.Decision.AtStake()
	}
	if s.Kind == incident.ShownQuestion && s.Approval < len(c.Approvals) {
		req.Open = c.Approvals[s.Approval].State == incident.Pending
		req.Title = bounded(activities.TitleOf(c, s.Approval), maxReason)
	}
	return req
}

// shownChanged takes in a channel's change of a message.
func (r *responder) shownChanged(ctx workflow.Context, change protocol.ShownChange) {
	for i := range r.state.Case.Shown {
		s := &r.state.Case.Shown[i]
		if s.Key != change.Key {
			continue
		}
		arrived, failed := s.At.IsZero() && !change.At.IsZero(), s.At.IsZero() && change.At.IsZero() && s.Problem == ""
		if !change.At.IsZero() {
			s.At, s.Link, s.Digest, s.Problem = change.At, change.Link, change.Digest, ""
		} else if s.At.IsZero() {
			s.Problem, s.GivenUp = bounded(change.Problem, maxReason), change.GivenUp
		}
		switch {
		case arrived && s.Kind == incident.ShownQuestion:
			r.event(ctx, incident.EvShown, "", "The question stands in %s %s", s.Use, s.Channel)
		case failed:
			r.event(ctx, incident.EvNotShown, "", "The %s does not reach %s %s: %s", s.Kind, s.Use, s.Channel, s.Problem)
		}
	}
}

// places are where the messages of an approval go when they do not arrive.
func (r *responder) places(s incident.Shown) playbooks.Fallback {
	spec, ok := r.in.Pin.Approval(s.Ask)
	if !ok {
		return playbooks.Fallback{}
	}
	return spec.Fallback
}

// lost reports whether a message did not arrive and there is another place for
// it, and from when on it counts as lost.
func (r *responder) lost(s incident.Shown) (time.Time, bool) {
	places := r.places(s)
	if !s.At.IsZero() || s.FellBack || s.Fallback >= len(places.Ask) {
		return time.Time{}, false
	}
	if s.Kind == incident.ShownQuestion && r.state.Case.Approvals[s.Approval].State != incident.Pending {
		return time.Time{}, false
	}
	if s.Problem != "" {
		return s.SentAt, true
	}
	return s.SentAt.Add(places.After), true
}

// fallBackDue is when the next message counts as lost; zero when none can be.
func (r *responder) fallBackDue() time.Time {
	var due time.Time
	if r.final {
		return due
	}
	for _, s := range r.state.Case.Shown {
		if at, ok := r.lost(s); ok && (due.IsZero() || at.Before(due)) {
			due = at
		}
	}
	return due
}

// fallBack sends what was lost to the next place. The first stays where it is:
// when it arrives after all, both show the same.
func (r *responder) fallBack(ctx workflow.Context) {
	for i := 0; i < len(r.state.Case.Shown); i++ {
		s := r.state.Case.Shown[i]
		due, ok := r.lost(s)
		if !ok || workflow.Now(ctx).Before(due) {
			continue
		}
		r.state.Case.Shown[i].FellBack = true
		next := r.places(s).Ask[s.Fallback]
		r.note(s, fmt.Sprintf("not shown in %s %s, asked in %s %s", s.Use, s.Channel, next.Use, next.Channel))
		r.event(ctx, incident.EvNotShown, "", "The %s is not shown in %s %s: sent to %s %s", s.Kind, s.Use, s.Channel, next.Use, next.Channel)
		again := s
		again.Fallback, again.FellBack, again.Problem, again.Under = s.Fallback+1, false, "", ""
		r.post(ctx, next, again)
	}
}

// note adds a line to the question that a message belongs to.
func (r *responder) note(s incident.Shown, text string) {
	if s.Kind == incident.ShownQuestion || s.Kind == incident.ShownReminder {
		a := &r.state.Case.Approvals[s.Approval]
		a.Notes = append(a.Notes, text)
	}
}

// arrived waits until a message has arrived, or is known not to.
func (r *responder) arrived(ctx workflow.Context, at int) error {
	shown := func() *incident.Shown { return &r.state.Case.Shown[at] }
	ok, err := await(ctx, notifyTimeout, func() bool { return !shown().At.IsZero() || shown().GivenUp })
	switch {
	case err != nil:
		return err
	case !ok && shown().Problem == "":
		return fmt.Errorf("nothing was heard of it within %s", incident.FormatDuration(notifyTimeout))
	case shown().At.IsZero():
		return fmt.Errorf("%s", shown().Problem)
	}
	return nil
}

// drawEgress fetches the chart that goes under a question. Nothing waits for it.
func (r *responder) drawEgress(ctx workflow.Context) {
	if slices.ContainsFunc(r.state.Case.Shown, func(s incident.Shown) bool { return s.Kind == incident.ShownQuestion }) && len(r.state.Case.Series) > 0 {
		return
	}
	r.busy++
	workflow.Go(ctx, func(ctx workflow.Context) {
		defer func() { r.busy-- }()
		r.chart(ctx)
		r.changed = true
	})
}
