package activities

import (
	"context"
	"fmt"
	"time"
)

// Watch has the budget tell a case when containment is paused and resumed, and
// returns how that stands now.
var Watch = Ref[Watcher, PauseChange]{"watch"}

// Watcher is a case that is told when containment is paused and resumed.
type Watcher struct {
	// Case is its workflow id, Run its run: another case of the same subject is
	// not told.
	Case string `json:"case"`
	Run  string `json:"run"`
	// Until is when it need not be told any more.
	Until time.Time `json:"until"`
}

// PauseChange says how the kill switch stands.
type PauseChange struct {
	// Run is that of the case that is told.
	Run string `json:"run"`
	// Changes counts the pauses and resumptions before: of two messages that
	// overtook each other the one with more is right.
	Changes int `json:"changes"`
	// Paused is set while containment is paused; if it is not, Resumed says who
	// resumed it, if anybody did.
	Paused  *Pause `json:"paused,omitempty"`
	Resumed *Pause `json:"resumed,omitempty"`
	// Full tells that too many cases are told: this one is not.
	Full bool `json:"full,omitempty"`
}

func (a *Activities) watch(ctx context.Context, in Watcher) (PauseChange, error) {
	var out PauseChange
	err := a.Engine.UpdateWithStart(ctx, Call{
		Workflow: BudgetWorkflow, ID: BudgetID, Input: BudgetState{},
		Attributes: map[string]string{AttrKind: BudgetWorkflow},
		Update:     WatchUpdate, UpdateID: a.unique(in.Case + "/" + in.Run + "/watch"), Arg: in,
	}, &out)
	if err != nil {
		return out, fmt.Errorf("ask whether containment is paused: %w", err)
	}
	return out, nil
}
