package workflows_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/workflows"
)

// reserved asks the budget at a time; its answer is there after the run.
func (w *world) reserved(after time.Duration, id string, limit protocol.Limit) *protocol.ReserveAnswer {
	var out protocol.ReserveAnswer
	w.At(after, func() {
		req := protocol.ReserveRequest{ID: id, Action: limit.Action, Limits: []protocol.Limit{limit}, Keys: []protocol.BudgetKey{{Per: limit.Per, Key: limit.Key}}}
		err := w.Update(protocol.BudgetID, protocol.ReserveUpdate, after.String(), req, func(result any, err error) {
			answer, ok := result.(protocol.ReserveAnswer)
			if err != nil || !ok {
				w.t.Errorf("the budget answers %v, %v", result, err)
			}
			out = answer
		})
		if err != nil {
			w.t.Error(err)
		}
	})
	return &out
}

// perHost is a limit that counts reservations one by one.
func perHost(action incident.Action, most int, window time.Duration) protocol.Limit {
	return protocol.Limit{Guardrail: "g", Action: action, Per: protocol.PerHost, Key: "ws-1", Max: most, Window: window}
}

func TestAReservationThatIsRepeatedCountsOnce(t *testing.T) {
	t.Parallel()
	w, _ := gated(t)
	two := perHost(incident.Block, 2, time.Hour)
	first, again := w.reserved(time.Minute, "a", two), w.reserved(2*time.Minute, "a", two)
	second, third := w.reserved(3*time.Minute, "b", two), w.reserved(4*time.Minute, "c", two)
	repeated := w.reserved(5*time.Minute, "b", two)
	w.run(10 * time.Minute)
	if !first.Granted || !again.Granted || !second.Granted || !repeated.Granted {
		t.Errorf("granted: %v, again %v, the second %v, again %v", first.Granted, again.Granted, second.Granted, repeated.Granted)
	}
	if third.Granted || third.Exceeded == nil || third.Counted != 2 {
		t.Errorf("the third: %+v", third)
	}
}

// A limit with a short window must not have the budget forget what one with a
// long window counts.
func TestTheLongestWindowOfAnActionIsRemembered(t *testing.T) {
	t.Parallel()
	for name, order := range map[string][2]time.Duration{"the long one first": {2 * time.Hour, time.Minute}, "the short one first": {time.Minute, 2 * time.Hour}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := gated(t)
			w.reserved(time.Minute, "x", perHost(incident.Block, 100, order[0]))
			w.reserved(time.Minute+time.Second, "y", perHost(incident.Block, 100, order[1]))
			w.reserved(10*time.Minute, "z", perHost(incident.Block, 100, time.Minute))
			w.yield(20*time.Minute, protocol.BudgetID)
			at := w.reserved(30*time.Minute, "last", perHost(incident.Block, 3, 2*time.Hour))
			later := w.reserved(3*time.Hour, "later", perHost(incident.Block, 1, 2*time.Hour))
			w.run(4 * time.Hour)
			if at.Granted || at.Counted != 3 {
				t.Errorf("within the window: %+v, want 3 counted", at)
			}
			if !later.Granted {
				t.Errorf("after the window: %+v", later)
			}
		})
	}
}

// change asks for a change of a lease at a time; the result is there
// after the run.
func (w *world) change(after time.Duration, lease, update string, arg any) *error {
	refused := errNotAsked()
	w.At(after, func() {
		if err := w.Update(lease, update, update+after.String(), arg, func(_ any, err error) { refused = err }); err != nil {
			refused = err
		}
	})
	return &refused
}

func TestALeaseIsExtendedForAllWhoHoldItAndWithinItsMaximum(t *testing.T) {
	t.Parallel()
	const fortnight = 14 * 24 * time.Hour
	w, first := flood(t)
	w.pinned()
	second := w.second(2 * time.Minute)
	lease := leaseOf(incident.Isolate, "ws-042")
	var before, held incident.Lease
	look := func(after time.Duration, into *incident.Lease) {
		w.At(after, func() {
			l, err := w.Lease(lease)
			if err != nil {
				t.Error(err)
			}
			*into = l
		})
	}
	look(50*time.Minute, &before)
	beyond := w.change(time.Hour, lease, protocol.ExtendUpdate, protocol.ExtendRequest{By: "alice", Reason: "r", Until: start.Add(time.Hour + fortnight + time.Minute)})
	until := start.Add(time.Hour + fortnight - time.Minute)
	within := w.change(time.Hour+time.Second, lease, protocol.ExtendUpdate, protocol.ExtendRequest{By: "alice", Reason: "r", Until: until})
	look(2*time.Hour, &held)
	w.run(3 * time.Hour)

	isRefused(t, *beyond, workflows.RefusedInvalid)
	if *within != nil {
		t.Errorf("within the maximum: %v", *within)
	}
	if len(before.Holders) != 2 || len(held.Holders) != 2 {
		t.Fatalf("held by %+v", held.Holders)
	}
	for _, h := range held.Holders {
		if !h.Until.Equal(until) {
			t.Errorf("%s holds it until %s, want %s", h.Case, h.Until, until)
		}
	}
	for _, id := range []string{first, second} {
		if s := step(t, w.see(id), "cut-off"); !s.Until.Equal(until) {
			t.Errorf("%s says until %s", id, s.Until)
		}
	}
}

// A request that its case has given up is refused, whenever it arrives.
func TestAGivenUpRequestIsRefused(t *testing.T) {
	t.Parallel()
	w, _ := flood(t)
	lease := leaseOf(incident.Isolate, "ws-042")
	target, err := incident.DeviceTarget("ws-042", "ws-042.corp.example")
	if err != nil {
		t.Fatal(err)
	}
	w.At(time.Minute, func() {
		if err := w.Signal(lease, protocol.LeaveSignal, protocol.LeaveRequest{Case: "case/late", Step: "cut-off", Request: "late/1"}); err != nil {
			t.Error(err)
		}
	})
	w.yield(2*time.Minute, lease)
	late := w.change(3*time.Minute, lease, protocol.HoldUpdate, protocol.HoldRequest{
		ID: "late/1", Use: "edr", Order: incident.Order{Action: incident.Isolate, Target: target},
		Holder: incident.Holder{Case: "case/late", Step: "cut-off", Until: start.Add(9 * time.Hour)},
	})
	w.run(5 * time.Hour)
	isRefused(t, *late, workflows.RefusedInvalid)
	w.contained(incident.Isolate, 1, 1)
}

// Somebody has lifted our containment and made their own: ours is over, and
// theirs is left alone.
func TestAnUndoEndsWhereSomebodyElsesContainmentStands(t *testing.T) {
	t.Parallel()
	w, id := flood(t)
	target, err := incident.DeviceTarget("ws-042", "ws-042.corp.example")
	if err != nil {
		t.Fatal(err)
	}
	order := incident.Order{Action: incident.Isolate, Target: target}
	w.do(time.Hour, func(e *memory.Estate) {
		ours := order
		ours.Key = leaseOf(incident.Isolate, "ws-042")
		if _, err := e.Undo(t.Context(), ours); err != nil {
			t.Error(err)
		}
	})
	w.do(time.Hour+time.Minute, func(e *memory.Estate) {
		if err := e.Impose(order); err != nil {
			t.Error(err)
		}
	})
	w.run(5 * time.Hour)
	w.ended(id, incident.OutcomeGivenBack)
	if standing, err := w.estate.Read(t.Context(), order); err != nil || !standing.Stands {
		t.Errorf("the isolation by somebody else stands: %v (%v)", standing.Stands, err)
	}
}

// That an undo was accepted gives nobody the network back: the lease is active until
// the device says that the containment is gone.
func TestAnUndoIsOverWhenTheDeviceSaysSo(t *testing.T) {
	t.Parallel()
	for name, behaves := range map[string]memory.Behaviour{
		"never carried out": {Stuck: true},
		"carried out late":  {Pending: 40 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := flood(t)
			does := func(after time.Duration, b memory.Behaviour) {
				w.do(after, func(e *memory.Estate) {
					if err := e.Behave("ws-042", incident.Isolate, b); err != nil {
						t.Error(err)
					}
				})
			}
			does(2*time.Hour, behaves)
			during := w.snap(4*time.Hour+20*time.Minute, id)
			does(5*time.Hour, memory.Behaviour{})
			w.run(7 * time.Hour)
			if s := step(t, *during, "cut-off"); s.Status != incident.StepStanding || !strings.Contains(s.Problem, "undo pending") {
				t.Errorf("before the device has said so: %s, %q", s.Status, s.Problem)
			}
			ended := w.ended(id, incident.OutcomeGivenBack)
			if s := step(t, ended, "cut-off"); s.EndedAt.Sub(start) < 4*time.Hour+30*time.Minute {
				t.Errorf("it is given back after %s", s.EndedAt.Sub(start))
			}
		})
	}
}

// swapped is an EDR that from some time on takes the alert's host for another
// device.
type swapped struct {
	*memory.Estate
	over atomic.Bool
}

func (s *swapped) Endpoints(ctx context.Context, q integrations.EndpointQuery) ([]incident.Endpoint, error) {
	found, err := s.Estate.Endpoints(ctx, q)
	if s.over.Load() {
		for i := range found {
			found[i].ID = incident.Known("ws-017", incident.FromEDR)
		}
	}
	return found, err
}

// The approval is for one device: another one that the alert's host has become
// is never contained in its place, nor is the first.
func TestAnotherDeviceIsNotContainedOnTheApprovalOfTheFirst(t *testing.T) {
	t.Parallel()
	w, id := gated(t)
	edr := &swapped{Estate: w.estate}
	w.set.Add("edr", integrations.Spec{Kind: "memory"}, edr)
	w.do(time.Minute, func(*memory.Estate) { edr.over.Store(true) })
	yes := &ballot{who: alice()}
	w.vote(2*time.Minute, id, yes)
	w.run(time.Hour)
	if !yes.counted {
		t.Errorf("the vote: %v", yes.refused)
	}
	w.contained(incident.Isolate, 0, 0)
	w.ended(id, incident.OutcomeNoTarget)
}

// A card that was posted before the channel went on in a new run is brought up
// to date, not left behind and not posted again.
func TestAChannelKeepsItsMessagesInANewRun(t *testing.T) {
	t.Parallel()
	w, id := gated(t)
	w.yield(time.Minute, protocol.ChannelWorkflowID("slack", "#sec-oncall"))
	w.vote(2*time.Minute, id, &ballot{who: alice()})
	w.run(5 * time.Hour)
	w.contained(incident.Isolate, 1, 1)
	questions := w.told("/question/")
	if len(questions) != 1 || questions[0].Message.Card.State != integrations.CardGivenBack {
		t.Errorf("%d questions stand, the first is %s", len(questions), questions[0].Message.Card.State)
	}
}

// leads approve the two-people question of a case, from a time on.
func (w *world) leads(after time.Duration, id string) {
	var votes []*ballot
	for i, name := range []string{"dora", "bob"} {
		b := &ballot{who: person(name, "sec-leads"), reason: "seen", approval: "two-people"}
		w.vote(after+time.Duration(i)*time.Second, id, b)
		votes = append(votes, b)
	}
	w.t.Cleanup(func() {
		for _, b := range votes {
			if !b.counted {
				w.t.Errorf("the vote of %s: %v", b.who.ID, b.refused)
			}
		}
	})
}

// Only the approval asked because of an unknown value lets the host be contained
// though it is: another approval does not answer for it.
func TestAnotherApprovalDoesNotAnswerForWhatIsUnknown(t *testing.T) {
	t.Parallel()
	t.Run("before the question", func(t *testing.T) {
		t.Parallel()
		w, id := asked(t, "- throttle\n      - approve: on-call\n", "- throttle\n      - approve: two-people\n")
		w.leads(time.Minute, id)
		w.run(5 * time.Minute)
		w.contained(incident.Isolate, 0, 0)
		if w.pending(id).Name != "on-call" {
			t.Errorf("the case asks %q, want on-call", w.pending(id).Name)
		}
	})
	t.Run("where nobody answers the question", func(t *testing.T) {
		t.Parallel()
		w, id := asked(t, "- throttle\n      - approve: on-call\n      - cut-off\n",
			"- approve: two-people\n      - { approve: on-call, if_expired: [throttle] }\n      - cut-off\n", "ttl: 1h, unsure: act,", "ttl: 1h,")
		w.leads(time.Minute, id)
		again := w.snap(18*time.Minute, id)
		w.run(time.Hour)
		if n := len(again.Approvals); n != 3 || again.Approvals[2].Name != "on-call" || again.Approvals[2].State != incident.Pending {
			t.Errorf("after on-call has expired, %d questions were asked: %+v", n, again.Approvals)
		}
		w.contained(incident.RateLimit, 0, 0)
		w.ended(id, incident.OutcomeExpired)
	})
}
