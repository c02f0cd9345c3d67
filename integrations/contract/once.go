package contract

import (
	"context"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// CollectorHarness opens a product that collects evidence.
type CollectorHarness struct {
	Knobs
	// Open returns a product with a device on which a process runs.
	Open func(t testing.TB) CollectorWorld
}

// CollectorWorld is an opened product.
type CollectorWorld struct {
	integrations.Collector
	Target incident.Target
	Break  func(Fault)
}

// Collector checks an [integrations.Collector].
func Collector(t *testing.T, h CollectorHarness) {
	t.Helper()
	run(t, "Collector", h, collectorChecks())
}

func collectorChecks() []check[CollectorHarness] {
	order := func(target incident.Target, what ...string) integrations.CollectOrder {
		return integrations.CollectOrder{Key: "stanch-key-1", Target: target, What: what}
	}
	return slices.Concat([]check[CollectorHarness]{
		{"what was asked for is collected, as JSON", func(t testing.TB, h CollectorHarness) {
			w := h.Open(t)
			for range 2 { // It is safe to repeat.
				got, err := w.Collect(t.Context(), order(w.Target, "processes", "connections"))
				h.fine(t, "collect", err)
				var what []string
				for _, a := range got {
					what = append(what, a.What)
					if !json.Valid(a.Data) || a.At.IsZero() || len(a.Data) < 3 {
						t.Errorf("artifact %s of %s is not useful JSON: %.100q", a.What, a.At, a.Data)
					}
				}
				if !slices.Equal(what, []string{"processes", "connections"}) {
					t.Errorf("artifacts are %v, want processes and connections", what)
				}
			}
		}},
		{"an order that cannot be carried out is refused", func(t testing.TB, h CollectorHarness) {
			w := h.Open(t)
			_, err := w.Collect(t.Context(), order(w.Target, "processes", "the crown jewels"))
			h.want(t, "collect of an unknown kind", err, integrations.Invalid)
			_, err = w.Collect(t.Context(), order(w.Target))
			h.want(t, "collect of nothing", err, integrations.Invalid)
			_, err = w.Collect(t.Context(), order(incident.Target{}, "processes"))
			h.want(t, "collect of a zero target", err, integrations.Invalid)
			_, err = w.Collect(t.Context(), order(h.unknownDevice(t), "processes"))
			h.want(t, "collect of an unknown device", err, integrations.NotFound)
		}},
	}, faultChecks(func(t testing.TB, h CollectorHarness) (func(Fault), []call) {
		w := h.Open(t)
		// Collecting changes nothing on the device, so a lost answer is not
		// ambiguous.
		return w.Break, []call{{"collect", false, func(ctx context.Context) error {
			_, err := w.Collect(ctx, order(w.Target, "processes"))
			return err
		}}}
	}))
}

// KillerHarness opens a product that ends processes.
type KillerHarness struct {
	Knobs
	// Open returns a product with a device on which one process runs.
	Open func(t testing.TB) KillerWorld
}

// KillerWorld is an opened product and the view of its world.
type KillerWorld struct {
	integrations.Killer
	Target incident.Target
	PID    int64
	Path   string
	// Started is when the process was started; zero where the product does not know.
	Started time.Time
	// Runs reports whether the process still runs.
	Runs func() bool
	// Kills counts the kills that the product really carried out.
	Kills func() int
	Break func(Fault)
}

// Killer checks an [integrations.Killer].
func Killer(t *testing.T, h KillerHarness) { t.Helper(); run(t, "Killer", h, killerChecks()) }

func killerChecks() []check[KillerHarness] {
	return slices.Concat([]check[KillerHarness]{
		{"the process is ended, once", checkKilled},
		{"a pid that is used again is left alone", checkPIDReused},
		{"an order without a process is refused", checkKillRefused},
		{"a lost answer is ambiguous, and the kill can be repeated", checkKillLostAnswer},
	}, faultChecks(func(t testing.TB, h KillerHarness) (func(Fault), []call) {
		w := h.Open(t)
		return w.Break, []call{{"kill", true, func(ctx context.Context) error {
			_, err := w.Kill(ctx, w.order())
			return err
		}}}
	}))
}

func (w KillerWorld) order() integrations.KillOrder {
	return integrations.KillOrder{Key: "stanch-key-1", Target: w.Target, PID: w.PID, Path: w.Path, Started: w.Started}
}

func (w KillerWorld) killed(t testing.TB, when string, n int) {
	t.Helper()
	if w.Runs() != (n == 0) || w.Kills() != n {
		t.Errorf("%s: the process runs is %t after %d kills, want %d kills", when, w.Runs(), w.Kills(), n)
	}
}

func checkKilled(t testing.TB, h KillerHarness) {
	w := h.Open(t)
	w.killed(t, "at first", 0)
	for range 2 {
		_, err := w.Kill(t.Context(), w.order())
		h.fine(t, "kill", err)
		w.killed(t, "after kill", 1)
	}
}

func checkPIDReused(t testing.TB, h KillerHarness) {
	w := h.Open(t)
	o := w.order()
	o.Path += ".other"
	_, err := w.Kill(t.Context(), o)
	h.fine(t, "kill of a process that is gone", err)
	o = w.order()
	o.Key, o.PID = "stanch-key-2", o.PID+1
	_, err = w.Kill(t.Context(), o)
	h.fine(t, "kill of a process that is gone", err)
	if o = w.order(); !o.Started.IsZero() {
		o.Key, o.Started = "stanch-key-3", o.Started.Add(-time.Hour)
		_, err = w.Kill(t.Context(), o)
		h.fine(t, "kill of a process of the same image that is gone", err)
	}
	w.killed(t, "after kills of others", 0)
}

func checkKillRefused(t testing.TB, h KillerHarness) {
	w := h.Open(t)
	invalid := map[string]integrations.KillOrder{"zero target": w.order(), "no path": w.order(), "no pid": w.order()}
	for name, o := range invalid {
		switch name {
		case "zero target":
			o.Target = incident.Target{}
		case "no path":
			o.Path = ""
		default:
			o.PID = 0
		}
		_, err := w.Kill(t.Context(), o)
		h.want(t, "kill with "+name, err, integrations.Invalid)
	}
	o := w.order()
	o.Target = h.unknownDevice(t)
	_, err := w.Kill(t.Context(), o)
	h.want(t, "kill on an unknown device", err, integrations.NotFound)
	w.killed(t, "after refused kills", 0)
}

func checkKillLostAnswer(t testing.TB, h KillerHarness) {
	w := h.Open(t)
	if w.Break == nil {
		h.unbreakable(t)
	}
	w.Break(LoseAnswer)
	_, err := w.Kill(t.Context(), w.order())
	h.want(t, "kill", err, integrations.Ambiguous)
	w.Break(Works)
	_, err = w.Kill(t.Context(), w.order())
	h.fine(t, "kill again", err)
	w.killed(t, "after a lost answer and a second kill", 1)
}
