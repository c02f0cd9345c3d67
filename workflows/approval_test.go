package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/workflows"
)

// asked is a world in which the inventory does not know the host's role: it is
// throttled at once, and the on-call is asked before it is isolated.
func asked(t *testing.T, edit ...string) (*world, string) {
	t.Helper()
	w := newWorld(t, memory.Flood, "high-egress-windows", edit...)
	roleUnknown(t, w.estate)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	return w, id
}

func TestApprovedIsCarriedOut(t *testing.T) {
	t.Parallel()
	w, id := asked(t)
	before := w.snap(time.Minute, id)
	yes := &ballot{who: alice()}
	w.vote(2*time.Minute, id, yes)
	after := w.snap(4*time.Minute, id)
	w.run(5 * time.Hour)

	if before.Status != incident.Awaiting || step(t, *before, "cut-off").Status != incident.StepWaiting {
		t.Errorf("before the answer: status %s, cut-off %s", before.Status, step(t, *before, "cut-off").Status)
	}
	if !yes.counted || step(t, *after, "cut-off").Status != incident.StepStanding {
		t.Errorf("after the answer (%v): cut-off %s", yes.refused, step(t, *after, "cut-off").Status)
	}
	w.contained(incident.Isolate, 1, 1)
	c := w.ended(id, incident.OutcomeGivenBack)
	if a := c.Approvals[0]; a.State != incident.Approved || len(a.Votes) != 1 || a.Votes[0].Person.ID != "alice" {
		t.Errorf("the approval is recorded as %+v", a)
	}
	if q := w.told("/question/"); len(q) != 1 || q[0].Message.Card == nil || len(q[0].Message.Card.Missing) == 0 {
		t.Errorf("the question was %+v, want one that names what is unknown", q)
	}
}

func TestDeniedLeavesOutWhatFollows(t *testing.T) {
	t.Parallel()
	w, id := asked(t)
	w.vote(2*time.Minute, id, &ballot{who: alice(), deny: true})
	w.run(5 * time.Hour)
	w.contained(incident.Isolate, 0, 0)
	w.contained(incident.RateLimit, 1, 1)
	c := w.ended(id, incident.OutcomeRefused)
	if a := c.Approvals[0]; a.State != incident.ApprovalDenied {
		t.Errorf("the approval is %s", a.State)
	}
	if len(w.told("/notice/")) != 0 {
		t.Error("the step behind the denied gate told people")
	}
}

func TestDeniedAndExpiredRunWhatTheyName(t *testing.T) {
	t.Parallel()
	const gate = "- throttle\n      - approve: on-call\n"
	const instead = "- throttle\n      - approve: on-call\n        if_denied: [release, tell]\n        if_expired: [tell]\n"
	t.Run("denied releases", func(t *testing.T) {
		w, id := asked(t, gate, instead)
		w.vote(2*time.Minute, id, &ballot{who: alice(), deny: true})
		soon := w.snap(4*time.Minute, id)
		w.run(time.Hour)
		w.contained(incident.RateLimit, 1, 1)
		w.contained(incident.Isolate, 0, 0)
		if soon.Status != incident.Closed || soon.Outcome != incident.OutcomeRefused {
			t.Errorf("two minutes after the denial: %s, %s", soon.Status, soon.Outcome)
		}
		if len(w.told("/notice/")) != 1 {
			t.Errorf("people were told %d times, want once", len(w.told("/notice/")))
		}
	})
	t.Run("expired tells", func(t *testing.T) {
		w, id := asked(t, gate, instead)
		w.run(3 * time.Hour)
		w.contained(incident.Isolate, 0, 0)
		c := w.ended(id, incident.OutcomeExpired)
		a := c.Approvals[0]
		if a.State != incident.ApprovalExpired || a.EndedAt.Sub(a.AskedAt) != 15*time.Minute {
			t.Errorf("the approval is %s after %s", a.State, a.EndedAt.Sub(a.AskedAt))
		}
		if len(w.told("/notice/")) != 1 {
			t.Errorf("people were told %d times, want once", len(w.told("/notice/")))
		}
		if until := step(t, c, "throttle").EndedAt.Sub(step(t, c, "throttle").AcceptedAt); until < 59*time.Minute {
			t.Errorf("the throttle stood for %s, want its own hour", until)
		}
	})
}

// Every invalid answer is refused, and none of them does
// anything.
func TestAnswersThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		ballot ballot
		after  time.Duration
		kind   string
	}{
		{"a stranger", ballot{who: person("mallory")}, time.Minute, workflows.RefusedNotApprover},
		{"a stranger with a colleague's name for a group", ballot{who: person("mallory", "alice")}, time.Minute, workflows.RefusedNotApprover},
		{"nobody", ballot{}, time.Minute, workflows.RefusedNotApprover},
		{"another plan", ballot{who: alice(), plan: "sha256:other"}, time.Minute, workflows.RefusedPlan},
		{"too late", ballot{who: alice(), plan: "sha256:other"}, 16 * time.Minute, workflows.RefusedNotPending},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, id := asked(t)
			w.vote(c.after, id, &c.ballot)
			before, after := w.snap(c.after-time.Second, id), w.snap(c.after+time.Second, id)
			w.run(30 * time.Minute)
			isRefused(t, c.ballot.refused, c.kind)
			w.contained(incident.Isolate, 0, 0)
			if len(before.Timeline) != len(after.Timeline) {
				t.Errorf("the refusal left a trace: %+v", after.Timeline[len(before.Timeline):])
			}
		})
	}
}

func TestWhoIsExcludedMayNotAnswer(t *testing.T) {
	t.Parallel()
	w, id := asked(t, "    quorum: 1\n", "    quorum: 1\n    exclude: [alice]\n")
	excluded, other := &ballot{who: alice()}, &ballot{who: person("bob", "sec-oncall")}
	w.vote(time.Minute, id, excluded)
	w.vote(2*time.Minute, id, other)
	w.run(10 * time.Minute)
	isRefused(t, excluded.refused, workflows.RefusedNotApprover)
	w.contained(incident.Isolate, 1, 0)
}

// An approval answers for what people were shown. What has become unknown
// since is asked.
func TestWhatBecomesUnknownAfterAnApprovalIsAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows", "do: [evidence, throttle, cut-off, tell]", "do: [throttle, approve: on-call, cut-off, tell]")
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	w.do(time.Minute, func(e *memory.Estate) { roleUnknown(t, e) })
	w.vote(2*time.Minute, id, &ballot{who: alice()})
	again := w.snap(3*time.Minute, id)
	w.vote(4*time.Minute, id, &ballot{who: alice()})
	after := w.snap(6*time.Minute, id)
	w.run(10 * time.Minute)
	if len(again.Approvals) != 2 || step(t, *again, "cut-off").Status != incident.StepWaiting {
		t.Fatalf("%d questions, cut-off is %s", len(again.Approvals), step(t, *again, "cut-off").Status)
	}
	if missing := again.Approvals[1].Missing; len(missing) != 1 || missing[0].Path != "asset.role" {
		t.Errorf("the second question names %+v as unknown", missing)
	}
	if s := step(t, *after, "cut-off"); s.Status != incident.StepStanding || len(after.Approvals) != 2 {
		t.Errorf("after the second answer: cut-off %s, %d questions", s.Status, len(after.Approvals))
	}
}

func TestTheAnswerBelongsToThePlanThatWasShown(t *testing.T) {
	t.Parallel()
	w, id := asked(t, "    then: { approve: two-people }", "    then: { approve: second }",
		"  two-people:\n", "  second:\n    ask: { slack: '#sec-oncall' }\n    approvers: { slack_group: sec-oncall }\n    expire_after: 5m\n  two-people:\n")
	w.estate.Fail("asset", down(), -1) // so that the site, which the limit counts by, is unknown
	late := &ballot{who: alice()}
	w.At(time.Minute, func() { late.plan = w.pending(id).PlanDigest })
	// The next gate is another question about another plan.
	w.vote(2*time.Minute, id, &ballot{who: alice()})
	w.vote(3*time.Minute, id, late)
	w.run(5 * time.Hour)
	if late.plan == "" {
		t.Fatal("nothing was asked")
	}
	isRefused(t, late.refused, workflows.RefusedPlan)
	w.contained(incident.Isolate, 0, 0)
}

// Two gates of one plan share its digest: an answer to the one that is over
// must not open the other.
func TestTheAnswerBelongsToTheQuestionThatWasAsked(t *testing.T) {
	t.Parallel()
	w, id := asked(t)
	other := &ballot{who: alice(), approval: "two-people"}
	w.vote(time.Minute, id, other)
	w.run(5 * time.Hour)
	isRefused(t, other.refused, workflows.RefusedNotPending)
	w.contained(incident.Isolate, 0, 0)
}

// An answer that comes after the deadline does not count, also where the case is busy
// then and has not written down that the question is over.
func TestAnAnswerAfterTheDeadlineIsNone(t *testing.T) {
	t.Parallel()
	w, id := asked(t)
	w.do(14*time.Minute, func(e *memory.Estate) { e.Fail("baseline", down(), -1) })
	w.later(15*time.Minute-10*time.Second, id, another("a-2", incident.Firing))
	late := &ballot{who: alice(), approval: "on-call"}
	w.At(10*time.Minute, func() { late.plan = w.pending(id).PlanDigest })
	w.vote(15*time.Minute+5*time.Second, id, late)
	open := w.snap(15*time.Minute+4*time.Second, id)
	w.run(30 * time.Minute)
	if open.Approvals[0].State != incident.Pending {
		t.Errorf("the question is %s: the case was not busy", open.Approvals[0].State)
	}
	isRefused(t, late.refused, workflows.RefusedExpired)
	w.contained(incident.Isolate, 0, 0)
	if c := w.see(id); c.Approvals[0].State != incident.ApprovalExpired {
		t.Errorf("in the end the question is %s", c.Approvals[0].State)
	}
}

// A person closes the case while it finds out whether containment is paused,
// right before it asks: nobody is asked any more.
func TestACaseThatIsClosedAsksNobody(t *testing.T) {
	t.Parallel()
	w, id := asked(t)
	until := start.Add(8 * time.Second)
	w.engine.down = func(c activities.Call) bool { return c.Update == protocol.WatchUpdate && w.Now().Before(until) }
	refused := closeAt(w, 4*time.Second, id) // Not before it is contained: a busy machine has the case wait two seconds for facts.
	w.run(time.Hour)
	c := w.ended(id, incident.OutcomeClosedByHand)
	if *refused != nil || len(c.Approvals) != 0 || len(w.told("/question/")) != 0 {
		t.Errorf("closing: %v; %d questions, %d shown", *refused, len(c.Approvals), len(w.told("/question/")))
	}
	if took := c.ClosedAt.Sub(start); took > time.Minute {
		t.Errorf("it was closed after %s", took)
	}
	w.contained(incident.RateLimit, 1, 1)
}

func TestQuorumOfTwo(t *testing.T) {
	t.Parallel()
	twoPeople := []string{"unsure: on-call", "unsure: two-people", "- throttle\n      - approve: on-call\n", "- throttle\n"}
	lead := func(name string) incident.Person { return person(name, "sec-leads") }
	t.Run("two distinct people with reasons", func(t *testing.T) {
		w, id := asked(t, twoPeople...)
		wordless := &ballot{who: lead("bob")}
		first, again, second := &ballot{who: lead("bob"), reason: "seen"}, &ballot{who: lead("bob"), reason: "seen"}, &ballot{who: lead("carol"), reason: "agreed"}
		w.vote(time.Minute, id, wordless)
		w.vote(2*time.Minute, id, first)
		between := w.snap(3*time.Minute, id)
		w.vote(4*time.Minute, id, again)
		w.vote(6*time.Minute, id, second)
		w.run(time.Hour)
		isRefused(t, wordless.refused, workflows.RefusedReason)
		isRefused(t, again.refused, workflows.RefusedTwice)
		if !first.counted || !second.counted || between.Status != incident.Awaiting {
			t.Errorf("first %v, second %v, between %s", first.refused, second.refused, between.Status)
		}
		w.contained(incident.Isolate, 1, 0)
		lease, err := w.Lease(protocol.LeaseID("edr", incident.Order{Action: incident.Isolate, Target: *w.see(id).Target}))
		if err != nil || lease.Holders[0].Approver != "bob, carol" {
			t.Errorf("the lease names %+v (%v)", lease.Holders, err)
		}
	})
	t.Run("one denial ends it", func(t *testing.T) {
		w, id := asked(t, twoPeople...)
		w.vote(time.Minute, id, &ballot{who: lead("bob"), reason: "seen"})
		w.vote(2*time.Minute, id, &ballot{who: lead("carol"), deny: true, reason: "payroll runs"})
		w.run(2 * time.Hour)
		w.contained(incident.Isolate, 0, 0)
		w.ended(id, incident.OutcomeRefused)
	})
}

// A double click carries the same update id: it is one vote, and both clicks
// get the same answer.
func TestDoubleClickIsOneVote(t *testing.T) {
	t.Parallel()
	w, id := asked(t)
	first, second := &ballot{who: alice(), id: "click"}, &ballot{who: alice(), id: "click"}
	w.vote(time.Minute, id, first)
	w.vote(time.Minute, id, second)
	w.run(30 * time.Minute)
	if !first.counted || !second.counted {
		t.Errorf("the clicks were answered %v and %v", first.refused, second.refused)
	}
	if votes := w.see(id).Approvals[0].Votes; len(votes) != 1 {
		t.Errorf("%d votes were counted", len(votes))
	}
	w.contained(incident.Isolate, 1, 0)
}

func TestRemindersAndEscalationsComeOnceAndInTime(t *testing.T) {
	t.Parallel()
	w, id := asked(t, "unsure: on-call", "unsure: two-people", "- throttle\n      - approve: on-call\n", "- throttle\n",
		"    escalate: [{ after: 5m, ask: { slack: '@sec-manager' } }]",
		"    remind_after: 2m\n    escalate: [{ after: 5m, ask: { slack: '@sec-manager' } }, { after: 9m, ask: { slack: '@ciso' } }]")
	w.run(time.Hour)
	asked := w.see(id).Approvals[0].AskedAt
	for _, m := range []struct {
		key, channel string
		after        time.Duration
	}{
		{"/question/", "#sec-oncall", 0},
		{"/reminder/", "#sec-oncall", 2 * time.Minute},
		{"/question/", "@sec-manager", 5 * time.Minute},
		{"/question/", "@ciso", 9 * time.Minute},
	} {
		sent := w.told(m.key, m.channel)
		if len(sent) != 1 || sent[0].Message.Channel != m.channel {
			t.Errorf("%s: sent %d times to %+v", m.key, len(sent), sent)
			continue
		}
		if at := sent[0].At.Sub(asked); at < m.after || at > m.after+time.Second {
			t.Errorf("%s came after %s, want %s", m.key, at, m.after)
		}
	}
	w.contained(incident.Isolate, 0, 0)
}

func TestNobodyIsRemindedOfWhatIsAnswered(t *testing.T) {
	t.Parallel()
	w, id := asked(t)
	w.vote(2*time.Minute, id, &ballot{who: alice()})
	w.run(time.Hour)
	if n := len(w.told("/reminder/")); n != 0 {
		t.Errorf("%d reminders after the answer", n)
	}
}

func TestAMessengerThatIsDownHoldsUpNoDeadline(t *testing.T) {
	t.Parallel()
	w, id := asked(t)
	w.estate.Fail("post", down(), -1)
	w.run(3 * time.Hour)
	c := w.ended(id, incident.OutcomeExpired)
	if a := c.Approvals[0]; a.EndedAt.Sub(a.AskedAt) != 15*time.Minute {
		t.Errorf("expired after %s", a.EndedAt.Sub(a.AskedAt))
	}
	var undelivered int
	for _, e := range happened(c, incident.EvNotShown) {
		if strings.Contains(e.Text, "unavailable") || strings.Contains(e.Text, "timed out") {
			undelivered++
		}
	}
	if undelivered < 2 {
		t.Errorf("%d undelivered messages are on the record, want the question and the notice", undelivered)
	}
	w.contained(incident.RateLimit, 1, 1)
}
