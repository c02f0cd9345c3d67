package contract

import (
	"context"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// isolator is a client of a product whose actions complete in any order. Its
// mistakes are those that the suites must see.
type isolator struct {
	world *edrtest.World
	// hasty writes though another action is open; gullible takes an accepted
	// action for one that was carried out.
	hasty, gullible bool
}

func (e isolator) Read(_ context.Context, o incident.Order) (incident.Reading, error) {
	var r incident.Reading
	for _, a := range e.world.Actions(o.Target.ID()) {
		if a.Open() {
			r.Pending = true
		}
		r.Key = a.Comment
		if e.gullible {
			r.Stands = a.Kind == edrtest.Isolate
		}
	}
	if e.gullible {
		r.Pending = false
		return r, nil
	}
	if r.Stands = e.world.Isolated(o.Target.ID()); !r.Stands && !r.Pending {
		r.Key = ""
	}
	return r, nil
}

func (e isolator) write(o incident.Order, kind edrtest.Kind) (incident.Receipt, error) {
	if open := e.world.Open(o.Target.ID()); len(open) > 0 && !e.hasty {
		if kind == edrtest.Isolate && open[0].Kind == kind {
			return incident.Receipt{}, nil
		}
		return incident.Receipt{}, integrations.Errorf(integrations.Conflict, "write", "an action is open")
	}
	if e.world.Isolated(o.Target.ID()) == (kind == edrtest.Isolate) && !e.gullible {
		return incident.Receipt{}, nil
	}
	e.world.Order(edrtest.Action{Kind: kind, Host: o.Target.ID(), Comment: o.Key})
	return incident.Receipt{}, nil
}

func (e isolator) Apply(_ context.Context, o incident.Order) (incident.Receipt, error) {
	return e.write(o, edrtest.Isolate)
}

func (e isolator) Undo(_ context.Context, o incident.Order) (incident.Receipt, error) {
	return e.write(o, edrtest.Release)
}

// A client that writes while an action is open, and one that believes what was
// accepted, leave a device as nobody wants it.
func TestSchedulesBite(t *testing.T) {
	for _, c := range []struct {
		name  string
		with  isolator
		bites bool
	}{
		{"waits", isolator{}, false}, {"hasty", isolator{hasty: true}, true}, {"gullible", isolator{gullible: true}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &recorder{TB: t}
			for seed := range uint64(20) {
				schedule(r, ScheduleHarness{Open: func(testing.TB) (integrations.Enforcer, *edrtest.World, incident.Target) {
					w := edrtest.New(r, time.Now)
					w.Add(edrtest.Host{ID: "ws-042"})
					e := c.with
					e.world = w
					return e, w, device(t, "ws-042")
				}}, seed)
			}
			if got := len(r.failures) > 0; got != c.bites {
				t.Errorf("the schedules complained: %t, want %t: %v", got, c.bites, r.failures)
			}
		})
	}
}
