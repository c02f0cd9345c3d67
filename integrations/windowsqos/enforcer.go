package windowsqos

import (
	"context"
	"fmt"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Read implements [integrations.Enforcer]. The script runs on the device for it: that takes
// as long as the EDR takes. What cannot be read is an error, and never nothing: a device that
// is offline may still have its policy, or lose it by a restart.
func (e *Enforcer) Read(ctx context.Context, o incident.Order) (incident.Reading, error) {
	op := "read the policy on " + httpx.Line(o.Target.Name())
	l, unlock, err := e.begin(ctx, op, o, limitOf)
	if err != nil {
		return incident.Reading{}, err
	}
	defer unlock()
	a, err := e.verify(ctx, op, l)
	switch {
	case integrations.KindOf(err) == integrations.Conflict && err != nil:
		return e.underWay(ctx, op, o, l, err)
	case err != nil:
		return incident.Reading{}, err
	case a.Result == refused:
		return incident.Reading{}, a.refusal(op)
	case a.Result == failed:
		return incident.Reading{}, integrations.Errorf(integrations.Unavailable, op, "the script failed: %s %s", httpx.Line(a.Reason), httpx.Line(a.Detail))
	}
	return a.reading(o), nil
}

// begin checks an order, and waits until no other call is made about its device.
func (e *Enforcer) begin(ctx context.Context, op string, o incident.Order, check func(string, incident.Order) (limit, error)) (limit, func(), error) {
	l, err := check(op, o)
	if err != nil {
		return limit{}, nil, err
	}
	if e.edr == nil {
		return limit{}, nil, integrations.Refuse(integrations.Invalid, op, "it was not joined with the integration %s", e.config.Through)
	}
	unlock, err := e.devices.Take(ctx, op, l.target.ID())
	return l, unlock, err
}

// underWay is the reading where a script runs on the device that is one of the order's own;
// of another's it is the EDR's error.
func (e *Enforcer) underWay(ctx context.Context, op string, o incident.Order, l limit, busy error) (incident.Reading, error) {
	for _, action := range []string{doRemove, doApply} {
		_, r, err := e.newest(ctx, op, l, action)
		if err != nil {
			return incident.Reading{}, err
		}
		if open(r.State) {
			// Until its end is carried out it stands.
			return incident.Reading{Stands: action == doRemove, Pending: true, Key: o.Key, Detail: state(r)}, nil
		}
	}
	return incident.Reading{}, busy
}

// reading is what the script found, in the order's words.
func (a answer) reading(o incident.Order) incident.Reading {
	var r incident.Reading
	var said []string
	switch {
	case a.Stands:
		r.Stands, r.Key, r.Rate = true, o.Key, rateOf(a.Bps, o.Rate)
	case a.Differs:
		// Applied again it is as it must be, and undone it is gone: so it is ours.
		r.Pending, r.Key, r.Rate = true, o.Key, rateOf(a.Bps, o.Rate)
		said = append(said, "a policy with our name is for other traffic: somebody has changed it")
	case a.Other && a.OtherBps < o.Rate+step:
		r.Stands, r.Rate = true, rateOf(a.OtherBps, o.Rate)
		said = append(said, "a policy of somebody else limits the same traffic")
	case a.Other:
		said = append(said, fmt.Sprintf("a policy of somebody else limits the same traffic to %d bit/s, which is looser", a.OtherBps))
	}
	if a.Competing > 0 {
		said = append(said, fmt.Sprintf("%d other policies are about the program, and may hold instead", a.Competing))
	}
	r.Detail = strings.Join(said, "; ")
	return r
}

// rateOf is the rate of a policy, bits per second; one that Windows has rounded up is the one
// that was asked for.
func rateOf(bps, asked int64) int64 {
	if bps >= asked && bps < asked+step {
		return asked
	}
	return bps
}

// Apply implements [integrations.Enforcer].
func (e *Enforcer) Apply(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	op := "limit a program on " + httpx.Line(o.Target.Name())
	if err := keyed(op, o); err != nil {
		return incident.Receipt{}, err
	}
	l, unlock, err := e.begin(ctx, op, o, allowedOf)
	if err != nil {
		return incident.Receipt{}, err
	}
	defer unlock()
	if _, err := e.windows(ctx, op, l.target); err != nil {
		return incident.Receipt{}, err
	}
	return e.changed(ctx, op, l, doApply)
}

// Undo implements [integrations.Enforcer]. The policy is removed by its name, whatever it is
// of: what is no longer limited today must be given back all the same.
func (e *Enforcer) Undo(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	op := "give back a program on " + httpx.Line(o.Target.Name())
	if err := keyed(op, o); err != nil {
		return incident.Receipt{}, err
	}
	l, unlock, err := e.begin(ctx, op, o, namedOf)
	if err != nil {
		return incident.Receipt{}, err
	}
	defer unlock()
	return e.changed(ctx, op, l, doRemove)
}

// changed makes a change and says what came of it.
func (e *Enforcer) changed(ctx context.Context, op string, l limit, action string) (incident.Receipt, error) {
	out, err := e.change(ctx, op, l, action)
	if err != nil {
		return incident.Receipt{}, err
	}
	r := incident.Receipt{Ref: out.receipt, At: e.now().UTC(), Detail: "accepted by the EDR"}
	if open(out.State) {
		r.Detail = state(out.ScriptResult)
		return r, nil
	}
	a, err := parse(out.Stdout, action, l.name, out.Exit)
	if err != nil {
		ambiguous := integrations.Errorf(integrations.Ambiguous, op, "the script is %s (%s), and %w", out.State, httpx.Line(out.Detail), err)
		ambiguous.Words = "the script ended without an answer: is " + e.config.Script + " of this version in the EDR's library?"
		return incident.Receipt{}, ambiguous
	}
	switch a.Result {
	case done:
		r.Detail = "done by the device"
		if action == doApply && !a.Stands && a.Other {
			r.Detail = "a policy of somebody else is as strict; nothing was added"
		}
		return r, nil
	case refused:
		return incident.Receipt{}, a.refusal(op)
	case failed:
	}
	return incident.Receipt{}, a.failure(op, action)
}

// refusal is the error of a script that has changed nothing.
func (a answer) refusal(op string) error {
	kind := integrations.Invalid
	if a.Reason == "outranked" {
		kind = integrations.Conflict
	}
	err := integrations.Errorf(kind, op, "the script refused: %s", httpx.Line(a.Reason))
	err.Words = a.words()
	return err
}

// failure is the error of a script that could not do what it was told.
func (a answer) failure(op, action string) error {
	kind := integrations.Ambiguous
	switch {
	case action == doApply && a.Reason == "readback" && a.Changed && !a.Stands && !a.Differs:
		kind = integrations.Invalid // It has removed what Windows did not keep as it was asked to.
	case !a.Changed && !a.Differs:
		kind = integrations.Unavailable
	}
	err := integrations.Errorf(kind, op, "the script failed: %s %s", httpx.Line(a.Reason), httpx.Line(a.Detail))
	err.Words = a.words()
	return err
}

// Plan implements [integrations.Planner].
func (e *Enforcer) Plan(ctx context.Context, o incident.Order) error {
	op := "plan to limit a program on " + httpx.Line(o.Target.Name())
	l, err := allowedOf(op, o)
	if err != nil {
		return err
	}
	if e.edr == nil {
		return integrations.Refuse(integrations.Invalid, op, "it was not joined with the integration %s", e.config.Through)
	}
	found, err := e.windows(ctx, op, l.target)
	if err != nil {
		return err
	}
	if online, known := found.Online.Get(); known && !online {
		return integrations.Refuse(integrations.Unavailable, op, "the device is offline")
	}
	return nil
}

// windows finds a device at the EDR; one that does not run Windows is invalid.
func (e *Enforcer) windows(ctx context.Context, op string, target incident.Target) (incident.Endpoint, error) {
	found, err := e.edr.Endpoints(ctx, integrations.EndpointQuery{ID: target.ID(), At: e.now()})
	if err != nil {
		return incident.Endpoint{}, err
	}
	for _, f := range found {
		if id, _ := f.ID.Get(); id != target.ID() {
			continue
		}
		if os, _ := f.OS.Get(); os != "windows" {
			return f, integrations.Refuse(integrations.Invalid, op, "the EDR does not say that the device runs Windows")
		}
		return f, nil
	}
	return incident.Endpoint{}, integrations.Refuse(integrations.NotFound, op, "the EDR knows no such device")
}
