package workflows_test

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// expiring is a flood that goes on and is limited by a product that knows hosts by address
// and ends each limit by itself at the end that it was told.
func expiring(t *testing.T) (*world, string) {
	t.Helper()
	w, id := holding(t, "hold_at_most: 8h")
	w.byAddress()
	behave(t, w.estate, incident.RateLimit, memory.Behaviour{Expires: true})
	return w, id
}

// A limit that goes on longer than the product was told at first does not end there.
func TestAProductIsToldTheLaterEnd(t *testing.T) {
	t.Parallel()
	w, id := expiring(t)
	rate := w.sending(90 * time.Minute)
	w.run(2 * time.Hour)
	if *rate > 2_100_000 {
		t.Errorf("after the first end the host sends %s", incident.FormatRate(*rate))
	}
	if c := w.see(id); len(happened(c, incident.EvHeldAgain)) != 1 || len(happened(c, incident.EvDrifted)) > 0 {
		t.Errorf("held again %v, drifted %v", happened(c, incident.EvHeldAgain), happened(c, incident.EvDrifted))
	}
	w.contained(incident.RateLimit, 1, 0)
}

// A second case that holds the limit longer moves its end, too.
func TestTheProductIsToldTheEndOfTheLastHolder(t *testing.T) {
	t.Parallel()
	w, first := limited(t)
	w.byAddress()
	w.pinned()
	behave(t, w.estate, incident.RateLimit, memory.Behaviour{Expires: true})
	second := w.second(30*time.Minute, "do: [evidence, throttle, cut-off, tell]", "do: [throttle, tell]")
	rate := w.sending(75 * time.Minute)
	w.run(80 * time.Minute)
	if *rate > 2_100_000 {
		t.Errorf("after the first case's end the host sends %s", incident.FormatRate(*rate))
	}
	w.ended(first, incident.OutcomeGivenBack)
	if s := step(t, w.see(second), "throttle"); s.Status != incident.StepStanding {
		t.Errorf("the second case's limit is %s", s.Status)
	}
	w.contained(incident.RateLimit, 1, 0)
}

// A gateway that cannot be reached when the end moves is told later.
func TestAProductThatIsAwayIsToldTheLaterEndLater(t *testing.T) {
	t.Parallel()
	w, _ := expiring(t)
	// The case has read the counters, and the lease is about to tell the gateway.
	w.do(59*time.Minute+45*time.Second, func(e *memory.Estate) { e.Fail("apply rate_limit", down(), -1) })
	w.do(59*time.Minute+58*time.Second, (*memory.Estate).Mend)
	rate := w.sending(90 * time.Minute)
	w.run(2 * time.Hour)
	if *rate > 2_100_000 {
		t.Errorf("after the first end the host sends %s", incident.FormatRate(*rate))
	}
	w.contained(incident.RateLimit, 1, 0)
}

// What a person took away, or loosened, stays so when the end moves.
func TestALaterEndPutsNothingRight(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*memory.Estate, incident.Order) error{
		"lifted":  func(e *memory.Estate, o incident.Order) error { return e.Lift(o) },
		"retuned": func(e *memory.Estate, o incident.Order) error { return e.Retune(o, 5_000_000) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := limited(t)
			w.byAddress()
			behave(t, w.estate, incident.RateLimit, memory.Behaviour{Expires: true})
			w.byHand(20*time.Minute, change)
			until := start.Add(3 * time.Hour)
			moved := w.change(30*time.Minute, leaseOf(incident.RateLimit, "ws-042"), protocol.ExtendUpdate, protocol.ExtendRequest{By: "alice", Reason: "r", Until: until})
			rate := w.sending(50 * time.Minute)
			w.run(55 * time.Minute)
			if *moved != nil {
				t.Fatal(*moved)
			}
			if *rate < 4_000_000 {
				t.Errorf("the host sends %s: what a person changed was put right", incident.FormatRate(*rate))
			}
			w.contained(incident.RateLimit, 1, 0)
		})
	}
}
