package rehearse

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/api/serviceerror"

	"github.com/stanch-soar/stanch/activities"
)

type answer struct {
	result any
	err    error
}

// UpdateWithStart implements [activities.Engine] on the rehearsal's clock.
func (r *Rehearsal) UpdateWithStart(ctx context.Context, c activities.Call, result any) error {
	performance, ok := ctx.Value(performanceKey{}).(*performance)
	if !ok {
		return fmt.Errorf("update %s of %s: only activities can wait for a workflow", c.Update, c.ID)
	}
	answered := make(chan answer, 1)
	respond := func(a answer) {
		answered <- a
		performance.wait()
	}
	r.env.RegisterDelayedCallback(func() { r.try(ctx, c, false, respond) }, 0)
	performance.park()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case a := <-answered:
		return decode(c, a, result)
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
		start, err := r.starter(c.Workflow, c.ID, c.Input)
		if err != nil {
			respond(answer{err: err})
			return
		}
		start()
	}
	r.env.RegisterDelayedCallback(func() { r.try(ctx, c, true, respond) }, time.Millisecond)
}
