package interact

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/slack/blocks"
	"github.com/stanch-soar/stanch/integrations/slack/slackfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func TestApprove(t *testing.T) {
	w := newWorld(t, slackfake.Options{})
	w.listen(w.receiver)
	d, answer := w.press(alice, w.card, blocks.ActionApprove)
	if !answer.Acked || len(answer.Body) > 0 {
		t.Errorf("the click was answered with %+v", answer)
	}
	want := []integrations.Click{{
		Use: "slack", User: alice, Team: w.Team.ID, Channel: secops, Message: w.card,
		Case: caseID, Approval: "on-call", PlanDigest: incident.DigestOf([]byte("plan")), Approve: true, Groups: []string{"@oncall"},
		At: epoch(), Payload: incident.DigestOf(d.Payload),
	}}
	got := w.desk.clicks()
	if diff := gocmp.Diff(want, got, gocmp.FilterPath(
		func(p gocmp.Path) bool { return p.Last().String() == ".ID" }, gocmp.Ignore())); diff != "" {
		t.Errorf("the desk got (-want +got):\n%s", diff)
	}
	if told := w.told(alice, 1)[0]; !strings.Contains(told, `Recorded: you approved "`+label+`"`) || !strings.Contains(told, caseID) {
		t.Errorf("the clicker was told %q", told)
	}
	w.untouched()
	if w.log.has("/actions/") {
		t.Error("the address of the answer was logged")
	}
}

func TestTeamIsTheClickersOwn(t *testing.T) {
	w := newWorld(t, slackfake.Options{})
	w.listen(w.receiver)
	w.press(partner, w.card, blocks.ActionApprove)
	if got := w.desk.clicks(); len(got) != 1 || got[0].Team != "T0PARTNER" {
		t.Errorf("the desk got %+v", got)
	}
}

func TestReasonIsAskedFor(t *testing.T) {
	tests := []struct {
		name   string
		answer blocks.Answer
		action string
		reason string
		told   string
	}{
		{"deny", question(false, true), blocks.ActionDeny, "seen on call", "Recorded: you denied"},
		{"deny, where no reason is required", question(false, false), blocks.ActionDeny, "seen on call", "Recorded: you denied"},
		{"deny without a reason", question(false, false), blocks.ActionDeny, "", "Recorded: you denied"},
		{"approve with a reason", question(true, true), blocks.ActionApprove, "seen on call", "Recorded: you approved"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, slackfake.Options{})
			w.listen(w.receiver)
			w.card = w.post(button(tt.action, tt.answer.Encode()))
			if _, answer := w.press(bob, w.card, tt.action); !answer.Acked {
				t.Fatalf("the click was answered with %+v", answer)
			}
			if n := len(w.desk.clicks()); n > 0 {
				t.Fatalf("the desk got %d clicks before a reason was given", n)
			}
			d := w.submit(bob, tt.reason+"\n")
			if answer := w.answer(d); !answer.Acked {
				t.Fatalf("the form was answered with %+v", answer)
			}
			got := w.desk.clicks()
			if len(got) != 1 || got[0].Reason != tt.reason || got[0].Approve != tt.answer.Approve || got[0].User != bob ||
				got[0].Channel != secops || got[0].Message != w.card || got[0].Approval != "on-call" ||
				got[0].PlanDigest != tt.answer.PlanDigest || got[0].Payload != incident.DigestOf(d.Payload) {
				t.Errorf("the desk got %+v", got)
			}
			if left := w.Views(bob); len(left) > 0 {
				t.Errorf("the form stays open: %+v", left)
			}
			if told := w.told(bob, 1)[0]; !strings.Contains(told, tt.told) {
				t.Errorf("the clicker was told %q", told)
			}
			w.untouched()
		})
	}
}

// submit fills in the form that a user has open.
func (w *world) submit(user, reason string) *slackfake.Delivery {
	w.t.Helper()
	views := w.Views(user)
	if len(views) != 1 || views[0].CallbackID != blocks.CallbackReason {
		w.t.Fatalf("%s has open: %+v, want the form for a reason", user, views)
	}
	d, err := w.SubmitView(user, views[0].ID, map[string]string{blocks.ReasonBlock: reason})
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

func TestTwoClicksAreTwoAndOneDeliveredTwiceIsOne(t *testing.T) {
	w := newWorld(t, slackfake.Options{})
	w.listen(w.receiver)
	first, _ := w.press(alice, w.card, blocks.ActionApprove)
	w.press(alice, w.card, blocks.ActionApprove)
	if n := len(w.desk.clicks()); n != 2 {
		t.Fatalf("the desk keeps %d clicks of 2", n)
	}
	first.Deliver()
	if a := w.answer(first); !a.Acked {
		t.Errorf("the click that came again was answered with %+v", a)
	}
	if kept, received := len(w.desk.clicks()), w.desk.calls(); kept != 2 || received != 3 {
		t.Errorf("the desk got %d and keeps %d, want 3 and 2", received, kept)
	}
	w.press(bob, w.card, blocks.ActionDeny)
	form := w.submit(bob, "no")
	w.answer(form)
	form.Deliver()
	if a := w.answer(form); !a.Acked {
		t.Errorf("the form that came again was answered with %+v", a)
	}
	if kept, received := len(w.desk.clicks()), w.desk.calls(); kept != 3 || received != 5 {
		t.Errorf("the desk got %d and keeps %d, want 5 and 3", received, kept)
	}
}

func TestFormIsOpenedOnce(t *testing.T) {
	w := newWorld(t, slackfake.Options{})
	w.listen(w.receiver)
	d, _ := w.press(bob, w.card, blocks.ActionDeny)
	d.Deliver()
	if a := w.answer(d); !a.Acked {
		t.Errorf("the click that came again was answered with %+v", a)
	}
	w.answer(w.submit(bob, "no"))
	if told := w.told(bob, 1); !strings.HasPrefix(told[0], "Recorded") {
		t.Errorf("the clicker was told %q", told)
	}
}

func TestDeskThatFailsIsNotAcknowledged(t *testing.T) {
	tests := []struct {
		name string
		fail func(*desk)
	}{
		{"down", (*desk).breakDown},
		{"slow", func(d *desk) { d.close() }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // Slack waits for seconds.
			w := newWorld(t, slackfake.Options{})
			w.receiver.ackWithin = 100 * time.Millisecond
			w.listen(w.receiver)
			tt.fail(w.desk)
			d, answer := w.press(alice, w.card, blocks.ActionApprove)
			if answer.Acked || !answer.At.IsZero() {
				t.Errorf("a click that the desk does not hold was answered with %+v", answer)
			}
			told := w.told(alice, 1)[0]
			if !strings.Contains(told, "could not be recorded") || !strings.Contains(told, "stanch case approve "+caseID) {
				t.Errorf("the clicker was told %q", told)
			}
			if n := len(w.desk.clicks()); n > 0 {
				t.Fatalf("the desk keeps %d clicks", n)
			}
			w.desk.repair()
			w.desk.mu.Lock()
			w.desk.gate = nil
			w.desk.mu.Unlock()
			d.Deliver()
			w.acknowledged(d)
			if kept := w.desk.clicks(); len(kept) != 1 {
				t.Errorf("the desk keeps %+v", kept)
			}
		})
	}
}

// acknowledged waits until one of the times that a click was delivered is
// acknowledged: over a socket they are all the same to Slack.
func (w *world) acknowledged(d *slackfake.Delivery) {
	w.t.Helper()
	w.await("an acknowledgement", func() bool {
		return slices.ContainsFunc(d.Answers(), func(a slackfake.Answer) bool { return !a.At.IsZero() })
	})
}

func TestFormStaysOpenWhenTheDeskFails(t *testing.T) {
	t.Parallel() // Slack waits for seconds.
	w := newWorld(t, slackfake.Options{})
	w.listen(w.receiver)
	w.press(bob, w.card, blocks.ActionDeny)
	w.desk.breakDown()
	if a := w.answer(w.submit(bob, "no")); a.Acked {
		t.Errorf("the form was answered with %+v", a)
	}
	if views := w.Views(bob); len(views) != 1 || !views[0].Trouble {
		t.Errorf("the form does not stay with a warning: %+v", views)
	}
	if told := w.told(bob, 1)[0]; !strings.Contains(told, "stanch case deny "+caseID) {
		t.Errorf("the filler was told %q", told)
	}
	w.desk.repair()
	if a := w.answer(w.submit(bob, "no")); !a.Acked || len(w.desk.clicks()) != 1 {
		t.Errorf("sent again the form was answered with %+v; the desk keeps %+v", a, w.desk.clicks())
	}
}

func TestWhatNoCardSendsIsAnswered(t *testing.T) {
	whole := question(true, false)
	unbound := whole
	unbound.PlanDigest = ""
	tests := []struct{ name, action, value string }{
		{"unknown button", "approve", whole.Encode()},
		{"no JSON", blocks.ActionApprove, "on-call.9f3c"},
		{"another version", blocks.ActionApprove, `{"c":"a/b","version":2}`},
		{"no plan", blocks.ActionApprove, unbound.Encode()},
		{"a denial that approves", blocks.ActionDeny, whole.Encode()},
		{"an approval that denies", blocks.ActionApprove, question(false, false).Encode()},
		{"evidence of nothing", blocks.ActionEvidence, "{}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t, slackfake.Options{})
			w.listen(w.receiver)
			if _, answer := w.press(alice, w.post(button(tt.action, tt.value)), tt.action); !answer.Acked {
				t.Errorf("the click was answered with %+v", answer)
			}
			if told := w.told(alice, 1)[0]; !strings.Contains(told, "nothing was recorded") {
				t.Errorf("the clicker was told %q", told)
			}
			if n := w.desk.calls(); n > 0 {
				t.Errorf("the desk was asked %d times", n)
			}
		})
	}
}

func TestOpenLinkIsOnlyAcknowledged(t *testing.T) {
	w := newWorld(t, slackfake.Options{})
	w.listen(w.receiver)
	if _, a := w.press(alice, w.post(button(blocks.ActionOpen, "")), blocks.ActionOpen); !a.Acked {
		t.Errorf("the click was answered with %+v", a)
	}
	w.press(alice, w.card, blocks.ActionApprove)
	w.told(alice, 1)
}

func TestExpiredTrigger(t *testing.T) {
	clock := slackfake.NewClock(epoch())
	w := newWorld(t, slackfake.Options{Now: clock.Now})
	w.listen(w.receiver)
	d, err := w.Press(bob, secops, w.card, blocks.ActionDeny)
	if err != nil {
		t.Fatal(err)
	}
	clock.Advance(4 * time.Second)
	d.Deliver()
	if told := w.told(bob, 1)[0]; !strings.Contains(told, "Click again") {
		t.Errorf("the clicker was told %q", told)
	}
	if views := w.Views(bob); len(views) > 0 {
		t.Errorf("a form is open: %+v", views)
	}
}

func TestLateDeliveryStillCounts(t *testing.T) {
	clock := slackfake.NewClock(epoch())
	w := newWorld(t, slackfake.Options{Now: clock.Now})
	w.listen(w.receiver)
	d, err := w.Press(bob, secops, w.card, blocks.ActionApprove)
	if err != nil {
		t.Fatal(err)
	}
	clock.Advance(time.Hour)
	d.Deliver()
	if a := w.answer(d); !a.Acked || len(w.desk.clicks()) != 1 {
		t.Errorf("it was answered with %+v; the desk keeps %+v", a, w.desk.clicks())
	}
	w.await("a refused answer", func() bool {
		return slices.ContainsFunc(w.Calls("response_url"), func(c slackfake.Call) bool { return c.Error == "expired_url" })
	})
	if n := len(w.Ephemerals(bob)); n > 0 {
		t.Errorf("the clicker was shown %d texts", n)
	}
}

func TestExhaustedResponseURLChangesNothing(t *testing.T) {
	w := newWorld(t, slackfake.Options{})
	stop := w.listen(w.receiver)
	d, _ := w.press(alice, w.card, blocks.ActionApprove)
	for range 5 {
		d.Deliver()
		if a := w.answer(d); !a.Acked {
			t.Fatalf("the click was answered with %+v", a)
		}
	}
	stop()
	w.told(alice, 5)
	if n := len(w.desk.clicks()); n != 1 {
		t.Errorf("the desk keeps %d clicks", n)
	}
	if !w.log.has("the reply to a click could not be sent") || w.log.has("/actions/") || w.log.has("http://") {
		t.Error("the log must say that the reply could not be sent, and not where")
	}
}

func TestSubmissionsThatSlackWouldNotLetThrough(t *testing.T) {
	w := newWorld(t, slackfake.Options{})
	w.listen(w.receiver)
	w.press(bob, w.card, blocks.ActionDeny)
	origin := w.Views(bob)[0].PrivateMetadata
	tests := []struct {
		name, callback, metadata, reason string
		errors                           bool
	}{
		{name: "no reason", reason: " \n ", errors: true},
		{name: "too long a reason", reason: strings.Repeat("é", blocks.MaxReason+1), errors: true},
		{name: "foreign form", callback: "other", reason: "no"},
		{name: "no origin", metadata: "{}", reason: "no"},
		{name: "no JSON", metadata: "x", reason: "no"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			in := submission(t, cmp.Or(tt.callback, blocks.CallbackReason), cmp.Or(tt.metadata, origin), tt.reason)
			o := w.receiver.answer(t.Context(), w.desk, in)
			if !o.held || o.response == nil {
				t.Fatalf("it is answered with %+v", o)
			}
			if _, keyed := o.response.Errors[blocks.ReasonBlock]; keyed != tt.errors {
				t.Errorf("the form shows %+v", o.response)
			}
			if !tt.errors && o.response.View == nil {
				t.Errorf("the form shows %+v, want a notice", o.response)
			}
			if n := w.desk.calls(); n > 0 {
				t.Errorf("the desk was asked %d times", n)
			}
		})
	}
}
