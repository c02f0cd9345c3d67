package contract

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// schedules is how many schedules are tried; the variable STANCH_SCHEDULES sets
// another number.
const schedules = 50

// ScheduleHarness opens products that isolate devices by actions that complete in
// any order.
type ScheduleHarness struct {
	Knobs
	// Open returns an enforcer, and the world behind the product with one device,
	// the target's. Actions are carried out only when the world is told to.
	Open func(t testing.TB) (integrations.Enforcer, *edrtest.World, incident.Target)
}

// Schedules checks that a device ends as wanted in whichever order its actions
// complete, while it goes offline and comes back. The key stays the same: a device's lease has one. One seed is one schedule.
func Schedules(t *testing.T, h ScheduleHarness) {
	t.Helper()
	n := schedules
	if text := os.Getenv("STANCH_SCHEDULES"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatalf("STANCH_SCHEDULES: %v", err)
		}
	}
	for seed := range n {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			h.ran(t, "Schedules", fmt.Sprintf("seed %d", seed))
			schedule(t, h, uint64(seed))
		})
	}
}

// keeper wants a device isolated or not, as a lease does, and tries until it is.
type keeper struct {
	integrations.Enforcer
	order incident.Order
	wants bool
}

// step tries once, as the activities of a lease do: it reads, and writes where the
// device is not as wanted. A conflict is left for later.
func (k *keeper) step(ctx context.Context) (settled bool, err error) {
	r, err := k.Read(ctx, k.order)
	if err != nil {
		return false, err
	}
	ours := r.Key == k.order.Key
	switch {
	case k.wants && (r.Stands || r.Pending && ours):
		return r.Stands && !r.Pending, nil
	case k.wants:
		_, err = k.Apply(ctx, k.order)
	case r.Pending, r.Stands && ours:
		_, err = k.Undo(ctx, k.order)
	default:
		return true, nil
	}
	if integrations.KindOf(err) == integrations.Conflict {
		err = nil
	}
	return false, err
}

func schedule(t testing.TB, h ScheduleHarness, seed uint64) {
	enforcer, world, target := h.Open(t)
	world.OneAtATime()
	rnd := rand.New(rand.NewPCG(seed, 1434))
	k := &keeper{Enforcer: enforcer, order: incident.Order{
		Key: "stanch-key-1", Action: incident.Isolate, Target: target, Until: time.Now().Add(time.Hour), Reason: "contract suite",
	}}
	for i := range 12 {
		switch n := rnd.IntN(10); {
		case n < 3:
			k.wants = !k.wants
		case n == 3:
			world.Change(target.ID(), func(d *edrtest.Host) { d.Offline = !d.Offline })
		case n < 6:
			world.SettleSome(rnd.IntN)
		}
		settled, err := k.step(t.Context())
		h.fine(t, fmt.Sprintf("step %d", i), err)
		if settled && world.Isolated(target.ID()) != k.wants {
			t.Errorf("step %d: it reads as isolated: %t, and is not; actions: %+v", i, k.wants, world.Actions(target.ID()))
		}
	}
	world.Change(target.ID(), func(d *edrtest.Host) { d.Offline = false })
	settled := false
	for range 20 {
		world.SettleBy(rnd.IntN)
		ok, err := k.step(t.Context())
		h.fine(t, "last step", err)
		if settled = ok; ok {
			break
		}
	}
	if !settled || world.Isolated(target.ID()) != k.wants {
		t.Errorf("the device is isolated: %t, wanted: %t, settled: %t; actions: %+v", world.Isolated(target.ID()), k.wants, settled, world.Actions(target.ID()))
	}
}
