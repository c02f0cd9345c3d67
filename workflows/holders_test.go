package workflows_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/workflows"
)

// held is a lease of ws-042 without a case: the test itself asks what cases ask.
type held struct {
	*world
	id    string
	use   string
	order incident.Order
}

// throttled is a rate limit of ws-042 that nobody holds yet, by addresses if there are
// any.
func throttled(t *testing.T, rate int64, addresses ...string) *held {
	t.Helper()
	target, err := incident.DeviceTarget("ws-042", "ws-042.corp.example")
	if err != nil {
		t.Fatal(err)
	}
	h := &held{world: newWorld(t, memory.Flood, "high-egress-windows"), use: "gateway"}
	h.order = incident.Order{Action: incident.RateLimit, Target: target, Rate: rate, Addresses: addresses}
	h.id = protocol.LeaseID(h.use, h.order)
	h.order.Key = h.id
	in := protocol.LeaseInput{ID: h.id, Use: h.use, Order: h.order}
	if err := h.StartAt(0, protocol.LeaseWorkflow, h.id, in); err != nil {
		t.Fatal(err)
	}
	return h
}

// reply is what a lease answers.
type reply[T any] struct {
	is  T
	err error
	// at is when it answered.
	at time.Time
}

func request[T any](h *held, after time.Duration, update string, arg any) *reply[T] {
	out := &reply[T]{err: errNotAsked()}
	h.At(after, func() {
		err := h.Update(h.id, update, fmt.Sprint(update, after, arg), arg, func(result any, err error) {
			out.is, _ = result.(T)
			out.err, out.at = err, h.Now()
		})
		if err != nil {
			out.err = err
		}
	})
	return out
}

// holds asks for the lease for a step of a case, until a time after the start.
func (h *held) holds(after time.Duration, of, step, id string, until time.Duration, edit ...func(*protocol.HoldRequest)) *reply[incident.Lease] {
	req := protocol.HoldRequest{ID: id, Use: h.use, Order: h.order, Holder: incident.Holder{
		Case: of, Step: step, Request: id, Until: start.Add(until),
	}}
	for _, e := range edit {
		e(&req)
	}
	return request[incident.Lease](h, after, protocol.HoldUpdate, req)
}

func (h *held) givesUp(after time.Duration, of, step, id string) *reply[protocol.GivenUp] {
	return request[protocol.GivenUp](h, after, protocol.GiveUpUpdate, protocol.GiveUpRequest{
		ID: id, Case: of, Step: step, Expires: start.Add(after + time.Minute),
	})
}

func (h *held) signal(after time.Duration, name string, arg any) {
	h.At(after, func() {
		if err := h.Signal(h.id, name, arg); err != nil {
			h.t.Error(err)
		}
	})
}

// heldBy asserts who holds the lease at a time, each as case/step and until when
// after the start.
func (h *held) heldBy(after time.Duration, want ...string) {
	h.t.Helper()
	h.At(after, func() {
		h.t.Helper()
		l, err := h.Lease(h.id)
		if err != nil {
			h.t.Error(err)
		}
		var got []string
		for _, holder := range l.Holders {
			got = append(got, fmt.Sprintf("%s/%s %s", holder.Case, holder.Step, incident.FormatDuration(holder.Until.Sub(start))))
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			h.t.Errorf("after %s it is held by %q, want %q", after, got, want)
		}
	})
}

func (h *held) accepted(replies ...*reply[incident.Lease]) {
	h.t.Helper()
	for i, r := range replies {
		if r.err != nil {
			h.t.Errorf("request %d: %v", i, r.err)
		}
	}
}

// Each step of each case holds a lease for itself: what one releases or gives
// up is no other's, and what it asks again does not count twice.
func TestEachHolderLeavesForItself(t *testing.T) {
	t.Parallel()
	h := throttled(t, 2_000_000)
	asked := []*reply[incident.Lease]{
		h.holds(time.Minute, "a", "one", "a1", time.Hour), h.holds(time.Minute, "a", "two", "a2", time.Hour),
		h.holds(time.Minute, "b", "one", "b1", 3*time.Hour), h.holds(time.Minute, "c", "one", "", time.Hour),
		// The same step asks again.
		h.holds(2*time.Minute, "b", "one", "b2", 2*time.Hour),
	}
	h.heldBy(3*time.Minute, "a/one 1h", "a/two 1h", "b/one 2h", "c/one 1h")
	h.signal(4*time.Minute, protocol.LeaveSignal, protocol.LeaveRequest{Case: "a", Step: "one"})
	h.heldBy(5*time.Minute, "a/two 1h", "b/one 2h", "c/one 1h")
	others := []*reply[protocol.GivenUp]{
		h.givesUp(6*time.Minute, "a", "two", "another"), h.givesUp(6*time.Minute, "b", "two", "a2x"), h.givesUp(6*time.Minute, "c", "two", "c2"),
	}
	h.heldBy(7*time.Minute, "a/two 1h", "b/one 2h", "c/one 1h")
	own, old := h.givesUp(8*time.Minute, "a", "two", "a2"), h.givesUp(8*time.Minute, "c", "one", "whichever")
	h.heldBy(9*time.Minute, "b/one 2h")
	again := h.holds(10*time.Minute, "a", "two", "a2", time.Hour)
	h.heldBy(11*time.Minute, "b/one 2h")
	h.run(5 * time.Hour)
	h.accepted(asked...)
	for i, r := range others {
		if r.err != nil || r.is.Held {
			t.Errorf("another's request %d: held %t, %v", i, r.is.Held, r.err)
		}
	}
	if own.err != nil || !own.is.Held || old.err != nil || !old.is.Held {
		t.Errorf("their own: held %t and %t, %v, %v", own.is.Held, old.is.Held, own.err, old.err)
	}
	isRefused(t, again.err, workflows.RefusedInvalid)
	h.contained(incident.RateLimit, 1, 1)
}

// A request that is given up while what it took is being undone has held it; one
// that never did has not.
func TestWhoLeavesIsKnownUntilItIsOver(t *testing.T) {
	t.Parallel()
	h := throttled(t, 2_000_000)
	h.estate.Fail("undo rate_limit", down(), -1)
	asked := h.holds(time.Minute, "a", "one", "a1", time.Hour)
	h.signal(2*time.Minute, protocol.LeaveSignal, protocol.LeaveRequest{Case: "a", Step: "one"})
	own, other := h.givesUp(3*time.Minute, "a", "one", "a1"), h.givesUp(3*time.Minute, "a", "one", "a2")
	// Nobody can extend or release what is being given back.
	longer := request[incident.Lease](h, 4*time.Minute, protocol.ExtendUpdate, protocol.ExtendRequest{By: "x", Reason: "r", Until: start.Add(9 * time.Hour)})
	release := request[incident.Lease](h, 4*time.Minute, protocol.ReleaseUpdate, protocol.ReleaseRequest{By: "x", Reason: "r"})
	h.do(10*time.Minute, (*memory.Estate).Mend)
	h.run(5 * time.Hour)
	h.accepted(asked)
	if own.err != nil || !own.is.Held || other.err != nil || other.is.Held {
		t.Errorf("its own: held %t, %v; another: held %t, %v", own.is.Held, own.err, other.is.Held, other.err)
	}
	isRefused(t, longer.err, workflows.RefusedNotPending)
	isRefused(t, release.err, workflows.RefusedNotPending)
	h.contained(incident.RateLimit, 1, 1)
}

// What is given up is remembered however often the same is given up, and a case
// that names no request gives up none.
func TestWhatIsGivenUpIsRemembered(t *testing.T) {
	t.Parallel()
	h := throttled(t, 2_000_000)
	asked := []*reply[incident.Lease]{h.holds(time.Minute, "b", "one", "b1", 2*time.Hour)}
	first := h.givesUp(2*time.Minute, "a", "one", "a1")
	for range 60 {
		h.signal(3*time.Minute, protocol.LeaveSignal, protocol.LeaveRequest{Case: "a", Step: "one", Request: "a2"})
		h.signal(3*time.Minute, protocol.LeaveSignal, protocol.LeaveRequest{Case: "a", Step: "one"})
	}
	late := h.holds(4*time.Minute, "a", "one", "a1", time.Hour)
	asked = append(asked, h.holds(4*time.Minute, "c", "one", "", time.Hour))
	for name, edit := range map[string]func(*protocol.HoldRequest){
		"no case": func(r *protocol.HoldRequest) { r.Holder.Case = "" }, "no end": func(r *protocol.HoldRequest) { r.Holder.Until = time.Time{} },
		"too late": func(r *protocol.HoldRequest) { r.Expires = start.Add(5 * time.Minute) },
	} {
		r := h.holds(5*time.Minute, "d", "one", name, time.Hour, edit)
		h.At(6*time.Minute, func() { isRefused(t, r.err, workflows.RefusedInvalid) })
	}
	inTime := h.holds(5*time.Minute, "e", "one", "e1", time.Hour, func(r *protocol.HoldRequest) { r.Expires = start.Add(6 * time.Minute) })
	h.heldBy(7*time.Minute, "b/one 2h", "c/one 1h", "e/one 1h")
	h.run(5 * time.Hour)
	h.accepted(append(asked, inTime)...)
	if first.err != nil || first.is.Held {
		t.Errorf("given up: held %t, %v", first.is.Held, first.err)
	}
	isRefused(t, late.err, workflows.RefusedInvalid)
	h.contained(incident.RateLimit, 1, 1)
}

// An attempt that comes again is answered as the first was: with the lease, also
// where it has held it and does no longer, and with none where it never came.
func TestARequestIsFoundAgain(t *testing.T) {
	t.Parallel()
	h := throttled(t, 2_000_000)
	find := func(after time.Duration, of, step, id string, edit ...func(*protocol.HoldRequest)) *reply[protocol.Found] {
		req := protocol.HoldRequest{ID: id, Use: h.use, Order: h.order, Holder: incident.Holder{Case: of, Step: step, Request: id}}
		for _, e := range edit {
			e(&req)
		}
		return request[protocol.Found](h, after, protocol.FindUpdate, req)
	}
	h.holds(time.Minute, "a", "one", "a1", time.Hour)
	h.holds(time.Minute, "b", "one", "b1", 10*time.Minute)
	holds, held := find(20*time.Minute, "a", "one", "a1"), find(20*time.Minute, "b", "one", "b1")
	never, others := find(20*time.Minute, "a", "one", "a2"), find(20*time.Minute, "c", "one", "a1x")
	foreign := find(20*time.Minute, "a", "one", "a1", func(r *protocol.HoldRequest) { r.Use = "edr" })
	h.run(5 * time.Hour)
	for name, r := range map[string]*reply[protocol.Found]{"holds": holds, "held": held} {
		if r.err != nil || r.is.Lease == nil {
			t.Errorf("who %s it finds %v, %v", name, r.is.Lease, r.err)
		}
	}
	for name, r := range map[string]*reply[protocol.Found]{"never asked": never, "is another": others} {
		if r.err != nil || r.is.Lease != nil {
			t.Errorf("who %s finds %+v, %v", name, r.is.Lease, r.err)
		}
	}
	isRefused(t, foreign.err, workflows.RefusedInvalid)
}

// An approved extension moves the one holder that it is for, never backwards, and
// never further than a lease may last.
func TestAnExtensionMovesOneHolderWithinTheMaximum(t *testing.T) {
	t.Parallel()
	const most = 14 * 24 * time.Hour
	h := throttled(t, 2_000_000)
	for _, holder := range []string{"a", "b"} {
		for _, step := range []string{"one", "two"} {
			h.holds(time.Minute, holder, step, holder+step, 10*time.Hour)
		}
	}
	extend := func(after time.Duration, step string, until time.Duration) {
		h.signal(after, protocol.ExtendSignal, protocol.HolderExtension{
			Case: "a", Step: step, Until: start.Add(until), By: "carol", Reason: "forensics", Approver: "alice",
		})
	}
	rest := []string{"b/one 10h", "b/two 10h"}
	extend(2*time.Minute, "two", 9*time.Hour)
	h.heldBy(3*time.Minute, append([]string{"a/one 10h", "a/two 10h"}, rest...)...)
	extend(4*time.Minute, "one", 11*time.Hour)
	h.heldBy(5*time.Minute, append([]string{"a/one 11h", "a/two 10h"}, rest...)...)
	extend(6*time.Minute, "two", 12*time.Hour)
	h.heldBy(7*time.Minute, append([]string{"a/one 11h", "a/two 12h"}, rest...)...)
	extend(time.Hour, "two", 2*most)
	h.heldBy(2*time.Hour, append([]string{"a/one 11h", "a/two " + incident.FormatDuration(most+time.Hour)}, rest...)...)
	nobody := request[incident.Lease](h, 3*time.Hour, protocol.ReleaseUpdate, protocol.ReleaseRequest{Reason: "r"})
	h.heldBy(4*time.Hour, append([]string{"a/one 11h", "a/two " + incident.FormatDuration(most+time.Hour)}, rest...)...)
	release := request[incident.Lease](h, 5*time.Hour, protocol.ReleaseUpdate, protocol.ReleaseRequest{By: "bob", Reason: "r"})
	h.run(6 * time.Hour)
	isRefused(t, nobody.err, workflows.RefusedInvalid)
	if release.err != nil || release.is.Phase != incident.GivenBack || release.at.Sub(start) > 5*time.Hour+time.Minute {
		t.Errorf("released: %s at %s, %v", release.is.Phase, release.at, release.err)
	}
	h.contained(incident.RateLimit, 1, 1)
}

// A stricter limit that cannot be had is its asker's problem alone: the others
// keep theirs. What was in place before us is made no stricter.
func TestAStricterLimitThatCannotBeHad(t *testing.T) {
	t.Parallel()
	strict := func(r *protocol.HoldRequest) { r.Order.Rate = 1_000_000 }
	t.Run("refused by the product", func(t *testing.T) {
		t.Parallel()
		h := throttled(t, 2_000_000)
		first := h.holds(time.Minute, "a", "one", "a1", time.Hour)
		h.do(2*time.Minute, func(e *memory.Estate) {
			e.Fail("apply rate_limit", integrations.Error{Kind: integrations.Denied, Err: errors.New("no such limit")}, -1)
			e.Fail("undo rate_limit", integrations.Error{Kind: integrations.Denied, Err: errors.New("no such limit")}, 1)
		})
		second := h.holds(3*time.Minute, "b", "one", "b1", time.Hour, strict)
		h.do(10*time.Minute, (*memory.Estate).Mend)
		h.heldBy(20*time.Minute, "a/one 1h")
		h.run(5 * time.Hour)
		h.accepted(first)
		if second.err == nil {
			t.Error("the stricter limit was taken")
		}
		h.contained(incident.RateLimit, 1, 1)
	})
	t.Run("and the last holder leaves before it is tried on", func(t *testing.T) {
		t.Parallel()
		h := throttled(t, 2_000_000)
		h.set.Add("gateway", integrations.Spec{Kind: "memory"}, stubborn{h.estate})
		first := h.holds(time.Minute, "a", "one", "a1", time.Hour)
		h.do(2*time.Minute, func(e *memory.Estate) { e.Fail("undo rate_limit", down(), -1) })
		second := h.holds(3*time.Minute, "b", "one", "b1", time.Hour, strict)
		var leave func()
		leave = func() {
			if second.at.IsZero() {
				h.At(time.Second, leave)
				return
			}
			h.signal(0, protocol.LeaveSignal, protocol.LeaveRequest{Case: "a", Step: "one"})
		}
		h.At(3*time.Minute, leave)
		h.do(10*time.Minute, (*memory.Estate).Mend)
		h.run(30 * time.Minute)
		h.accepted(first)
		h.contained(incident.RateLimit, 1, 1)
	})
	t.Run("of somebody else", func(t *testing.T) {
		t.Parallel()
		h := throttled(t, 2_000_000)
		if err := h.estate.Impose(h.order); err != nil {
			t.Fatal(err)
		}
		asked := []*reply[incident.Lease]{h.holds(time.Minute, "a", "one", "a1", time.Hour), h.holds(2*time.Minute, "b", "one", "b1", time.Hour, strict)}
		h.run(5 * time.Hour)
		h.accepted(asked...)
		h.contained(incident.RateLimit, 0, 0)
		if standing, err := h.estate.Read(t.Context(), h.order); err != nil || !standing.Stands || standing.Rate != h.order.Rate {
			t.Errorf("the limit by hand: %+v, %v", standing, err)
		}
	})
}

// A device is its owner's until that releases it, or has ended: what others say
// of it changes nothing.
func TestADeviceIsItsOwners(t *testing.T) {
	t.Parallel()
	owner := incident.CaseRef{ID: "p/owner", Run: "r-1"}
	other := incident.CaseRef{ID: "p/other", Run: "r-2"}
	asker := incident.CaseRef{ID: "p/asker", Run: "r-3"}
	before := incident.CaseRef{ID: owner.ID, Run: "r-0"}
	h := throttled(t, 1)
	h.id = claimOf(h.world)
	if err := h.StartAt(0, protocol.ClaimWorkflow, h.id, protocol.ClaimInput{ID: h.id, Owner: &owner}); err != nil {
		t.Fatal(err)
	}
	claim := func(after time.Duration, gone *incident.CaseRef) *reply[incident.CaseRef] {
		return request[incident.CaseRef](h, after, protocol.ClaimUpdate, protocol.ClaimRequest{Case: asker, Gone: gone})
	}
	request[any](h, time.Minute, protocol.UnclaimUpdate, other)
	request[any](h, time.Minute, protocol.UnclaimUpdate, before)
	kept := []*reply[incident.CaseRef]{claim(2*time.Minute, nil), claim(3*time.Minute, &other), claim(4*time.Minute, &before)}
	taken := claim(5*time.Minute, &owner)
	request[any](h, 6*time.Minute, protocol.UnclaimUpdate, owner)
	still := request[incident.CaseRef](h, 7*time.Minute, protocol.ClaimUpdate, protocol.ClaimRequest{Case: other})
	h.run(10 * time.Minute)
	for i, r := range kept {
		if r.err != nil || r.is != owner {
			t.Errorf("claim %d: it is %v's, %v", i, r.is, r.err)
		}
	}
	for _, r := range []*reply[incident.CaseRef]{taken, still} {
		if r.err != nil || r.is != asker {
			t.Errorf("after its owner has ended it is %v's, %v", r.is, r.err)
		}
	}
}
