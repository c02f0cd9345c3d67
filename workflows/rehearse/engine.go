package rehearse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

type answer struct {
	result any
	err    error
}

// engine implements [activities.Workflows] on the rehearsal's clock.
type engine struct{ *Rehearsal }

// errPlace is the answer to a local activity, which has no place to give back:
// it is asked again as an activity of its own.
var errPlace = errors.New("only activities can wait for a workflow")

// UpdateWithStart implements [activities.Workflows].
func (e engine) UpdateWithStart(ctx context.Context, c activities.Call, result any) error {
	a, err := e.wait(ctx, func(respond func(answer)) { e.try(ctx, c, false, respond) })
	if err != nil {
		return fmt.Errorf("update %s of %s: %w", c.Update, c.ID, err)
	}
	return decode(c, a, result)
}

// Update implements [activities.Workflows].
func (e engine) Update(ctx context.Context, c activities.Call, result any) error {
	a, err := e.wait(ctx, func(respond func(answer)) {
		err := e.update(c.ID, c.Update, c.UpdateID, c.Arg, func(result any, err error) { respond(answer{result, err}) })
		if err != nil {
			respond(answer{err: integrations.Errorf(integrations.NotFound, "update "+c.ID, "it does not run")})
		}
	})
	if err != nil {
		return fmt.Errorf("update %s of %s: %w", c.Update, c.ID, err)
	}
	return decode(c, a, result)
}

// SignalWithStart implements [activities.Workflows]. The signal arrives when the
// clock goes on.
func (e engine) SignalWithStart(_ context.Context, c activities.Call) error {
	start, err := e.starter(c.Workflow, c.ID, c.Input)
	if err != nil {
		return err
	}
	var send func(started bool) func()
	send = func(started bool) func() {
		return func() {
			e.mu.Lock()
			_, live := e.live[c.ID]
			e.mu.Unlock()
			if live && e.Signal(c.ID, c.Signal, c.Arg) == nil {
				return
			}
			if !started {
				start()
			}
			e.env.RegisterDelayedCallback(send(true), time.Millisecond)
		}
	}
	e.env.RegisterDelayedCallback(send(false), 0)
	return nil
}

// Case implements [activities.Workflows].
func (e engine) Case(ctx context.Context, id, _ string) (incident.Case, error) {
	a, err := e.wait(ctx, func(respond func(answer)) {
		c, err := e.Rehearsal.Case(id)
		respond(answer{c, err})
	})
	if err != nil {
		return incident.Case{}, fmt.Errorf("ask case %s: %w", id, err)
	}
	if a.err != nil {
		return incident.Case{}, integrations.Errorf(integrations.NotFound, "ask case "+id, "%w", a.err)
	}
	c, _ := a.result.(incident.Case)
	return c, nil
}

// wait has something done when the clock goes on, and waits for its answer.
func (e engine) wait(ctx context.Context, do func(respond func(answer))) (answer, error) {
	performance, ok := ctx.Value(performanceKey{}).(*performance)
	if !ok {
		return answer{}, errPlace
	}
	answered := make(chan answer, 1)
	respond := func(a answer) {
		answered <- a
		performance.wait()
	}
	e.env.RegisterDelayedCallback(func() { do(respond) }, 0)
	performance.park()
	select {
	case <-ctx.Done():
		return answer{}, ctx.Err()
	case a := <-answered:
		return a, nil
	}
}

func decode(c activities.Call, a answer, result any) error {
	if a.err != nil || result == nil {
		return a.err
	}
	data, err := json.Marshal(a.result)
	if err != nil {
		return fmt.Errorf("encode the answer of %s: %w", c.ID, err)
	}
	if err := json.Unmarshal(data, result); err != nil {
		return fmt.Errorf("read the answer of %s: %w", c.ID, err)
	}
	return nil
}

// try sends the update; it starts the workflow when there is none, and tries
// again when it has started.
func (r *Rehearsal) try(ctx context.Context, c activities.Call, started bool, respond func(answer)) {
	if ctx.Err() != nil {
		return
	}
	err := r.update(c.ID, c.Update, c.UpdateID, c.Arg, func(result any, err error) { respond(answer{result, err}) })
	if err == nil {
		return
	}
	if _, ok := errors.AsType[*serviceerror.NotFound](err); !ok {
		respond(answer{err: err})
		return
	}
	if !started {
		input := c.Input
		if c.Instead != nil {
			// A start is not atomic here: the update says whose it was.
			input = c.Instead
		}
		start, err := r.starter(c.Workflow, c.ID, input)
		if err != nil {
			respond(answer{err: err})
			return
		}
		start()
	}
	r.env.RegisterDelayedCallback(func() { r.try(ctx, c, true, respond) }, time.Millisecond)
}
