package windowsqos

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

const (
	// freshFor is for how long after it was ordered the answer of a reading of a device is
	// believed, of which nothing was ordered since.
	freshFor = 3 * time.Minute
	// maxRounds bounds how often one order is given to the EDR.
	maxRounds = 50
	// maxKept bounds the readings that are remembered.
	maxKept = 500
)

// asked are the readings that were ordered, and whose answer had not come when it was last
// looked for, by device.
type asked struct {
	mu  sync.Mutex
	all map[string]reading
}

// reading is a run of the script that only reads.
type reading struct {
	integrations.ScriptOrder
	at time.Time
}

// take returns the open reading of a device, if it asks what is asked now and is no older
// than freshFor, and forgets it.
func (a *asked) take(device string, args []string, now time.Time) (reading, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	r, ok := a.all[device]
	delete(a.all, device)
	return r, ok && slices.Equal(r.Args, args) && now.Sub(r.at) < freshFor
}

func (a *asked) keep(device string, r reading) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.all == nil {
		a.all = map[string]reading{}
	}
	for other := range a.all {
		if len(a.all) < maxKept {
			break
		}
		delete(a.all, other)
	}
	a.all[device] = r
}

func (a *asked) forget(device string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.all, device)
}

// open reports whether a script has not ended.
func open(s integrations.ScriptState) bool {
	switch s {
	case integrations.ScriptQueued, integrations.ScriptAwaitsApproval, integrations.ScriptRunning:
		return true
	case integrations.ScriptDone, integrations.ScriptFailed:
	}
	return false
}

// state is how far a script is, for people.
func state(r integrations.ScriptResult) string {
	text := string(r.State)
	switch r.State {
	case integrations.ScriptQueued:
		text = "the EDR has not given the script to the device yet, which may be offline"
	case integrations.ScriptAwaitsApproval:
		text = "somebody must approve the script at the EDR"
	case integrations.ScriptRunning:
		text = "the device is running the script"
	case integrations.ScriptDone, integrations.ScriptFailed:
	}
	if r.Detail != "" {
		text += " (" + r.Detail + ")"
	}
	return text
}

// order is the nth order of a change to the EDR: the same for as long as what is asked for
// is. What a device does with the script is the same however often it runs it; a later round
// is needed where what an earlier one has done is gone, as after a restart.
func (e *Enforcer) order(l limit, action string, round int) integrations.ScriptOrder {
	return integrations.ScriptOrder{
		Key: fmt.Sprintf("%s/%s/%d-%d/%d", l.name, action, l.until, l.rate, round), Target: l.target,
		Script: e.config.Script, Args: l.args(action),
	}
}

// newest returns the last round that the EDR knows, and how far it is; 0 is none.
func (e *Enforcer) newest(ctx context.Context, op string, l limit, action string) (int, integrations.ScriptResult, error) {
	var last integrations.ScriptResult
	for round := 1; round <= maxRounds; round++ {
		r, err := e.edr.Ran(ctx, e.order(l, action, round))
		if err != nil {
			switch integrations.KindOf(err) {
			case integrations.NotFound:
				return round - 1, last, nil
			case integrations.Ambiguous: // It was ordered.
				r = integrations.ScriptResult{State: integrations.ScriptFailed, Detail: "what became of it is not known"}
			case integrations.Denied, integrations.Invalid, integrations.Conflict, integrations.Throttled, integrations.Unavailable:
				return 0, last, err
			}
		}
		last = r
		if open(last.State) {
			return round, last, nil
		}
	}
	return 0, last, integrations.Errorf(integrations.Unavailable, op, "the script was ordered %d times for this", maxRounds)
}

// ordered is a script that the EDR has accepted.
type ordered struct {
	integrations.ScriptResult
	receipt string // the EDR's reference
	before  bool   // an earlier call had ordered it
}

// change has the EDR run the script so that it changes something, and waits for it. The
// device must be locked. The result may be open: then it is accepted.
func (e *Enforcer) change(ctx context.Context, op string, l limit, action string) (ordered, error) {
	round, last, err := e.newest(ctx, op, l, action)
	if err != nil {
		return ordered{}, err
	}
	e.asked.forget(l.target.ID()) // What is read before this is stale after it.
	o, out := e.order(l, action, round), ordered{ScriptResult: last, before: true}
	if round == 0 || !open(last.State) {
		o, out = e.order(l, action, round+1), ordered{ScriptResult: integrations.ScriptResult{State: integrations.ScriptQueued}}
		receipt, err := e.edr.Run(ctx, o)
		if err != nil {
			return ordered{}, err
		}
		out.receipt = receipt.Ref
	}
	// It is accepted; that it cannot be looked at takes nothing back.
	if r, err := e.wait(ctx, o); err == nil {
		out.ScriptResult = r
	}
	return out, nil
}

// wait looks at a script until it has ended, or for as long as is configured.
func (e *Enforcer) wait(ctx context.Context, o integrations.ScriptOrder) (integrations.ScriptResult, error) {
	ctx, cancel := context.WithTimeout(ctx, e.config.Wait)
	defer cancel()
	for pause := e.first; ; pause = min(2*pause, pollMost) {
		r, err := e.edr.Ran(ctx, o)
		if err != nil || !open(r.State) {
			return r, err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return r, nil
		case <-timer.C:
		}
	}
}

// verify has the EDR run the script so that it only reads, and returns what it says. What was
// asked shortly before, and has not been answered, is not asked again. The device must be
// locked.
func (e *Enforcer) verify(ctx context.Context, op string, l limit) (answer, error) {
	device, args := l.target.ID(), l.args(doVerify)
	r, ok := e.asked.take(device, args, e.now())
	if !ok {
		r = reading{at: e.now(), ScriptOrder: integrations.ScriptOrder{
			Key: l.name + "/" + doVerify + "/" + rand.Text(), Target: l.target, Script: e.config.Script, Args: args,
		}}
		if _, err := e.edr.Run(ctx, r.ScriptOrder); err != nil {
			if integrations.KindOf(err) == integrations.Ambiguous {
				err = integrations.Errorf(integrations.Unavailable, op, "whether the script was ordered is not known: %w", err)
			}
			return answer{}, err
		}
	}
	result, err := e.wait(ctx, r.ScriptOrder)
	switch {
	case err != nil:
		if integrations.KindOf(err) != integrations.NotFound {
			e.asked.keep(device, r)
			return answer{}, err
		}
		return answer{}, integrations.Errorf(integrations.Unavailable, op, "the EDR has forgotten the script: %w", err)
	case open(result.State):
		e.asked.keep(device, r)
		err := integrations.Errorf(integrations.Unavailable, op, "the device has not said yet what stands: %s", state(result))
		err.Words = "the device has not said yet what stands"
		return answer{}, err
	}
	a, err := parse(result.Stdout, doVerify, l.name, result.Exit)
	if err != nil {
		return answer{}, integrations.Errorf(integrations.Unavailable, op, "the script is %s, and %w", result.State, err)
	}
	return a, nil
}
