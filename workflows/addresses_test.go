package workflows_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/workflows"
)

// edge is a gateway of the estate that knows devices by their addresses, and notes
// what it is ordered.
type edge struct {
	*memory.Estate
	mu     sync.Mutex
	orders []incident.Order
}

func (e *edge) Apply(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	e.mu.Lock()
	e.orders = append(e.orders, o)
	e.mu.Unlock()
	return e.Estate.Apply(ctx, o)
}

// byAddress puts such a gateway before the estate.
func byAddress(w *world) *edge {
	e := &edge{Estate: w.estate}
	w.set.Add("gateway", integrations.Spec{Kind: "memory", ByAddress: true}, e)
	return e
}

// has sets the addresses that the EDR tells of ws-042.
func has(t *testing.T, e *memory.Estate, ips ...string) {
	t.Helper()
	known := incident.Known(ips, incident.FromEDR)
	if len(ips) == 0 {
		known = incident.NotKnown[[]string]("the device does not say")
	}
	if err := e.SetFacts("ws-042", incident.Facts{Endpoint: incident.Endpoint{IP: known}}); err != nil {
		t.Error(err)
	}
}

// throttleAfterAsking has people asked before the limit.
func throttleAfterAsking() []string {
	return []string{"      - throttle\n      - approve: on-call\n      - cut-off\n", "      - approve: on-call\n      - throttle\n"}
}

// The order for a product that sits in the network names the device's own addresses,
// and none that is of a link.
func TestALimitNamesTheDevicesOwnAddresses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	gateway := byAddress(w)
	has(t, w.estate, "2001:db8::42", "10.20.4.42", "fe80::1")
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	w.run(5 * time.Hour)
	c := w.ended(id, incident.OutcomeGivenBack)
	want := []string{"10.20.4.42", "2001:db8::42"}
	if len(gateway.orders) != 1 || !slices.Equal(gateway.orders[0].Addresses, want) {
		t.Errorf("the gateway was ordered %+v, want the addresses %v", gateway.orders, want)
	}
	throttle, cutOff := step(t, c, "throttle"), step(t, c, "cut-off")
	if !slices.Equal(throttle.Addresses, want) || len(cutOff.Addresses) != 0 {
		t.Errorf("the plan names %v for the gateway and %v for the EDR, want %v and none", throttle.Addresses, cutOff.Addresses, want)
	}
	if cutOff.Fallback == nil || !slices.Equal(cutOff.Fallback.Addresses, want) {
		t.Errorf("what takes the isolation's place is %+v, want it to name %v", cutOff.Fallback, want)
	}
	if got, want := throttle.Does("ws-042"), "limit ws-042 (10.20.4.42 and 1 more) to 2 Mbit/s"; got != want {
		t.Errorf("people read %q, want %q", got, want)
	}
}

// Without an address that is the device's alone nothing is limited by address, and the
// case says why; what needs none is done.
func TestALimitByAddressNeedsAnAddressOfTheDevice(t *testing.T) {
	t.Parallel()
	vpn := "assets: [{ name: ws-042.corp.example, role: workstation, tags: [vpn] }]\n"
	for name, c := range map[string]struct {
		ips       []string
		inventory string
		why       string
	}{
		"unknown":          {nil, shares, "endpoint.ip is unknown (the device does not say)"},
		"of a link":        {[]string{"fe80::42", "169.254.4.42"}, shares, "endpoint.ip is unknown (none of the device's addresses is one by which a network knows it: fe80::42, 169.254.4.42)"},
		"of many hosts":    {[]string{"10.20.4.42"}, vpn, "source not attributable: 10.20.4.42 is the VPN address of ws-042.corp.example"},
		"one of all these": {[]string{"10.20.4.42", "10.0.0.7"}, shares, "source not attributable: 10.0.0.7 is the NAT address of fw-01"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := behind(t, c.inventory)
			gateway := byAddress(w)
			has(t, w.estate, c.ips...)
			id := w.open(alertFor("ws-042", "10.20.4.42"))
			w.explainOnFailure(id)
			soon := w.snap(2*time.Minute, id)
			w.vote(3*time.Minute, id, &ballot{who: alice()})
			w.run(5 * time.Hour)
			if len(gateway.orders) != 0 {
				t.Errorf("the gateway was ordered %+v", gateway.orders)
			}
			limits := 0
			incident.EachStep(soon.Plan.Steps, func(s *incident.PlannedStep) {
				if s.Action != incident.RateLimit {
					return
				}
				if limits++; s.Problem != c.why || len(s.Addresses) != 0 {
					t.Errorf("%s: the problem is %q, the addresses %v, want %q and none", s.Name, s.Problem, s.Addresses, c.why)
				}
			})
			if limits == 0 {
				t.Errorf("the plan has no limit: %v", soon.Plan.Steps)
			}
		})
	}
}

// A device that lost an address by the time of the write is another as far as the
// network can tell: what people approved is not done.
func TestADeviceThatMovedIsNotLimited(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		now  []string
		held string
	}{
		"another address":    {[]string{"10.20.4.50"}, "the device has 10.20.4.50 now, the plan is for 10.20.4.42, 10.20.4.43"},
		"one of the two":     {[]string{"10.20.4.50", "10.20.4.42"}, "the device has 10.20.4.42, 10.20.4.50 now, the plan is for 10.20.4.42, 10.20.4.43"},
		"unknown":            {nil, "the device's addresses are unknown now (the device does not say), the plan is for 10.20.4.42, 10.20.4.43"},
		"one more":           {[]string{"10.20.4.43", "10.20.4.42", "10.20.4.50"}, ""},
		"the same otherwise": {[]string{"::ffff:10.20.4.43", "10.20.4.42"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := asked(t, throttleAfterAsking()...)
			gateway := byAddress(w)
			facts := incident.Facts{Asset: incident.Asset{Role: incident.NotKnown[string]("the inventory does not say")}}
			facts.Endpoint.IP = incident.Known([]string{"10.20.4.42", "10.20.4.43"}, incident.FromEDR)
			if err := w.estate.SetFacts("ws-042", facts); err != nil {
				t.Fatal(err)
			}
			w.do(time.Minute, func(e *memory.Estate) { has(t, e, c.now...) })
			yes := &ballot{who: alice()}
			w.vote(2*time.Minute, id, yes)
			w.run(5 * time.Hour)
			if !yes.counted {
				t.Fatalf("the answer does not count: %v", yes.refused)
			}
			if c.held == "" {
				w.ended(id, incident.OutcomeGivenBack)
				if len(gateway.orders) != 1 {
					t.Errorf("the gateway was ordered %+v, want one limit", gateway.orders)
				}
				return
			}
			ended := w.ended(id, incident.OutcomeNoTarget)
			if len(gateway.orders) != 0 {
				t.Errorf("the gateway was ordered %+v", gateway.orders)
			}
			if got := texts(ended, incident.EvHeldBack, c.held); len(got) != 1 {
				t.Errorf("held back: %v, want %q", happened(ended, incident.EvHeldBack), c.held)
			}
		})
	}
}

// An address under which others send by the time of the write is not limited.
func TestAnAddressThatOthersShareByNowIsNotLimited(t *testing.T) {
	t.Parallel()
	w, id := asked(t)
	// Nothing is known of the traffic: the address alone holds the limit back.
	w.estate.Fail("traffic", down(), -1)
	gateway := byAddress(w)
	w.do(time.Minute, func(e *memory.Estate) {
		set(t, e, incident.Asset{Role: incident.Known("workstation", incident.FromInventory), Tags: incident.Known([]string{"nat"}, incident.FromInventory)})
	})
	yes := &ballot{who: alice()}
	w.vote(2*time.Minute, id, yes)
	w.run(5 * time.Hour)
	c := w.ended(id, incident.OutcomeNoTarget)
	if got := texts(c, incident.EvHeldBack, "source not attributable: 10.20.4.42 is the NAT address of ws-042"); !yes.counted || len(got) != 1 || len(gateway.orders) != 0 {
		t.Errorf("after the answer (%v) the gateway was ordered %+v; held back: %v", yes.refused, gateway.orders, happened(c, incident.EvHeldBack))
	}
}

// A lease is for the addresses that it was made for: a holder that names another is
// told, and not that it is limited.
func TestALeaseIsForItsAddresses(t *testing.T) {
	t.Parallel()
	h := throttled(t, 2_000_000, "10.20.4.42", "10.20.4.43")
	gateway := byAddress(h.world)
	named := func(ips ...string) func(*protocol.HoldRequest) {
		return func(r *protocol.HoldRequest) { r.Order.Addresses = ips }
	}
	fine := []*reply[incident.Lease]{
		h.holds(time.Minute, "a", "one", "a1", 20*time.Minute),
		h.holds(2*time.Minute, "b", "one", "b1", 20*time.Minute, named("10.20.4.42")),
		// One that is over, and waits for a request that may still come, binds nobody.
		h.holds(20*time.Minute+20*time.Second, "d", "one", "d1", time.Hour, named("10.20.4.50")),
	}
	h.givesUp(19*time.Minute+30*time.Second, "z", "one", "z1")
	moved := h.holds(3*time.Minute, "c", "one", "c1", time.Hour, named("10.20.4.42", "10.20.4.50"))
	h.heldBy(4*time.Minute, "a/one 20m", "b/one 20m")
	h.run(2 * time.Hour)
	h.accepted(fine...)
	isRefused(t, moved.err, workflows.RefusedInvalid)
	if want := "the lease is for the addresses 10.20.4.42, 10.20.4.43, the order for 10.20.4.42, 10.20.4.50"; !strings.Contains(fmt.Sprint(moved.err), want) {
		t.Errorf("the answer is %v, want %q", moved.err, want)
	}
	if n := len(gateway.orders); n != 2 || !slices.Equal(gateway.orders[1].Addresses, []string{"10.20.4.50"}) {
		t.Errorf("the gateway was ordered %+v, want two limits, the second for 10.20.4.50", gateway.orders)
	}
}

// Infrastructure is not limited by its address either, whatever else the device has.
func TestInfrastructureIsNotLimitedByItsAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	gateway := byAddress(w)
	w.activities.Infrastructure = incident.Infrastructure{Networks: networks("10.1.0.5/32")}
	has(t, w.estate, "10.20.4.42", "10.1.0.5")
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	w.run(5 * time.Hour)
	c := w.ended(id, incident.OutcomeDenied)
	if c.Decision.DeniedBy != incident.OwnInfrastructure || len(gateway.orders) != 0 {
		t.Errorf("denied by %q; the gateway was ordered %+v", c.Decision.DeniedBy, gateway.orders)
	}
	incident.EachStep(c.Plan.Steps, func(s *incident.PlannedStep) {
		if len(s.Addresses) != 0 {
			t.Errorf("the plan names %v", s.Addresses)
		}
	})
}
