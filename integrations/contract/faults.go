package contract

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// FaultsHarness opens EDRs of which one part fails, or of which one request does: of each
// operation every request fails once, the rest of them with it.
type FaultsHarness struct {
	Knobs
	// Open returns a fresh product with two devices, and a client of it that has not asked
	// for anything yet. On the first device a process runs, was started in the last half
	// hour, and sends.
	Open func(t testing.TB) FaultsWorld
	// Parts are those of the product that fail by themselves, by the names that the world's
	// front gives them. Login is the one that gives tokens; empty where none does. Storage
	// is one to which no credentials go; empty where there is none.
	Parts          []string
	Login, Storage string
	// Orders reports whether a request orders something on a device, or marks it.
	Orders func(Sent) bool
	// Names are the ids of devices in an order, from where the product reads whom it is for.
	Names func(Sent) []string
	// Needless reports whether an operation goes on without the answer to a request.
	Needless func(Sent) bool
	// Cures are the words of which an error about credentials has one, so that people know
	// where to look: names of settings.
	Cures []string
	// Cuts is why a script's output may be cut where the rest of it is refused; empty where
	// there is only all of it.
	Cuts string
	// Forgets is why a script whose order was not answered stays ambiguous; empty where it
	// is found again.
	Forgets string
	// Waits is why an order that may have been lost is not given again for a while; empty
	// where the product tells what was ordered.
	Waits string
}

// FaultsWorld is an opened product and a view of its state.
type FaultsWorld struct {
	// Client has all the capabilities of the integration. Reopen returns another client of
	// the same product, as a process that starts anew has it.
	Client        any
	Reopen        func() any
	Front         Front
	World         *edrtest.World
	Target, Other incident.Target
	// Query names the first device by each of its identifiers.
	Query integrations.EndpointQuery
	// Script is one of the library, which prints, and Process the one that runs.
	Script  string
	Process integrations.KillOrder
}

// Faults is for [Faults], [Targets] and [Credentials]. Open opens a client of the product
// behind the front.
func (e EDR) Faults(t testing.TB, front Front, script string, open func() any) FaultsWorld {
	t.Helper()
	w := FaultsWorld{Client: open(), Reopen: open, Front: front, World: e.World, Script: script}
	for id, ip := range map[string]string{"ws-042": "192.0.2.2", "ws-0421": "192.0.2.21"} {
		target := e.Target(t, id)
		h := edrtest.Sender(target.ID(), target.Name())
		h.Addresses = []edrtest.Address{{IP: ip}}
		e.World.Add(edrtest.Seen(h, e.OS))
		if id == "ws-0421" {
			w.Other = target
			continue
		}
		p := h.Processes[0]
		w.Target, w.Process = target, integrations.KillOrder{PID: p.PID, Path: p.Path, Started: p.Start}
		w.Query = integrations.EndpointQuery{ID: target.ID(), Name: target.Name(), IPs: []string{ip}}
	}
	return w
}

// runs counts the orders of scripts, other than of those that end processes.
func (w FaultsWorld) runs() int {
	return len(slices.DeleteFunc(w.World.Actions(""), func(a edrtest.Action) bool {
		return a.Kind != edrtest.RunScript || strings.Contains(a.Script, "kill")
	}))
}

// Faults checks that an EDR that fails is never taken for one that answers: each error is
// of the right kind, says what to do, and shows no secret; nothing is ordered after a
// request that failed, and what may have been done is done once when it works again.
func Faults(t *testing.T, h FaultsHarness) { t.Helper(); run(t, "Faults", h, outageChecks()) }

// outages are the faults of the suite. Deep ones are tried at every request of an
// operation, the others at each part and at each order.
func outages() []struct {
	fault Fault
	deep  bool
} {
	return []struct {
		fault Fault
		deep  bool
	}{
		{Down, true},
		{LoseAnswer, true},
		{Hang, false},
		{Trickle, false},
		{HTML, true},
		{Foreign, true},
		{Wrong, false},
		{Torn, false},
		{Huge, false},
		{Failing, true},
		{Elsewhere, false},
		{Missing, true},
		{Deny, true},
		{Forbid, true},
		{Throttle, false},
	}
}

func outageChecks() []check[FaultsHarness] {
	var all []check[FaultsHarness]
	for _, o := range outages() {
		all = append(all, check[FaultsHarness]{"outage: " + strings.ReplaceAll(string(o.fault), "_", " "), func(t testing.TB, h FaultsHarness) {
			for _, op := range operations() {
				checkOutage(t, h, op, o.fault, o.deep)
			}
		}})
	}
	return append(all, check[FaultsHarness]{"a product that fails is not asked, and is asked again when it may be back", checkCircuit})
}

// checkOutage has one operation fail in each of the ways of a fault.
func checkOutage(t testing.TB, h FaultsHarness, op operation, fault Fault, deep bool) {
	t.Helper()
	w := h.Open(t)
	if !op.of(w.Client) {
		return // The client does not have it.
	}
	whole := attempt(t, h, op, w, Outage{})
	if whole.err != nil {
		t.Errorf("%s: without any fault: %v", op.name, whole.err)
		return
	}
	for _, part := range h.Parts {
		tryOutage(t, h, op, Outage{Fault: fault, Part: part}, whole)
	}
	for n, s := range whole.sent {
		if !h.Orders(s) && !deep {
			continue
		}
		tryOutage(t, h, op, Outage{Fault: fault, After: n}, whole)
		if h.Orders(s) && spoils(fault) {
			tryOutage(t, h, op, Outage{Fault: fault, After: n, CarriesOut: true}, whole)
		}
	}
}

// spoils reports whether a product may have done what it was asked when its answer has the
// fault.
func spoils(f Fault) bool {
	return slices.Contains([]Fault{HTML, Foreign, Wrong, Torn, Huge, Failing, Hang, Trickle}, f)
}

// endless reports whether a call with the fault ends with its context alone.
func endless(f Fault) bool { return f == Hang || f == Trickle }

// tried is how an operation went.
type tried struct {
	said string
	err  error
	sent []Sent
}

func (r tried) failed() bool {
	return slices.ContainsFunc(r.sent, func(s Sent) bool { return s.Failed })
}

// attempt makes the call of an operation during an outage. One that would not end is given
// up by its caller once it was hit.
func attempt(t testing.TB, h FaultsHarness, op operation, w FaultsWorld, o Outage) tried {
	t.Helper()
	op.prepare(t, h, &w)
	if o.Part != "" && o.Part == h.Login {
		// What has a token does not log in.
		w.Client = w.Reopen()
	}
	if op.waits {
		w.World.Prompt()
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if endless(o.Fault) {
		o.Hit = cancel
	}
	before := len(w.Front.Sent())
	w.Front.Fail(o)
	var r tried
	r.err = promptly(ctx, t, call{name: op.name, do: func(ctx context.Context) error {
		var err error
		r.said, err = op.do(ctx, w)
		return err
	}})
	w.Front.Fail(Outage{})
	r.sent = w.Front.Sent()[before:]
	return r
}

// tryOutage has the operation fail, judges how, and repeats it when the product works.
func tryOutage(t testing.TB, h FaultsHarness, op operation, o Outage, whole tried) {
	t.Helper()
	w := h.Open(t)
	j := judge{t: t, h: h, op: op, outage: o, whole: whole}
	r := attempt(t, h, op, w, o)
	j.judge(r)
	j.repair(w, r)
}

// checkCircuit has a product fail until it is not asked any more. Then an order is held
// back, which is not ambiguous; and once the product is back it is asked again.
func checkCircuit(t testing.TB, h FaultsHarness) {
	w := h.Open(t)
	reads, orders := operationNamed("read"), operationNamed("apply")
	if !orders.of(w.Client) {
		return // The client orders nothing.
	}
	breaker, ok := w.Client.(integrations.Breaker)
	if !ok {
		t.Fatalf("the client has no breaker")
	}
	if _, err := reads.do(t.Context(), w); err != nil {
		t.Fatalf("read: %v", err)
	}
	w.Front.Fail(Outage{Fault: Failing})
	for range 12 {
		_, err := reads.do(t.Context(), w)
		h.want(t, "read of what fails", err, integrations.Unavailable)
	}
	before := len(w.Front.Sent())
	_, err := orders.do(t.Context(), w)
	h.want(t, "order at what is not asked", err, integrations.Unavailable)
	if after := len(w.Front.Sent()); after != before || breaker.Circuit() != integrations.CircuitOpen {
		t.Errorf("%d requests were sent to what is not asked; the circuit is %s", after-before, breaker.Circuit())
	}
	w.Front.Fail(Outage{})
	// Each part of the product is asked again after a while.
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); err != nil && time.Now().Before(end); {
		<-tick.C
		_, err = orders.do(t.Context(), w)
	}
	h.fine(t, "order when it works again", err)
	w.World.Settle()
	if n := w.World.Effects(""); n != 1 {
		t.Errorf("%d effects after an order that was held back, and one that was not; want 1", n)
	}
}
