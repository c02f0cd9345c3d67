package contract

import (
	"slices"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// What an isolation must leave open is told to the product, or compared with what it
// leaves open itself before anything is written; else its Spec says who decides.
func checkExcepted(t testing.TB, w trial) {
	if w.action != incident.Isolate {
		return
	}
	o := w.order(w.action, "stanch-key-1")
	o.Except = []string{"192.0.2.10", "198.51.100.0/24"}
	if w.ExceptBy != "" {
		if w.Excepted != nil || w.Permit != nil {
			t.Errorf("the Spec says that exceptions are not in our hands (%s), and the harness shows that they are", w.ExceptBy)
		}
		lacks(t, w.ExceptBy)
		w.apply(t, o)
		w.effects(t, "with exceptions that are not in our hands", 1)
		return
	}
	if w.Excepted == nil {
		t.Fatalf("isolate: the harness does not show what the product leaves open, and the Spec does not say who decides it")
	}
	if w.Permit != nil {
		w.refusesUnpermitted(t, o)
	}
	w.apply(t, o)
	w.leavesOpen(t, o.Except)
	w.effects(t, "with exceptions", 1)
	if w.Permit == nil {
		// Those of one order are not those of the next.
		w.undo(t, o)
		o.Except = nil
		w.apply(t, o)
		w.leavesOpen(t, nil)
	}
}

// refusesUnpermitted orders an isolation of which the product has no exception, and
// then one only.
func (w trial) refusesUnpermitted(t testing.TB, o incident.Order) {
	t.Helper()
	_, err := w.Apply(t.Context(), o)
	w.want(t, "isolate without the product's exceptions", err, integrations.Invalid)
	w.Permit(o.Except[0])
	_, err = w.Apply(t.Context(), o)
	w.want(t, "isolate with one of the product's exceptions", err, integrations.Invalid)
	w.settle()
	w.reads(t, o, false)
	w.effects(t, "without all exceptions", 0)
	w.Permit(o.Except[1:]...)
}

func (w trial) leavesOpen(t testing.TB, want []string) {
	t.Helper()
	if got, want := networks(t, w.Excepted(w.EnforcerWorld.Target)), networks(t, want); !slices.Equal(got, want) {
		t.Errorf("isolate: the product leaves %v open, want %v", got, want)
	}
}

// networks are addresses and networks in one spelling, sorted.
func networks(t testing.TB, texts []string) []string {
	t.Helper()
	var out []string
	for _, text := range texts {
		n, err := incident.NetworkOf(text)
		if err != nil {
			t.Errorf("isolate: the product leaves open: %v", err)
		}
		out = append(out, n.String())
	}
	slices.Sort(out)
	return out
}
