package contract

import (
	"context"
	"slices"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// dropping isolates without the exceptions of the order.
type dropping struct{ *memory.Estate }

func (f dropping) Apply(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	o.Except = nil
	return f.Estate.Apply(ctx, o)
}

// hoarding leaves open what it was ever told to.
type hoarding struct {
	*memory.Estate
	ever []string
}

func (g *hoarding) Apply(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	g.ever = append(g.ever, o.Except...)
	o.Except = g.ever
	return g.Estate.Apply(ctx, o)
}

// exacting compares an order with the exceptions that the product has: all of them,
// or the first only.
type exacting struct {
	*memory.Estate
	has   map[string]bool
	first bool
}

func (x exacting) Apply(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	for _, e := range o.Except {
		if !x.has[e] {
			return incident.Receipt{}, integrations.Errorf(integrations.Invalid, "isolate", "%s is not excepted", e)
		}
		if x.first {
			break
		}
	}
	return x.Estate.Apply(ctx, o)
}

func TestExceptionsAreToldOrCompared(t *testing.T) {
	const name = "an isolation leaves open what its order excepts"
	plain := func(edit func(*EnforcerWorld, *memory.Estate)) EnforcerHarness {
		return EnforcerHarness{Open: func(t testing.TB) EnforcerWorld {
			e := estate(t, "ws-042", "ws-0421")
			w := EnforcerWorld{
				Enforcer: e, Actions: []incident.Action{incident.Isolate}, Target: device(t, "ws-042"), Other: device(t, "ws-0421"),
				Effects:  func() int { return len(e.Effects()) },
				Excepted: func(on incident.Target) []string { return e.Excepted(on.ID()) },
			}
			edit(&w, e)
			return w
		}}
	}
	permitting := func(first bool) func(*EnforcerWorld, *memory.Estate) {
		return func(w *EnforcerWorld, e *memory.Estate) {
			x := exacting{e, map[string]bool{}, first}
			w.Enforcer = x
			w.Permit = func(addresses ...string) {
				for _, a := range addresses {
					x.has[a] = true
				}
			}
		}
	}
	for what, tt := range map[string]struct {
		edit  func(*EnforcerWorld, *memory.Estate)
		bites bool
	}{
		"an honest one":                    {edit: func(*EnforcerWorld, *memory.Estate) {}},
		"one that forgets them":            {func(w *EnforcerWorld, e *memory.Estate) { w.Enforcer = dropping{e} }, true},
		"one that leaves more open":        {func(w *EnforcerWorld, e *memory.Estate) { w.Enforcer = &hoarding{Estate: e} }, true},
		"one that compares":                {edit: permitting(false)},
		"one that compares the first only": {permitting(true), true},
		"one that does not compare": {func(w *EnforcerWorld, e *memory.Estate) {
			permitting(false)(w, e)
			w.Enforcer = e
		}, true},
		"one that says nothing": {func(w *EnforcerWorld, _ *memory.Estate) { w.Excepted = nil }, true},
		"one whose Spec says that the product decides": {edit: func(w *EnforcerWorld, _ *memory.Estate) {
			w.Excepted, w.ExceptBy = nil, "a policy decides"
		}},
		"one whose Spec says so though it is not true": {func(w *EnforcerWorld, _ *memory.Estate) { w.ExceptBy = "a policy decides" }, true},
	} {
		t.Run(what, func(t *testing.T) {
			only := slices.DeleteFunc(enforcerChecks(), func(c check[EnforcerHarness]) bool { return c.name != name })
			got := verdicts(t, plain(tt.edit), only)
			if _, bit := got[name]; bit != tt.bites {
				t.Errorf("the check complains: %t (%s), want %t", bit, got[name], tt.bites)
			}
		})
	}
}
