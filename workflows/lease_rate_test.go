package workflows_test

import (
	"context"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// both opens a case that limits a host to 2 Mbit/s for four hours, and after ten minutes another one
// that limits it to 500 kbit/s for one.
func both(t *testing.T) (w *world, first, second string) {
	t.Helper()
	w, first = limited(t, "ttl: 1h, unsure: act", "ttl: 4h, unsure: act")
	w.byAddress()
	w.pinned()
	second = w.second(10*time.Minute, "do: [evidence, throttle, cut-off, tell]", "do: [throttle, tell]",
		"rate: 2Mbit", "rate: 500kbit", "egress_below: 3Mbit", "egress_below: 900kbit")
	w.explainOnFailure(second)
	return w, first, second
}

// Of two rates the lower holds for as long as somebody needs it, and then the higher one.
func TestTheHigherRateHoldsWhenTheLowerIsNotNeeded(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func(*world){
		"by the product's leave": func(*world) {},
		"an answer is lost":      func(w *world) { w.set.Add("gateway", loosening(), &lossy{Estate: w.estate}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, first, second := both(t)
			edit(w)
			strict, loose, over := w.sending(20*time.Minute), w.sending(80*time.Minute), w.sending(4*time.Hour+10*time.Minute)
			then := w.snap(2*time.Hour, first)
			w.run(5 * time.Hour)
			if *strict > 600_000 || *loose < 1_800_000 || *loose > 2_200_000 || *over < 30_000_000 {
				t.Errorf("the host sends %d, %d and %d bit/s; want 500 kbit/s, 2 Mbit/s when the stricter limit is over, and 40 Mbit/s in the end", *strict, *loose, *over)
			}
			if n := len(texts(*then, incident.EvAsHeld, "its rate is 2 Mbit/s again")); n != 1 || len(happened(*then, incident.EvDrifted)) > 0 {
				t.Errorf("the case was told %d times: %+v", n, happened(*then, incident.EvAsHeld))
			}
			if s := step(t, *then, "throttle"); s.Status != incident.StepStanding {
				t.Errorf("the first case's limit is %s", s.Status)
			}
			w.contained(incident.RateLimit, 2, 2)
			w.ended(first, incident.OutcomeGivenBack)
			w.ended(second, incident.OutcomeGivenBack)
		})
	}
}

func loosening() integrations.Spec {
	return integrations.Spec{Kind: "memory", ByAddress: true, Actions: []incident.Action{incident.RateLimit}}
}

// lossy loses the answers to the second and third limit that it takes.
type lossy struct {
	*memory.Estate
	applied int
}

func (l *lossy) Apply(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	r, err := l.Estate.Apply(ctx, o)
	if l.applied++; err == nil && (l.applied == 3 || l.applied == 4) {
		return incident.Receipt{}, integrations.Errorf(integrations.Ambiguous, "apply", "the answer was lost")
	}
	return r, err
}

// What a person changed or took away stays so when the lower rate is not needed any more.
func TestAHigherRatePutsNothingRight(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*memory.Estate, incident.Order) error{
		"lifted":  func(e *memory.Estate, o incident.Order) error { return e.Lift(o) },
		"retuned": func(e *memory.Estate, o incident.Order) error { return e.Retune(o, 5_000_000) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _, _ := both(t)
			w.byHand(30*time.Minute, change)
			rate := w.sending(80 * time.Minute)
			w.run(90 * time.Minute)
			if *rate < 4_000_000 {
				t.Errorf("the host sends %s: what a person changed was put right", incident.FormatRate(*rate))
			}
		})
	}
}

// A holder that is older than its rate loosens nothing.
func TestAHolderWithoutARateLoosensNothing(t *testing.T) {
	t.Parallel()
	w, _, _ := both(t)
	w.engine.edit = func(c *activities.Call) {
		if req, ok := c.Arg.(protocol.HoldRequest); ok {
			req.Holder.Rate = 0
			c.Arg = req
		}
	}
	rate := w.sending(80 * time.Minute)
	w.run(5 * time.Hour)
	if *rate > 600_000 {
		t.Errorf("the host sends %s", incident.FormatRate(*rate))
	}
	w.contained(incident.RateLimit, 1, 1)
}
