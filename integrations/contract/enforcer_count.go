package contract

import (
	"context"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func countChecks() []check[EnforcerHarness] {
	return []check[EnforcerHarness]{
		{"a rule that only counts contains nothing", eachAction(checkCountsOnly)},
		{"what cannot be counted is refused", eachAction(checkUncountable)},
	}
}

// counter is the product as one that counts, or nil where it counts nothing of the action.
func (w trial) counter() integrations.Counter {
	counter, ok := w.Enforcer.(integrations.Counter)
	if !ok || w.action == incident.Isolate {
		return nil
	}
	return counter
}

// checkCountsOnly counts beside a containment, before it, while it is in place and after.
func checkCountsOnly(t testing.TB, w trial) {
	counter := w.counter()
	if counter == nil {
		return // The product counts nothing of it.
	}
	o := w.order(w.action, "stanch-key-1")
	_, err := counter.Counted(t.Context(), o)
	w.want(t, "counted before it was asked for", err, integrations.NotFound)
	for range 2 {
		w.fine(t, "count", counter.CountOnly(t.Context(), o, time.Minute))
		w.counted(t, counter, o)
	}
	w.reads(t, o, false)
	if lister, ok := w.Enforcer.(integrations.Lister); ok {
		w.lists(t, lister, "a rule that only counts")
	}
	w.effects(t, "after a rule that only counts", 0)
	w.apply(t, o)
	w.counted(t, counter, o)
	w.undo(t, o)
	w.counted(t, counter, o)
	w.reads(t, o, false)
	_, err = counter.Counted(t.Context(), w.on(o, w.Other))
	w.want(t, "counted of another device", err, integrations.NotFound)
}

func (w trial) counted(t testing.TB, counter integrations.Counter, o incident.Order) {
	t.Helper()
	n, err := counter.Counted(t.Context(), o)
	w.fine(t, "counted", err)
	if n.DroppedBytes != 0 || n.DroppedPackets != 0 || n.PassedBytes < 0 || n.PassedPackets < 0 {
		t.Errorf("counted %+v: a rule that only counts drops nothing", n)
	}
}

func checkUncountable(t testing.TB, w trial) {
	counter := w.counter()
	if counter == nil {
		return // The product counts nothing of it.
	}
	o := w.order(w.action, "stanch-key-1")
	for _, lasts := range []time.Duration{-time.Second, 0, 25 * time.Hour} {
		w.want(t, "count for "+lasts.String(), counter.CountOnly(t.Context(), o, lasts), integrations.Invalid)
	}
	w.want(t, "count without a key", counter.CountOnly(t.Context(), w.order(w.action, ""), time.Minute), integrations.Invalid)
	w.want(t, "count on an unknown device", counter.CountOnly(t.Context(), w.on(o, w.unknownDevice(t)), time.Minute), integrations.NotFound)
	nobody := o
	nobody.Target = incident.Target{}
	w.want(t, "count on a zero target", counter.CountOnly(t.Context(), nobody, time.Minute), integrations.Invalid)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := counter.CountOnly(ctx, o, time.Minute); err == nil {
		t.Errorf("count: no error, though its context was cancelled")
	}
	_, err := counter.Counted(t.Context(), o)
	w.want(t, "counted after nothing was asked for", err, integrations.NotFound)
}
