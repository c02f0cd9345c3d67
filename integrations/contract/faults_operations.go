package contract

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// operation is one call of one capability, on the first device of a world.
type operation struct {
	name string
	// of reports whether a client has it.
	of func(client any) bool
	// before are the operations that come first, each carried out.
	before []string
	// waits reports whether it waits for the device.
	waits bool
	// do makes the call and says in a few words what was answered.
	do func(ctx context.Context, w FaultsWorld) (string, error)
	// done fails unless the world is as it is after one call; nil is a read.
	done func(w FaultsWorld) error
}

const faultsKey = "stanch-key-1"

func has[C any](client any) bool { _, ok := client.(C); return ok }

// operationOf is an operation of a capability.
func operationOf[C any](name string, do func(context.Context, C, FaultsWorld) (string, error)) operation {
	return operation{name: name, of: has[C], do: func(ctx context.Context, w FaultsWorld) (string, error) {
		c, ok := w.Client.(C)
		if !ok {
			return "", fmt.Errorf("the client cannot %s", name)
		}
		return do(ctx, c, w)
	}}
}

// after has other operations come first, each carried out.
func (o operation) after(names ...string) operation { o.before = names; return o }

// patient says that the operation waits for the device.
func (o operation) patient() operation { o.waits = true; return o }

// leaves says how to find out whether the world is as it is after one call.
func (o operation) leaves(done func(FaultsWorld) error) operation { o.done = done; return o }

func (w FaultsWorld) order() incident.Order {
	return incident.Order{Key: faultsKey, Action: incident.Isolate, Target: w.Target, Until: time.Now().Add(4 * time.Hour).UTC().Truncate(time.Second), Reason: "contract suite"}
}

func (w FaultsWorld) script() integrations.ScriptOrder {
	return integrations.ScriptOrder{Key: faultsKey, Target: w.Target, Script: w.Script, Args: []string{"5"}}
}

func (w FaultsWorld) kill() integrations.KillOrder {
	o := w.Process
	o.Key, o.Target = faultsKey, w.Target
	return o
}

// counts fails unless a count is what it must be, and the device is isolated or not.
func (w FaultsWorld) counts(what string, got, want int, isolated bool) error {
	if is := w.World.Isolated(w.Target.ID()); got != want || is != isolated {
		return fmt.Errorf("%d %s, want %d; the device is isolated: %t, want %t", got, what, want, is, isolated)
	}
	return nil
}

func operationNamed(name string) operation {
	all := operations()
	return all[slices.IndexFunc(all, func(o operation) bool { return o.name == name })]
}

// prepare makes the calls that come first.
func (o operation) prepare(t testing.TB, h FaultsHarness, w *FaultsWorld) {
	t.Helper()
	for _, name := range o.before {
		_, err := operationNamed(name).do(t.Context(), *w)
		h.fine(t, "first "+name, err)
		w.World.Settle()
	}
}

func operations() []operation { return slices.Concat(lookups(), isolations(), works()) }

// lookups are the operations that only read.
func lookups() []operation {
	recent := func(w FaultsWorld) integrations.ExecutionQuery {
		now := time.Now()
		return integrations.ExecutionQuery{Target: w.Target, From: now.Add(-30 * time.Minute), To: now.Add(time.Minute), Limit: 100}
	}
	return []operation{
		operationOf("find", func(ctx context.Context, c integrations.Endpoints, w FaultsWorld) (string, error) {
			found, err := c.Endpoints(ctx, w.Query)
			var ids []string
			for _, e := range found {
				id, _ := e.ID.Get()
				ids = append(ids, id)
			}
			return strings.Join(ids, " "), err
		}),
		operationOf("connections", func(ctx context.Context, c integrations.Connections, w FaultsWorld) (string, error) {
			q := recent(w)
			found, err := c.Connections(ctx, integrations.ConnectionQuery{Target: q.Target, From: q.From, To: q.To, Limit: q.Limit})
			return fmt.Sprint(len(found), " connections"), err
		}),
		operationOf("executions", func(ctx context.Context, c integrations.Executions, w FaultsWorld) (string, error) {
			found, err := c.Executions(ctx, recent(w))
			return fmt.Sprint(len(found), " executions"), err
		}),
		operationOf("collect", func(ctx context.Context, c integrations.Collector, w FaultsWorld) (string, error) {
			found, err := c.Collect(ctx, integrations.CollectOrder{Key: faultsKey, Target: w.Target, What: []string{"processes", "connections"}})
			return fmt.Sprint(len(found), " artifacts"), err
		}).patient(),
		operationOf("probe", func(ctx context.Context, c integrations.Prober, _ FaultsWorld) (string, error) {
			return probed(c.Probe(ctx))
		}),
	}
}

// probed is what a probe has found, as an error where something is wrong. It says of a
// finding that is wrong without a cure.
func probed(found []integrations.Finding) (string, error) {
	var wrong, told []string
	for _, f := range found {
		switch {
		case !f.OK && f.Fix == "":
			wrong = append(wrong, f.What+" (without a cure)")
		case !f.OK:
			wrong = append(wrong, f.What+"; "+f.Fix)
		case f.Warning:
			told = append(told, f.What)
		}
	}
	if len(wrong) > 0 {
		return "", &probeError{wrong}
	}
	return fmt.Sprint(len(told), " warnings"), nil
}

// probeError is what a probe has found wrong.
type probeError struct{ wrong []string }

func (e *probeError) Error() string { return strings.Join(e.wrong, "\n") }

func isolations() []operation {
	read := operationOf("read", func(ctx context.Context, c integrations.Enforcer, w FaultsWorld) (string, error) {
		r, err := c.Read(ctx, w.order())
		return fmt.Sprintf("stands %t, ours %t", r.Stands, r.Key == faultsKey), err
	})
	isolated := read.after("apply")
	isolated.name = "read of an isolation"
	return []operation{
		read, isolated,
		operationOf("apply", func(ctx context.Context, c integrations.Enforcer, w FaultsWorld) (string, error) {
			_, err := c.Apply(ctx, w.order())
			return "accepted", err
		}).leaves(func(w FaultsWorld) error { return w.counts("effects", w.World.Effects(""), 1, true) }),
		operationOf("undo", func(ctx context.Context, c integrations.Enforcer, w FaultsWorld) (string, error) {
			_, err := c.Undo(ctx, w.order())
			return "accepted", err
		}).after("apply").leaves(func(w FaultsWorld) error { return w.counts("effects", w.World.Effects(""), 2, false) }),
	}
}

// works are the operations that run something on a device.
func works() []operation {
	return []operation{
		operationOf("kill", func(ctx context.Context, c integrations.Killer, w FaultsWorld) (string, error) {
			_, err := c.Kill(ctx, w.kill())
			return "done", err
		}).patient().leaves(func(w FaultsWorld) error { return w.counts("processes ended", w.World.Kills(), 1, false) }),
		operationOf("run", func(ctx context.Context, c integrations.Runner, w FaultsWorld) (string, error) {
			_, err := c.Run(ctx, w.script())
			return "accepted", err
		}).leaves(func(w FaultsWorld) error { return w.counts("scripts", w.runs(), 1, false) }),
		operationOf("ran", func(ctx context.Context, c integrations.Runner, w FaultsWorld) (string, error) {
			r, err := c.Ran(ctx, w.script())
			return fmt.Sprintf("%s, %d bytes", r.State, len(r.Stdout)), err
		}).after("run"),
	}
}
