package netqosfake

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Failure is how an EDR fails; nil works.
type Failure struct {
	// Err is returned by every call. Where Carries is set, what was ordered is done all the same.
	Err     error
	Carries bool
	// Hangs has no call return before its context ends.
	Hangs bool
}

// EDR is a plain one that runs scripts on machines, one at a time on each. What is ordered on
// a machine that is not held is run when it is looked at.
type EDR struct {
	*Machines
	// Exit is whether it tells how a script has exited.
	Exit   bool
	script string

	mu      sync.Mutex
	devices map[string]incident.Endpoint
	held    map[string]integrations.ScriptState
	runs    []*run
	orders  int
	failure Failure
}

// run is a script that was ordered.
type run struct {
	device, key, line string
	ended             bool
	out               Result
}

// NewEDR returns an EDR that has a script in its library.
func NewEDR(m *Machines, script string) *EDR {
	return &EDR{Machines: m, Exit: true, script: script, devices: map[string]incident.Endpoint{}, held: map[string]integrations.ScriptState{}}
}

// Enrol adds a device with an operating system.
func (e *EDR) Enrol(id, os string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.devices[id] = incident.Endpoint{
		ID: incident.Known(id, incident.FromEDR), Name: incident.Known(id, incident.FromEDR), OS: incident.Known(os, incident.FromEDR),
		Online: incident.Known(true, incident.FromEDR),
	}
}

// Hold keeps a device from running what it is ordered to, in a state; an empty one lets go.
func (e *EDR) Hold(id string, state integrations.ScriptState) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.held[id] = state
	d := e.devices[id]
	d.Online = incident.Known(state == "" || state == integrations.ScriptRunning, incident.FromEDR)
	e.devices[id] = d
}

// Fail has every call fail from now on.
func (e *EDR) Fail(f Failure) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.failure = f
}

// Orders are how many scripts were ordered.
func (e *EDR) Orders() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.orders
}

func (e *EDR) broken(ctx context.Context, write bool) error {
	e.mu.Lock()
	f := e.failure
	e.mu.Unlock()
	if f.Hangs {
		<-ctx.Done()
	}
	if err := ctx.Err(); err != nil {
		return integrations.Errorf(integrations.Unavailable, "ask the EDR", "%w", err)
	}
	if f.Carries && !write {
		return nil
	}
	return f.Err
}

// Endpoints implements [integrations.Endpoints].
func (e *EDR) Endpoints(ctx context.Context, q integrations.EndpointQuery) ([]incident.Endpoint, error) {
	if err := e.broken(ctx, false); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if d, ok := e.devices[q.ID]; ok {
		return []incident.Endpoint{d}, nil
	}
	return nil, nil
}

// Run implements [integrations.Runner].
func (e *EDR) Run(ctx context.Context, o integrations.ScriptOrder) (incident.Receipt, error) {
	const op = "run a script"
	broken := e.broken(ctx, true)
	e.mu.Lock()
	defer e.mu.Unlock()
	if broken != nil && (!e.failure.Carries || ctx.Err() != nil) {
		return incident.Receipt{}, broken
	}
	if _, ok := e.devices[o.Target.ID()]; !ok {
		return incident.Receipt{}, integrations.Errorf(integrations.NotFound, op, "there is no such device")
	}
	if o.Script != e.script || o.Key == "" || strings.ContainsAny(o.Key, " \"\\") {
		return incident.Receipt{}, integrations.Errorf(integrations.Invalid, op, "no script %q, or invalid key %q", o.Script, o.Key)
	}
	for _, r := range e.runs {
		switch {
		case r.device == o.Target.ID() && r.key == o.Key:
			return incident.Receipt{Detail: "ordered before"}, broken
		case r.device == o.Target.ID() && !e.end(r):
			return incident.Receipt{}, integrations.Errorf(integrations.Conflict, op, "another script runs on the device")
		}
	}
	e.orders++
	e.runs = append(e.runs, &run{device: o.Target.ID(), key: o.Key, line: strings.Join(o.Args, " ")})
	return incident.Receipt{Ref: o.Key}, broken
}

// end has a device run a script that was ordered, and reports whether it has ended.
func (e *EDR) end(r *run) bool {
	if !r.ended && e.held[r.device] == "" {
		r.ended, r.out = true, e.Machines.Run(r.device, r.line)
	}
	return r.ended
}

// Ran implements [integrations.Runner].
func (e *EDR) Ran(ctx context.Context, o integrations.ScriptOrder) (integrations.ScriptResult, error) {
	if err := e.broken(ctx, false); err != nil {
		return integrations.ScriptResult{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, r := range e.runs {
		if r.device != o.Target.ID() || r.key != o.Key {
			continue
		}
		if !e.end(r) {
			return integrations.ScriptResult{State: e.held[r.device]}, nil
		}
		done := integrations.ScriptResult{State: integrations.ScriptDone, Stdout: r.out.Stdout}
		if e.Exit {
			done.Exit = &r.out.Exit
		}
		return done, nil
	}
	return integrations.ScriptResult{}, &integrations.Error{Kind: integrations.NotFound, Op: "read a script", Err: errors.New("it was never ordered")}
}
