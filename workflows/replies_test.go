package workflows_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/workflows"
)

// answered is a flood whose alert's sender is told what becomes of it.
func answered(t *testing.T, edit ...string) *world {
	t.Helper()
	w := newWorld(t, memory.Flood, "high-egress-windows", edit...)
	w.pin.Replies = []activities.PinnedReply{{Source: "siem", Use: "desk"}}
	w.set.Add("desk", integrations.Spec{Kind: "memory"}, w.estate)
	return w
}

// repliesTo are the kinds of what was told at an alert, each with its step.
func repliesTo(w *world, alert string) (kinds []string) {
	for _, s := range w.estate.Replies() {
		if s.Reply.To.ID == alert {
			kinds = append(kinds, strings.TrimSpace(string(s.Reply.Kind)+" "+s.Reply.Step))
		}
	}
	return kinds
}

// wholeStory is what is told of a flood that is contained and given back.
func wholeStory() []string {
	return []string{
		"opened", "accepted throttle", "confirmed throttle", "accepted cut-off", "confirmed cut-off",
		"verified cut-off", "verified throttle", "closed",
	}
}

// sameStory fails unless an alert was told all of the story: each line once, what opened it
// first, what closed it last, and the levels of a step in their order.
func sameStory(t *testing.T, got []string) {
	t.Helper()
	sorted, want := slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(wholeStory()))
	if !slices.Equal(sorted, want) || got[0] != "opened" || got[len(got)-1] != "closed" {
		t.Fatalf("it was told %q, want in some order %q", got, wholeStory())
	}
	for _, step := range []string{"throttle", "cut-off"} {
		last := -1
		for _, level := range []string{"accepted ", "confirmed ", "verified "} {
			at := slices.Index(got, level+step)
			if at < last {
				t.Errorf("%s%s was told before the level below it: %q", level, step, got)
			}
			last = at
		}
	}
}

func TestTheSenderIsToldOfEachLevelOnce(t *testing.T) {
	t.Parallel()
	w := answered(t)
	alert := alertFor("ws-042", "10.20.4.42")
	alert.Reference = "/subscriptions/1/incidents/a-1"
	id := w.open(alert)
	w.explainOnFailure(id)
	w.run(5 * time.Hour)
	c := w.ended(id, incident.OutcomeGivenBack)
	sameStory(t, repliesTo(w, "a-1"))
	for i, s := range w.estate.Replies() {
		last := i == len(w.estate.Replies())-1
		if s.Reply.To.Reference != alert.Reference || s.Reply.Case != (incident.CaseRef{ID: c.ID, Run: c.Run}) || s.Reply.Close != last {
			t.Errorf("reply %d is %+v", i, s.Reply)
		}
	}
	if len(happened(c, incident.EvReplied)) != 1 || len(happened(c, incident.EvNotReplied)) != 0 {
		t.Error("the timeline does not say once that the sender is told")
	}
}

// A source without reply in the configuration is told nothing, and costs the case nothing.
func TestASourceThatAsksForNoReplyGetsNone(t *testing.T) {
	t.Parallel()
	w := answered(t)
	alert := alertFor("ws-042", "10.20.4.42")
	alert.Source = "other"
	id := w.open(alert)
	w.run(5 * time.Hour)
	w.ended(id, incident.OutcomeGivenBack)
	if got := w.estate.Replies(); len(got) != 0 {
		t.Errorf("it was told %+v", got)
	}
	if w.RunOf(protocol.OutboxWorkflowID("desk")) != "" {
		t.Error("there is an outbox")
	}
}

// Each alert that joined is told the whole story; news of one that is told already, and that
// it is over, begin no other.
func TestEachAlertOfACaseIsTold(t *testing.T) {
	t.Parallel()
	w := answered(t)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	newer, again := another("a-2", incident.Firing), another("a-2", incident.Firing)
	newer.Count = incident.Known(int64(7), incident.FromAlert)
	again.Time = incident.Known(start.Add(time.Hour), incident.FromAlert)
	for _, a := range []*incident.Alert{&newer, &again} {
		a.Prints = a.Fingerprints(a.Time)
	}
	w.later(20*time.Minute, id, another("a-2", incident.Firing))
	w.later(25*time.Minute, id, newer, another("a-3", incident.Resolved))
	w.later(26*time.Minute, id, again)
	w.yield(30*time.Minute, protocol.CaseWorkflowID(id))
	w.yield(31*time.Minute, protocol.OutboxWorkflowID("desk"))
	w.run(5 * time.Hour)
	w.ended(id, incident.OutcomeGivenBack)
	sameStory(t, repliesTo(w, "a-1"))
	sameStory(t, repliesTo(w, "a-2"))
	if got := repliesTo(w, "a-3"); got != nil {
		t.Errorf("the news that an alert is over was told %q", got)
	}
}

// A sender that is down holds up nothing; it is told once in the case, and the sender all of it
// when it is up again, also after the case has closed.
func TestASenderThatIsDownHoldsUpNothing(t *testing.T) {
	t.Parallel()
	for name, until := range map[string]time.Duration{"for a while": 30 * time.Minute, "beyond the case": 8 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := answered(t)
			w.estate.Fail("reply", down(), -1)
			id := w.open(alertFor("ws-042", "10.20.4.42"))
			w.explainOnFailure(id)
			early := w.snap(time.Minute, id)
			// What waits crosses to the outbox's next run.
			w.yield(20*time.Minute, protocol.OutboxWorkflowID("desk"))
			w.do(until, (*memory.Estate).Mend)
			w.run(12 * time.Hour)
			if s := step(t, *early, "cut-off"); s.AcceptedAt.IsZero() || s.AcceptedAt.Sub(start) > 10*time.Second {
				t.Errorf("the device was isolated at %s", s.AcceptedAt)
			}
			c := w.ended(id, incident.OutcomeGivenBack)
			sameStory(t, repliesTo(w, "a-1"))
			if n := len(texts(c, incident.EvNotReplied, "The sender was not told through desk: unavailable")); n != 1 {
				t.Errorf("the case says %d times that the sender was not told", n)
			}
			if again := len(texts(c, incident.EvReplied, "again through desk")); (again == 1) != (until < time.Hour) {
				t.Errorf("the case says %d times that it is told again", again)
			}
		})
	}
}

// Answers that are lost double nothing, and the order stays.
func TestALostAnswerOfTheSenderDoublesNothing(t *testing.T) {
	t.Parallel()
	w := answered(t)
	w.estate.FailAfter("reply", integrations.Error{Kind: integrations.Ambiguous}, 3)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.run(5 * time.Hour)
	w.ended(id, incident.OutcomeGivenBack)
	sameStory(t, repliesTo(w, "a-1"))
}

// What can never arrive is given up and said; the others are told.
func TestAnAlertThatItsSenderDoesNotHaveIsSaid(t *testing.T) {
	t.Parallel()
	w := answered(t)
	w.estate.LoseRecord(incident.AlertRecord{Source: "siem", ID: "a-1"})
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.later(time.Minute, id, another("a-2", incident.Firing))
	w.run(5 * time.Hour)
	c := w.ended(id, incident.OutcomeGivenBack)
	if got := repliesTo(w, "a-1"); got != nil {
		t.Errorf("it was told %q", got)
	}
	sameStory(t, repliesTo(w, "a-2"))
	if len(texts(c, incident.EvNotReplied, "alert siem/a-1 was not told through desk: not found")) == 0 {
		t.Error("the case does not say so")
	}
}

// A case that ends undone leaves the sender's alert open; one that a person closes closes it,
// with the verdict.
func TestTheSendersAlertIsClosedOnlyWhereNothingIsLeft(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edit    []string
		verdict incident.CaseVerdict
		closes  bool
	}{
		"in shadow":        {edit: []string{"mode: enforce", "mode: shadow"}},
		"closed by people": {verdict: incident.Benign, closes: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := answered(t, c.edit...)
			id := w.open(alertFor("ws-042", "10.20.4.42"))
			if c.closes {
				w.At(10*time.Minute, func() {
					err := w.Update(protocol.CaseWorkflowID(id), protocol.CloseUpdate, "close",
						protocol.CloseRequest{By: "bob", Reason: "a load test", Verdict: c.verdict}, func(any, error) {})
					if err != nil {
						t.Error(err)
					}
				})
			}
			w.run(time.Hour)
			all := w.estate.Replies()
			last := all[len(all)-1].Reply
			if last.Kind != incident.EvClosed || last.Close != c.closes || last.Verdict != c.verdict || last.Outcome != w.see(id).Outcome {
				t.Errorf("the last reply is %+v", last)
			}
			if c.closes && !strings.Contains(last.Text, "Verdict: benign") {
				t.Errorf("it says %q", last.Text)
			}
		})
	}
}

// echoing is a sender that sends its alert again whenever anything about it changes, as a new
// occurrence: what nobody could tell from an alert that fires again.
type echoing struct {
	*memory.Estate
	echo func(n int)
	n    int
}

func (e *echoing) ReplyTo(ctx context.Context, r integrations.Reply) (incident.Receipt, error) {
	receipt, err := e.Estate.ReplyTo(ctx, r)
	if err == nil {
		e.n++
		e.echo(e.n)
	}
	return receipt, err
}

// Two systems that answer each other end: an alert that follows right on what its sender was
// told about another case is handled, but not answered.
func TestAnEchoIsNotAnswered(t *testing.T) {
	t.Parallel()
	w := answered(t, "mode: enforce", "mode: shadow")
	var ids []string
	echo := &echoing{Estate: w.estate}
	echo.echo = func(n int) {
		if n > 20 {
			return
		}
		a := another("a-1", incident.Firing)
		a.Time = incident.Known(w.Now(), incident.FromAlert)
		a.ReceivedAt = w.Now()
		a.Prints = a.Fingerprints(a.Time)
		// Each opens a case, as if the one before had closed.
		id := w.pin.Name + "/ws-042-" + string(rune('a'+n))
		ids = append(ids, id)
		if err := w.StartCaseAt(time.Second, workflows.CaseInput{ID: id, Subject: "ws-042", Pin: w.pin, Alerts: []incident.Alert{a}}); err != nil {
			t.Error(err)
		}
	}
	w.set.Add("desk", integrations.Spec{Kind: "memory"}, echo)
	first := w.open(alertFor("ws-042", "10.20.4.42"))
	w.run(6 * time.Hour)
	if got := repliesTo(w, "a-1"); !slices.Equal(got, []string{"opened", "closed"}) {
		t.Errorf("it was told %q", got)
	}
	w.ended(first, incident.OutcomeShadow)
	if len(ids) != 2 || len(texts(w.see(ids[0]), incident.EvNotReplied, "as an echo does")) != 1 {
		t.Errorf("the echoes opened %v", ids)
	}
}

// A case that a new alert reaches while it closes goes on, and says so where it was told: that
// is no echo of itself.
func TestACaseThatGoesOnSaysSo(t *testing.T) {
	t.Parallel()
	w := answered(t)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	const closing = 10 * time.Minute
	w.do(closing-time.Minute, func(e *memory.Estate) { e.Fail("series", down(), -1) })
	closeAt(w, closing, id)
	w.later(closing+5*time.Second, id, another("a-2", incident.Firing))
	w.do(closing+20*time.Second, (*memory.Estate).Mend)
	closeAt(w, 30*time.Minute, id)
	w.run(time.Hour)
	w.ended(id, incident.OutcomeClosedByHand)
	for _, alert := range []string{"a-1", "a-2"} {
		got := repliesTo(w, alert)
		opened := len(slices.DeleteFunc(slices.Clone(got), func(k string) bool { return k != "opened" }))
		if opened != 2 || got[0] != "opened" || got[len(got)-1] != "closed" {
			t.Errorf("%s was told %q, want that the case opened, goes on and closed", alert, got)
		}
	}
}
