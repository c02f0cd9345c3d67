package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// byAddress has limits be ordered as of a product that knows devices by their addresses.
func (w *world) byAddress() {
	addresses := []string{"10.20.4.42"}
	w.engine.edit = func(c *activities.Call) {
		if in, ok := c.Input.(protocol.LeaseInput); ok && in.Order.Action == incident.RateLimit {
			in.Order.Addresses = addresses
			c.Input = in
		}
		if in, ok := c.Arg.(protocol.HoldRequest); ok && in.Order.Action == incident.RateLimit {
			in.Order.Addresses = addresses
			c.Arg = in
		}
	}
}

// atGateway is the order of the limit of ws-042, as somebody at the gateway names it.
func atGateway(t *testing.T) incident.Order {
	t.Helper()
	device, err := incident.DeviceTarget("ws-042", "ws-042")
	if err != nil {
		t.Fatal(err)
	}
	return incident.Order{Action: incident.RateLimit, Target: device}
}

// byHand changes the limit at the gateway at a time.
func (w *world) byHand(after time.Duration, change func(*memory.Estate, incident.Order) error) {
	o := atGateway(w.t)
	w.do(after, func(e *memory.Estate) {
		if err := change(e, o); err != nil {
			w.t.Error(err)
		}
	})
}

// A limit that somebody takes away, or changes, is told once, and never put right.
func TestDriftIsToldOnceAndNotOverwritten(t *testing.T) {
	t.Parallel()
	w, id := limited(t)
	w.byAddress()
	w.byHand(10*time.Minute, func(e *memory.Estate, o incident.Order) error { return e.Retune(o, 5_000_000) })
	changed := w.snap(20*time.Minute, id)
	w.byHand(21*time.Minute, func(e *memory.Estate, o incident.Order) error { return e.Retune(o, 2_000_000) })
	right := w.snap(30*time.Minute, id)
	w.byHand(31*time.Minute, func(e *memory.Estate, o incident.Order) error { return e.Lift(o) })
	gone := w.snap(50*time.Minute, id)
	w.run(3 * time.Hour)

	if s := step(t, *changed, "throttle"); s.Problem != "its rate is 5 Mbit/s, not 2 Mbit/s" || len(happened(*changed, incident.EvDrifted)) != 1 {
		t.Errorf("with another rate: problem %q, told %d times", s.Problem, len(happened(*changed, incident.EvDrifted)))
	}
	if s := step(t, *right, "throttle"); s.Problem != "" || len(happened(*right, incident.EvAsHeld)) != 1 {
		t.Errorf("with its rate again: problem %q, told %d times", s.Problem, len(happened(*right, incident.EvAsHeld)))
	}
	if len(w.told("page/", "5 Mbit/s")) != 0 {
		t.Error("people were paged for another rate")
	}
	if s := step(t, *gone, "throttle"); s.Problem != "the limit is gone from gateway" || s.Status != incident.StepStanding {
		t.Errorf("gone: problem %q, %s", s.Problem, s.Status)
	}
	if n := len(w.told("page/", "the limit is gone from gateway")); n != 1 {
		t.Errorf("people were paged %d times that it is gone", n)
	}
	c := w.ended(id, incident.OutcomeGivenBack)
	if n := len(texts(c, incident.EvDrifted, "")); n != 2 {
		t.Errorf("drift was told %d times", n)
	}
	if n := len(texts(c, incident.EvGivenBack, "it was no longer in place")); n != 1 {
		t.Errorf("given back: %v", texts(c, incident.EvGivenBack, ""))
	}
	w.contained(incident.RateLimit, 1, 0)
}

// A gateway that does not answer shows nothing, neither that it drifted nor that it is as
// it should be again.
func TestAGatewayThatDoesNotAnswerHasNotDrifted(t *testing.T) {
	t.Parallel()
	w, id := limited(t)
	w.byAddress()
	w.do(3*time.Minute, func(e *memory.Estate) { e.Fail("read rate_limit", down(), -1) })
	silent := w.snap(20*time.Minute, id)
	w.do(21*time.Minute, func(e *memory.Estate) { e.Mend() })
	w.byHand(22*time.Minute, func(e *memory.Estate, o incident.Order) error { return e.Lift(o) })
	w.do(30*time.Minute, func(e *memory.Estate) { e.Fail("read rate_limit", down(), -1) })
	gone := w.snap(45*time.Minute, id)
	w.run(46 * time.Minute)
	if n := len(happened(*silent, incident.EvDrifted)); n != 0 {
		t.Errorf("%d drifts were told of a gateway that does not answer", n)
	}
	if s := step(t, *gone, "throttle"); !strings.Contains(s.Problem, "gone") || len(happened(*gone, incident.EvAsHeld)) != 0 {
		t.Errorf("problem %q, told as it should be %d times", s.Problem, len(happened(*gone, incident.EvAsHeld)))
	}
}

// What has drifted is told once, also across runs of the lease, and a stricter limit that
// takes the place of a looser one is no drift.
func TestDriftIsKnownAcrossRuns(t *testing.T) {
	t.Parallel()
	w, id := limited(t, "ttl: 1h", "ttl: 12h")
	w.byAddress()
	lease := leaseOf(incident.RateLimit, "ws-042")
	w.yield(7*time.Minute, lease)
	w.byHand(10*time.Minute, func(e *memory.Estate, o incident.Order) error { return e.Retune(o, 5_000_000) })
	w.yield(17*time.Minute, lease)
	w.yield(33*time.Minute, lease)
	later := w.snap(time.Hour, id)
	w.run(2 * time.Hour)
	if n := len(happened(*later, incident.EvDrifted)); n != 1 {
		t.Errorf("drift was told %d times", n)
	}
	l, err := w.Lease(lease)
	if err != nil || l.Drifted != "its rate is 5 Mbit/s, not 2 Mbit/s" {
		t.Errorf("the lease says %q (%v)", l.Drifted, err)
	}
}

func TestAStricterLimitIsNoDrift(t *testing.T) {
	t.Parallel()
	w, id := limited(t)
	w.byAddress()
	w.pinned()
	second := w.second(7*time.Minute, "do: [evidence, throttle, cut-off, tell]", "do: [evidence, throttle, tell]", "{ rate: 2Mbit }", "{ rate: 1Mbit }")
	w.run(50 * time.Minute)
	for _, id := range []string{id, second} {
		if c := w.see(id); len(happened(c, incident.EvDrifted)) != 0 {
			t.Errorf("case %s: %v", id, texts(c, incident.EvDrifted, ""))
		}
	}
	if l, err := w.Lease(leaseOf(incident.RateLimit, "ws-042")); err != nil || l.Order.Rate != 1_000_000 {
		t.Errorf("the limit is %d (%v)", l.Order.Rate, err)
	}
}

// Products that know devices by id are not read again and again.
func TestOnlyWhatIsByAddressIsWatched(t *testing.T) {
	t.Parallel()
	w, id := limited(t)
	w.byHand(10*time.Minute, func(e *memory.Estate, o incident.Order) error { return e.Lift(o) })
	during := w.snap(30*time.Minute, id)
	w.run(40 * time.Minute)
	if n := len(happened(*during, incident.EvDrifted)); n != 0 {
		t.Errorf("drift was told %d times", n)
	}
}

// A gateway that cannot be reached at the end is tried for as long as it takes, and people
// are told.
func TestTheUndoAtAGatewayThatIsDownGoesOn(t *testing.T) {
	t.Parallel()
	w, id := limited(t)
	w.byAddress()
	w.do(30*time.Minute, func(e *memory.Estate) {
		e.Fail("read rate_limit", down(), -1)
		e.Fail("undo rate_limit", down(), -1)
	})
	lease := leaseOf(incident.RateLimit, "ws-042")
	var pending incident.Lease
	w.At(30*time.Hour, func() { pending, _ = w.Lease(lease) })
	during := w.snap(30*time.Hour, id)
	w.do(30*time.Hour+time.Minute, func(e *memory.Estate) { e.Mend() })
	w.run(40 * time.Hour)
	if pending.Phase != incident.Undoing || !strings.HasPrefix(pending.Problem, "the undo has not worked yet: unavailable") {
		t.Errorf("the lease is %s: %s", pending.Phase, pending.Problem)
	}
	s := step(t, *during, "throttle")
	if !strings.Contains(s.Problem, "undo pending") || s.Status != incident.StepStanding {
		t.Errorf("the step is %s: %s", s.Status, s.Problem)
	}
	if n := len(w.told("page/", "still trying")); n != 1 {
		t.Errorf("people were paged %d times", n)
	}
	w.contained(incident.RateLimit, 1, 1)
	w.ended(id, incident.OutcomeGivenBack)
}
