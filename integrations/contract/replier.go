package contract

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// ReplierHarness opens a product that sends alerts, and takes what is said about them.
type ReplierHarness struct {
	Knobs
	// Open returns a product with two alerts that are open and were not answered.
	Open func(t testing.TB) ReplierWorld
}

// ReplierWorld is an opened product and a view of its state.
type ReplierWorld struct {
	integrations.Replier
	// Record and Other are the two alerts, Unknown is one in the product's form that it does
	// not have.
	Record, Other, Unknown incident.AlertRecord
	// Comments are those of an alert, oldest first, each as people read it: with the markup of
	// the product carried out.
	Comments func(incident.AlertRecord) []string
	// Closed reports whether an alert is closed.
	Closed func(incident.AlertRecord) bool
	// CloseByHand has a person close an alert.
	CloseByHand func(incident.AlertRecord)
	Break       func(Fault)
}

// Replier checks an [integrations.Replier].
func Replier(t *testing.T, h ReplierHarness) { t.Helper(); run(t, "Replier", h, replierChecks()) }

func replierChecks() []check[ReplierHarness] {
	return slices.Concat([]check[ReplierHarness]{
		{"the same key is one comment, at its alert alone", checkRepliedOnce},
		{"replies are in the order in which they were sent", checkRepliesInOrder},
		{"the attacker's words are shown as they are", checkReplyEscapes},
		{"a reply without key or alert is invalid", checkReplyInvalid},
		{"an alert that is not there is not found", checkReplyUnknown},
		{"a lost answer is ambiguous, and is not sent twice", checkReplyLostAnswer},
		{"a reply that closes closes its alert, once, and no other does", checkReplyCloses},
		{"a lost answer to a close is ambiguous, and it can be repeated", checkCloseLostAnswer},
		{"an alert that people closed is not opened again", checkReplyKeepsClosed},
	}, faultChecks(func(t testing.TB, h ReplierHarness) (func(Fault), []call) {
		w := h.Open(t)
		return w.Break, []call{{"reply", true, func(ctx context.Context) error {
			_, err := w.ReplyTo(ctx, reply(w.Record, "run-1/0/a", incident.EvOpened))
			return err
		}}}
	}))
}

// hostileLines are lines with which an attacker could have named a host or a process.
func hostileLines() []string {
	return []string{
		`<img src=x onerror=alert(1)> <!channel> *bold* _it_ ` + "`code`" + ` %s%n`,
		`[a link](https://evil.example) ![p](https://evil.example/p.png) # head | cell ~~gone~~`,
		`C:\Tools\<b>x</b>.exe &amp; "quoted" 'single' {{handlebars}} ${jndi}`,
		"# a heading", "- an item", "1. first", "> quoted", "---",
	}
}

// reply is one of a kind, with words of an attacker.
func reply(to incident.AlertRecord, key string, kind incident.EventKind) integrations.Reply {
	r := integrations.Reply{URL: "https://stanch.example/v1/cases/high-egress/ws-042", Reply: incident.Reply{
		Key: key, To: to, Kind: kind, Case: incident.CaseRef{ID: "high-egress/ws-042", Run: "run-1"},
		Text: strings.Join(hostileLines(), "\n"),
	}}
	if kind == incident.EvClosed {
		r.Outcome, r.Verdict, r.Close = incident.OutcomeGivenBack, incident.Benign, true
	}
	return r
}

// comments fails unless an alert has just the comments with these marks, in order.
func (w ReplierWorld) comments(t testing.TB, when string, on incident.AlertRecord, keys ...string) {
	t.Helper()
	got := w.Comments(on)
	if len(got) != len(keys) {
		t.Errorf("%s: alert %s has %d comments, want %d: %q", when, on.ID, len(got), len(keys), got)
		return
	}
	for i, key := range keys {
		if mark := (integrations.Reply{Reply: incident.Reply{Key: key}}).Mark(); !strings.Contains(got[i], mark) {
			t.Errorf("%s: comment %d of alert %s is %q, want one with %s", when, i+1, on.ID, got[i], mark)
		}
	}
}

func (w ReplierWorld) isClosed(t testing.TB, when string, on incident.AlertRecord, want bool) {
	t.Helper()
	if got := w.Closed(on); got != want {
		t.Errorf("%s: alert %s closed is %t, want %t", when, on.ID, got, want)
	}
}

// send sends a reply that must arrive.
func (h ReplierHarness) send(t testing.TB, w ReplierWorld, r integrations.Reply) {
	t.Helper()
	_, err := w.ReplyTo(t.Context(), r)
	h.fine(t, "reply "+r.Key, err)
}

func checkRepliedOnce(t testing.TB, h ReplierHarness) {
	w := h.Open(t)
	for _, key := range []string{"run-1/1/a", "run-1/1/a", "run-1/11/a", "run-1/1/a"} {
		h.send(t, w, reply(w.Record, key, incident.EvOpened))
	}
	w.comments(t, "after four replies with two keys", w.Record, "run-1/1/a", "run-1/11/a")
	w.comments(t, "after replies to another alert", w.Other)
}

func checkRepliesInOrder(t testing.TB, h ReplierHarness) {
	w := h.Open(t)
	var keys []string
	for i, kind := range incident.ReplyKinds() {
		key := "run-1/" + string(rune('a'+i)) + "/x"
		keys = append(keys, key)
		h.send(t, w, reply(w.Record, key, kind))
	}
	w.comments(t, "after one reply of each kind", w.Record, keys...)
}

func checkReplyEscapes(t testing.TB, h ReplierHarness) {
	w := h.Open(t)
	h.send(t, w, reply(w.Record, "run-1/0/a", incident.EvOpened))
	got := w.Comments(w.Record)
	if len(got) != 1 {
		t.Fatalf("there are %d comments, want 1", len(got))
	}
	for _, line := range append(hostileLines(), "https://stanch.example/v1/cases/high-egress/ws-042") {
		if !strings.Contains(got[0], line) {
			t.Errorf("people do not read %q in %q", line, got[0])
		}
	}
}

func checkReplyInvalid(t testing.TB, h ReplierHarness) {
	w := h.Open(t)
	_, err := w.ReplyTo(t.Context(), reply(w.Record, "", incident.EvOpened))
	h.want(t, "reply without key", err, integrations.Invalid)
	_, err = w.ReplyTo(t.Context(), reply(incident.AlertRecord{}, "run-1/0/a", incident.EvOpened))
	h.want(t, "reply without alert", err, integrations.Invalid)
	w.comments(t, "after refused replies", w.Record)
}

func checkReplyUnknown(t testing.TB, h ReplierHarness) {
	w := h.Open(t)
	_, err := w.ReplyTo(t.Context(), reply(w.Unknown, "run-1/0/a", incident.EvOpened))
	h.want(t, "reply to an alert that is not there", err, integrations.NotFound)
}

func checkReplyLostAnswer(t testing.TB, h ReplierHarness) {
	w := h.Open(t)
	if w.Break == nil {
		h.unbreakable(t)
	}
	w.Break(LoseAnswer)
	_, err := w.ReplyTo(t.Context(), reply(w.Record, "run-1/0/a", incident.EvOpened))
	h.want(t, "reply", err, integrations.Ambiguous)
	w.Break(Works)
	h.send(t, w, reply(w.Record, "run-1/0/a", incident.EvOpened))
	w.comments(t, "after a lost answer and a second reply", w.Record, "run-1/0/a")
}

func checkReplyCloses(t testing.TB, h ReplierHarness) {
	w := h.Open(t)
	h.send(t, w, reply(w.Record, "run-1/0/a", incident.EvOpened))
	open := reply(w.Record, "run-1/1/a", incident.EvClosed)
	open.Close = false
	h.send(t, w, open)
	w.isClosed(t, "after replies that do not close", w.Record, false)
	for range 2 {
		h.send(t, w, reply(w.Record, "run-1/2/a", incident.EvClosed))
	}
	w.isClosed(t, "after one that does", w.Record, true)
	w.isClosed(t, "after one that closes another", w.Other, false)
	w.comments(t, "in the end", w.Record, "run-1/0/a", "run-1/1/a", "run-1/2/a")
}

func checkCloseLostAnswer(t testing.TB, h ReplierHarness) {
	w := h.Open(t)
	if w.Break == nil {
		h.unbreakable(t)
	}
	w.Break(LoseAnswer)
	_, err := w.ReplyTo(t.Context(), reply(w.Record, "run-1/0/a", incident.EvClosed))
	h.want(t, "reply", err, integrations.Ambiguous)
	// What was lost may be the comment's or the close's.
	_, err = w.ReplyTo(t.Context(), reply(w.Record, "run-1/0/a", incident.EvClosed))
	if err != nil {
		h.want(t, "reply again", err, integrations.Ambiguous)
	}
	w.Break(Works)
	h.send(t, w, reply(w.Record, "run-1/0/a", incident.EvClosed))
	w.comments(t, "after lost answers", w.Record, "run-1/0/a")
	w.isClosed(t, "after lost answers", w.Record, true)
}

func checkReplyKeepsClosed(t testing.TB, h ReplierHarness) {
	w := h.Open(t)
	w.CloseByHand(w.Record)
	for i, kind := range incident.ReplyKinds() {
		h.send(t, w, reply(w.Record, "run-1/"+string(rune('a'+i))+"/x", kind))
		w.isClosed(t, "after a reply of kind "+string(kind), w.Record, true)
	}
}
