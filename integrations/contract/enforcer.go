package contract

import (
	"context"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// EnforcerHarness opens a product that enforces containments.
type EnforcerHarness struct {
	Knobs
	// Open returns a fresh product without any containment.
	Open func(t testing.TB) EnforcerWorld
}

// EnforcerWorld is an opened product and a view of its state.
type EnforcerWorld struct {
	integrations.Enforcer
	// Actions are the actions that its Spec lists.
	Actions []incident.Action
	// Target and Other are two devices of the product.
	Target, Other incident.Target
	// Addresses returns the addresses of a device, by which a product whose Spec says
	// ByAddress knows it; nil for others. Of a device that it does not know the product
	// is sent Strange, an address that it has nothing to do with.
	Addresses func(incident.Target) []string
	Strange   string
	// Blocks returns what a block of a far end is, for a product that takes no narrower
	// one; nil is one of a port and a transport.
	Blocks func(remote string) *incident.Filter
	// Program is the full path of the program that its orders are about, for a product
	// whose Spec says ByProgram; empty for others.
	Program string
	// Effects counts the applies and undos that were really carried out so far,
	// in the product's own state.
	Effects func() int
	// Impose puts in place a containment that somebody else made by hand.
	Impose func(o incident.Order)
	// Settle lets the product carry out the actions that it has accepted. Nil where
	// that is immediate.
	Settle func()
	// Unordered reports that the product carries out what it has accepted in any
	// order, so that nothing may be written while an action is open.
	Unordered bool
	// ExceptBy is that of its Spec. Excepted returns the addresses and networks that
	// the product leaves open for an isolated device, by its own state, where no
	// ExceptBy says that it decides by itself.
	ExceptBy string
	Excepted func(incident.Target) []string
	// Standing returns what the product itself holds of ours and of others, as text
	// that changes when anything of it does, but for counters and what is left of
	// times. Nil where there is no Planner.
	Standing func() string
	// Permit enters exceptions at the product, as a person does, where an order is
	// compared with those that it has; nil where the order carries its own.
	Permit func(addresses ...string)
	// Break makes the product fail.
	Break func(Fault)
}

// Enforcer checks an [integrations.Enforcer].
func Enforcer(t *testing.T, h EnforcerHarness) { t.Helper(); run(t, "Enforcer", h, enforcerChecks()) }

func enforcerChecks() []check[EnforcerHarness] {
	return slices.Concat([]check[EnforcerHarness]{
		{"there is no containment at first", eachAction(checkNothingStands)},
		{"an applied containment is in force", eachAction(checkStands)},
		{"read shows the key", eachAction(checkKey)},
		{"the same key is applied once", eachAction(checkAppliedOnce)},
		{"the same key at once is applied once", eachAction(checkConcurrent)},
		{"a containment of another key is kept", eachAction(checkKept)},
		{"undo lifts, once", eachAction(checkUndo)},
		{"undo leaves another key alone", eachAction(checkUndoOther)},
		{"undo leaves a containment without a key alone", eachAction(checkUndoImposed)},
		{"undo of nothing is done", eachAction(checkUndoNothing)},
		{"it can be applied again after undo", eachAction(checkAgain)},
		{"nothing is written while another action is open", eachAction(checkOneAtATime)},
		{"another device is not touched", eachAction(checkOtherDevice)},
		{"an isolation leaves open what its order excepts", eachAction(checkExcepted)},
		{"what is contained is apart by its filter", checkApart},
		{"a lower rate takes the place of a higher one", checkLowerRate},
		{"a plan says what apply would, and changes nothing", eachAction(checkPlan)},
		{"read changes nothing", eachAction(checkReadOnly)},
		{"unknown device is not found", eachAction(checkUnknownDevice)},
		{"zero target is invalid", eachAction(checkZeroTarget)},
		{"an order without key is invalid", eachAction(checkNoKey)},
		{"an order that cannot be meant is invalid", checkSenseless},
		{"cancelled apply changes nothing", eachAction(checkCancelledApply)},
		{"a lost answer is ambiguous, and reading back resolves it", eachAction(checkLostAnswer)},
	}, listChecks(), countChecks(), faultChecks(func(t testing.TB, h EnforcerHarness) (func(Fault), []call) {
		w := h.Open(t)
		o := w.order(w.Actions[0], "stanch-key-1")
		return w.Break, []call{
			{"read", false, func(ctx context.Context) error { _, err := w.Read(ctx, o); return err }},
			{"apply", true, func(ctx context.Context) error { _, err := w.Apply(ctx, o); return err }},
			{"undo", true, func(ctx context.Context) error { _, err := w.Undo(ctx, o); return err }},
		}
	}))
}

// trial is one check of one action on a fresh product.
type trial struct {
	Knobs
	EnforcerWorld
	action incident.Action
}

func eachAction(f func(t testing.TB, w trial)) func(testing.TB, EnforcerHarness) {
	return func(t testing.TB, h EnforcerHarness) {
		actions := h.Open(t).Actions
		if len(actions) == 0 {
			t.Fatalf("the harness has no action")
		}
		for _, a := range actions {
			f(t, trial{h.Knobs, h.Open(t), a})
		}
	}
}

// order is a well-formed order on the product's first device.
func (w EnforcerWorld) order(action incident.Action, key string) incident.Order {
	o := incident.Order{
		Key: key, Action: action, Target: w.Target,
		Until: time.Now().Add(4 * time.Hour).UTC().Truncate(time.Second), Reason: "contract suite",
	}
	if w.Addresses != nil {
		o.Addresses = w.Addresses(w.Target)
	}
	o.Program = w.Program
	switch action {
	case incident.RateLimit:
		o.Rate = 2_000_000
	case incident.Block:
		o.Filter = w.filter("192.0.2.53")
	case incident.Notify, incident.Collect, incident.KillProcess, incident.Isolate:
	}
	return o
}

// filter is what a block of a far end is.
func (w EnforcerWorld) filter(remote string) *incident.Filter {
	if w.Blocks != nil {
		return w.Blocks(remote)
	}
	return &incident.Filter{Direction: incident.Outbound, RemoteIP: remote, RemotePort: 53, Transport: "udp"}
}

func (w trial) apply(t testing.TB, o incident.Order) {
	t.Helper()
	_, err := w.Apply(t.Context(), o)
	w.fine(t, "apply "+string(o.Action), err)
	w.settle()
}

func (w trial) undo(t testing.TB, o incident.Order) {
	t.Helper()
	_, err := w.Undo(t.Context(), o)
	w.fine(t, "undo "+string(o.Action), err)
	w.settle()
}

func (w trial) settle() {
	if w.Settle != nil {
		w.Settle()
	}
}

// reads fails unless reading back returns the wanted state.
func (w trial) reads(t testing.TB, o incident.Order, stands bool) incident.Reading {
	t.Helper()
	s, err := w.Read(t.Context(), o)
	w.fine(t, "read "+string(o.Action), err)
	if s.Stands != stands {
		t.Errorf("read %s on %s: stands is %t, want %t", o.Action, o.Scope(), s.Stands, stands)
	}
	return s
}

// effects fails unless exactly n effects were carried out so far.
func (w trial) effects(t testing.TB, when string, n int) {
	t.Helper()
	if got := w.Effects(); got != n {
		t.Errorf("%s %s: the product carried out %d effects, want %d", w.action, when, got, n)
	}
}

func checkNothingStands(t testing.TB, w trial) {
	if s := w.reads(t, w.order(w.action, "stanch-key-1"), false); s.Pending || s.Key != "" {
		t.Errorf("read %s: %+v on an untouched device", w.action, s)
	}
	w.effects(t, "at first", 0)
}

func checkStands(t testing.TB, w trial) {
	o := w.order(w.action, "stanch-key-1")
	w.apply(t, o)
	s := w.reads(t, o, true)
	if w.action == incident.RateLimit && s.Rate != o.Rate {
		t.Errorf("read rate_limit: the rate is %d, want %d", s.Rate, o.Rate)
	}
	w.effects(t, "after apply", 1)
}

func checkKey(t testing.TB, w trial) {
	o := w.order(w.action, "stanch-key-1")
	w.apply(t, o)
	if s := w.reads(t, o, true); s.Key != o.Key {
		t.Errorf("read %s: the key is %q, want %q", w.action, s.Key, o.Key)
	}
}

func checkAppliedOnce(t testing.TB, w trial) {
	o := w.order(w.action, "stanch-key-1")
	w.apply(t, o)
	w.apply(t, o)
	w.reads(t, o, true)
	w.effects(t, "after two applies with one key", 1)
}

func checkConcurrent(t testing.TB, w trial) {
	o := w.order(w.action, "stanch-key-1")
	w.fine(t, "apply at once", concurrently(8, func() error {
		_, err := w.Apply(t.Context(), o)
		if integrations.KindOf(err) == integrations.Conflict {
			return nil // one of them is under way: the caller tries again
		}
		return err
	}))
	w.apply(t, o)
	w.reads(t, o, true)
	w.effects(t, "after eight applies at once", 1)
}

func checkKept(t testing.TB, w trial) {
	first, second := w.order(w.action, "stanch-key-1"), w.order(w.action, "stanch-key-2")
	second.Rate *= 2
	w.apply(t, first)
	w.apply(t, second)
	s := w.reads(t, second, true)
	if s.Key == second.Key {
		t.Errorf("read %s: the second key took over the containment of the first", w.action)
	}
	if s.Rate != first.Rate && w.action == incident.RateLimit {
		t.Errorf("read rate_limit: the rate is %d, want the first one's %d", s.Rate, first.Rate)
	}
	w.effects(t, "after applies with two keys", 1)
}

func checkUndo(t testing.TB, w trial) {
	o := w.order(w.action, "stanch-key-1")
	w.apply(t, o)
	w.undo(t, o)
	w.reads(t, o, false)
	w.undo(t, o)
	w.reads(t, o, false)
	w.effects(t, "after apply and two undos", 2)
}

func checkUndoOther(t testing.TB, w trial) {
	first, second := w.order(w.action, "stanch-key-1"), w.order(w.action, "stanch-key-2")
	w.apply(t, first)
	w.undo(t, second)
	w.reads(t, first, true)
	w.effects(t, "after another's undo", 1)
}

func checkUndoImposed(t testing.TB, w trial) {
	o := w.order(w.action, "stanch-key-1")
	w.Impose(o)
	if s := w.reads(t, o, true); s.Key == o.Key {
		t.Errorf("read %s: somebody else's containment shows our key", w.action)
	}
	before := w.Effects()
	w.apply(t, o)
	w.undo(t, o)
	w.reads(t, o, true)
	w.effects(t, "on what somebody else had made", before)
}

func checkUndoNothing(t testing.TB, w trial) {
	o := w.order(w.action, "stanch-key-1")
	w.undo(t, o)
	w.reads(t, o, false)
	w.effects(t, "after undo of nothing", 0)
}

func checkAgain(t testing.TB, w trial) {
	o := w.order(w.action, "stanch-key-1")
	w.apply(t, o)
	w.undo(t, o)
	w.apply(t, o)
	w.reads(t, o, true)
	w.effects(t, "after apply, undo, apply", 3)
}

func checkOtherDevice(t testing.TB, w trial) {
	o := w.order(w.action, "stanch-key-1")
	other := w.on(o, w.Other)
	w.apply(t, o)
	w.reads(t, other, false)
	w.undo(t, other)
	w.reads(t, o, true)
}

func checkReadOnly(t testing.TB, w trial) {
	o := w.order(w.action, "stanch-key-1")
	w.reads(t, o, false)
	w.settle()
	w.reads(t, o, false)
	w.effects(t, "after reads", 0)
}

func checkUnknownDevice(t testing.TB, w trial) {
	o := w.order(w.action, "stanch-key-1")
	o = w.on(o, w.unknownDevice(t))
	_, err := w.Read(t.Context(), o)
	w.want(t, "read "+string(w.action), err, integrations.NotFound)
	_, err = w.Apply(t.Context(), o)
	w.want(t, "apply "+string(w.action), err, integrations.NotFound)
	w.effects(t, "on an unknown device", 0)
}

func checkZeroTarget(t testing.TB, w trial) {
	o := w.order(w.action, "stanch-key-1")
	o.Target = incident.Target{}
	_, err := w.Read(t.Context(), o)
	w.want(t, "read "+string(w.action), err, integrations.Invalid)
	_, err = w.Apply(t.Context(), o)
	w.want(t, "apply "+string(w.action), err, integrations.Invalid)
	_, err = w.Undo(t.Context(), o)
	w.want(t, "undo "+string(w.action), err, integrations.Invalid)
	w.effects(t, "on a zero target", 0)
}

func checkNoKey(t testing.TB, w trial) {
	_, err := w.Apply(t.Context(), w.order(w.action, ""))
	w.want(t, "apply "+string(w.action), err, integrations.Invalid)
	_, err = w.Undo(t.Context(), w.order(w.action, ""))
	w.want(t, "undo "+string(w.action), err, integrations.Invalid)
	w.effects(t, "without key", 0)
}

func checkCancelledApply(t testing.TB, w trial) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	o := w.order(w.action, "stanch-key-1")
	_, err := w.Apply(ctx, o)
	w.noSecret(t, "apply "+string(w.action), err)
	w.settle()
	w.reads(t, o, false)
	w.effects(t, "after a cancelled apply", 0)
}

// checkSenseless sends invalid orders: a limit without a rate, a block of nothing or
// of everything, an action that the product does not have.
func checkSenseless(t testing.TB, h EnforcerHarness) {
	w := h.Open(t)
	bad := map[string]incident.Order{"an action it does not have": w.order(incident.Notify, "stanch-key-1")}
	if slices.Contains(w.Actions, incident.RateLimit) {
		o := w.order(incident.RateLimit, "stanch-key-1")
		o.Rate = 0
		bad["rate 0"] = o
		o.Rate = -1
		bad["a negative rate"] = o
		o = w.order(incident.RateLimit, "stanch-key-1")
		o.Filter = &incident.Filter{Direction: incident.Outbound}
		bad["a limit with a filter of everything"] = o
	}
	if slices.Contains(w.Actions, incident.Block) {
		o := w.order(incident.Block, "stanch-key-1")
		o.Filter = nil
		bad["a block of nothing"] = o
		o.Filter = &incident.Filter{Direction: incident.Outbound}
		bad["a block of everything"] = o
	}
	for _, action := range w.Actions {
		for name, addresses := range badAddresses() {
			if o := w.order(action, "stanch-key-1"); w.Addresses != nil {
				o.Addresses = addresses
				bad[string(action)+" of "+name] = o
			}
		}
	}
	maps.Copy(bad, w.ofBadPrograms())
	for name, o := range bad {
		_, err := w.Apply(t.Context(), o)
		h.want(t, "apply "+name, err, integrations.Invalid)
	}
	if n := w.Effects(); n != 0 {
		t.Errorf("invalid orders had %d effects", n)
	}
}
