package memory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Behaviour is how a host reacts to an action. The zero Behaviour obeys at once.
type Behaviour struct {
	// Pending is how long it takes from acceptance until it is in force, and from
	// the undo's acceptance until it is lifted.
	Pending time.Duration
	// Lies reports whether the action is accepted but never in force.
	Lies bool
	// Ineffective reports whether it is in force, but traffic goes on.
	Ineffective bool
	// Elsewhere reports whether the traffic takes another way once it is in force, past it.
	Elsewhere bool
	// Uncounted reports whether the product counts nothing of it.
	Uncounted bool
	// Deaf reports whether the agent does not reach its cloud while it is in force.
	Deaf bool
	// Expires reports whether the product lifts it by itself at the end that its order
	// names, as network devices do.
	Expires bool
	// Stuck reports whether an undo is accepted but never lifts anything.
	Stuck bool
}

// fault makes calls of one operation fail.
type fault struct {
	op string
	// after reports whether the call is carried out, and only then fails.
	after bool
	err   integrations.Error
	// times is how many calls still fail; below zero it is every call.
	times int
}

// isOperation reports whether there are calls of that name: an operation, or one of
// read, apply and undo with its action.
func isOperation(name string) bool {
	op, action, named := strings.Cut(name, " ")
	if named {
		return slices.Contains([]string{"read", "apply", "undo"}, op) && slices.Contains(enforced(), incident.Action(action))
	}
	return slices.Contains([]string{
		"endpoints", "connections", "executions", "traffic", "baseline", "series", "hosts", "survey", "census", "asset", "read", "standing", "apply", "undo", "count", "counted", "collect", "kill", "post", "update", "reply",
	}, op)
}

// Fail makes the next calls of an operation fail before anything is carried
// out; times below zero is until Mend. Operations are endpoints, connections,
// executions, traffic, baseline, series, hosts, survey, asset, read, standing, apply, undo, count,
// counted, collect,
// kill, post, update and reply; read, apply and undo may name the action as well: "apply isolate".
func (e *Estate) Fail(op string, err integrations.Error, times int) {
	e.addFault(fault{op: op, err: err, times: times})
}

// FailAfter is like Fail, but the calls are carried out first: a write whose
// answer was lost, when the error is ambiguous.
func (e *Estate) FailAfter(op string, err integrations.Error, times int) {
	e.addFault(fault{op: op, err: err, times: times, after: true})
}

func (e *Estate) addFault(f fault) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.faults = append(e.faults, &f)
}

// Delay makes every call of an operation take that long before anything is
// carried out, in real time. Zero ends it.
func (e *Estate) Delay(op string, d time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.delays[op] = d
}

// Behave sets how a host reacts to an action from now on.
func (e *Estate) Behave(hostID string, action incident.Action, b Behaviour) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	h, ok := e.hosts[hostID]
	if !ok {
		return fmt.Errorf("behave: no host %q", hostID)
	}
	h.behaviours[action] = b
	return nil
}

// Mend ends all faults and delays. Behaviours stay.
func (e *Estate) Mend() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.faults = nil
	clear(e.delays)
	clear(e.answerDelays)
}

// use is one call of a capability.
type use struct {
	op     string
	action incident.Action
	// on is the subject of the call, for error texts.
	on    string
	write bool
}

func (u use) String() string {
	s := u.op
	if u.action != "" {
		s += " " + string(u.action)
	}
	if u.on != "" {
		s += " of " + u.on
	}
	return s
}

// names reports whether a fault or delay of that name applies to the call.
func (u use) names(op string) bool { return op == u.op || op == u.op+" "+string(u.action) }

// perform carries out one call: delays and faults first, then do, then delays and
// faults of the answer.
func (e *Estate) perform(ctx context.Context, u use, do func() error) error {
	if err := ctx.Err(); err != nil {
		return integrations.Errorf(integrations.Unavailable, u.String(), "%w", err)
	}
	if err := e.wait(ctx, u, e.delays); err != nil {
		return err
	}
	if err := e.carryOut(u, do); err != nil {
		return err
	}
	return e.wait(ctx, u, e.answerDelays)
}

// carryOut runs do under the estate's lock, between the faults before it and those
// that lose its answer.
func (e *Estate) carryOut(u use, do func() error) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.failing(u, false); err != nil {
		return err
	}
	if err := do(); err != nil {
		return err
	}
	return e.failing(u, true)
}

// wait waits for a delay. A caller that gives up a write cannot know whether it was
// done.
func (e *Estate) wait(ctx context.Context, u use, delays map[string]time.Duration) error {
	e.mu.Lock()
	var d time.Duration
	for op, delay := range delays {
		if u.names(op) {
			d = max(d, delay)
		}
	}
	e.mu.Unlock()
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		kind := integrations.Unavailable
		if u.write {
			kind = integrations.Ambiguous
		}
		return integrations.Errorf(kind, u.String(), "%w", ctx.Err())
	}
}

// failing returns the error of the first fault for the call, and spends it.
func (e *Estate) failing(u use, after bool) error {
	for _, f := range e.faults {
		if f.after != after || f.times == 0 || !u.names(f.op) {
			continue
		}
		if f.times > 0 {
			f.times--
		}
		err := f.err
		if err.Op == "" {
			err.Op = u.String()
		}
		return &err
	}
	return nil
}
