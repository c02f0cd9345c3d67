package activities

import (
	"context"
	"fmt"

	"github.com/stanch-soar/stanch/activities/protocol"
)

// Watch has the budget notify a case when containment is paused and resumed, and
// returns the current state.
var Watch = Ref[protocol.Watcher, protocol.PauseChange]{"watch"}

func (a *Activities) watch(ctx context.Context, in protocol.Watcher) (protocol.PauseChange, error) {
	var out protocol.PauseChange
	err := a.Workflows.UpdateWithStart(ctx, BudgetCall(protocol.WatchUpdate, a.unique(in.Case+"/"+in.Run+"/watch"), in), &out)
	if err != nil {
		return out, fmt.Errorf("ask whether containment is paused: %w", err)
	}
	return out, nil
}
