package activities

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/sdk/activity"

	"github.com/stanch-soar/stanch/activities/protocol"
)

// Turns bounds what a process does at a time, and what waits in it for that: one
// that waits sends the engine a heartbeat every second. They are taken in the
// order in which they were asked for.
type Turns struct {
	// turns holds a token for each that is taken, waits one for each that waits.
	turns, waits chan struct{}
}

// NewTurns returns as many turns, for which so many more may wait.
func NewTurns(turns, waits int) *Turns {
	return &Turns{make(chan struct{}, turns), make(chan struct{}, waits)}
}

// ErrBusy reports that enough wait for a turn already.
var ErrBusy = errors.New("enough wait for a turn")

// Take waits for a turn and returns the function that gives it back. Where
// enough others wait already, what can wait elsewhere gets [ErrBusy].
func (t *Turns) Take(ctx context.Context, elsewhere bool) (done func(), err error) {
	done = func() { <-t.turns }
	select {
	case t.turns <- struct{}{}:
		return done, nil
	default:
	}
	if elsewhere {
		select {
		case t.waits <- struct{}{}:
			defer func() { <-t.waits }()
		default:
			return nil, ErrBusy
		}
	}
	select {
	case t.turns <- struct{}{}:
		return done, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a turn: %w", context.Cause(ctx))
	}
}

// turn waits until a containing activity may begin. One from the queue for those
// that wait has waited there, and one of which an earlier attempt may have taken
// something stays.
func (a *Activities) turn(ctx context.Context) (done func(), err error) {
	if a.Turn == nil {
		return func() {}, nil
	}
	return a.Turn(ctx, mayHandBack(ctx))
}

func mayHandBack(ctx context.Context) bool {
	if !activity.IsActivity(ctx) {
		return false
	}
	info := activity.GetInfo(ctx)
	return info.TaskQueue != protocol.ContainQueue && info.Attempt == 1
}
