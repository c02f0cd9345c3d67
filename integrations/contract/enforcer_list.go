package contract

import (
	"context"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func listChecks() []check[EnforcerHarness] {
	return []check[EnforcerHarness]{
		{"what carries a key of ours is listed", eachAction(checkListed)},
		{"what somebody else made is not listed", eachAction(checkOthersUnlisted)},
	}
}

// checkListed lists what is in place on two devices, before, while and after it is.
func checkListed(t testing.TB, w trial) {
	lister, ok := w.Enforcer.(integrations.Lister)
	if !ok {
		return // The product cannot list.
	}
	first := w.order(w.action, "stanch-key-1")
	second := w.beside("stanch-key-2")
	w.lists(t, lister, "at first")
	w.apply(t, second)
	w.apply(t, first)
	w.lists(t, lister, "two", first, second)
	w.undo(t, first)
	w.lists(t, lister, "one of two", second)
	w.effects(t, "after lists", 3)
	w.undo(t, second)
	w.lists(t, lister, "in the end")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := lister.Standing(ctx); err == nil {
		t.Errorf("list: no error, though its context was cancelled")
	}
}

// beside is an order on the other device, of another far end where that is what the
// product contains.
func (w trial) beside(key string) incident.Order {
	o := w.on(w.order(w.action, key), w.Other)
	if w.Blocks != nil && w.action == incident.Block {
		o.Filter = w.filter("192.0.2.54")
	}
	return o
}

// checkOthersUnlisted lists beside what somebody else made.
func checkOthersUnlisted(t testing.TB, w trial) {
	lister, ok := w.Enforcer.(integrations.Lister)
	if !ok {
		return // The product cannot list.
	}
	w.Impose(w.order(w.action, "stanch-key-1"))
	w.lists(t, lister, "what somebody else made")
	ours := w.beside("stanch-key-2")
	w.apply(t, ours)
	w.lists(t, lister, "ours beside it", ours)
}

// lists fails unless the product lists these orders, in their order.
func (w trial) lists(t testing.TB, lister integrations.Lister, when string, want ...incident.Order) {
	t.Helper()
	got, err := lister.Standing(t.Context())
	w.fine(t, "list "+when, err)
	if len(got) != len(want) {
		t.Errorf("list %s: %+v, want %d of ours", when, got, len(want))
		return
	}
	for i, o := range want {
		if got[i].Key != o.Key || got[i].Action != o.Action || got[i].Rate != o.Rate {
			t.Errorf("list %s: %+v, want %+v", when, got[i], o)
		}
	}
}
