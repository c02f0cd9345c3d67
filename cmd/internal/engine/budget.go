package engine

import (
	"context"
	"fmt"
	"time"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Budget returns what was contained lately, and whether containment is paused.
// Before anything was ever contained or paused it is empty.
func (c *Client) Budget(ctx context.Context) (protocol.BudgetState, error) {
	var out protocol.BudgetState
	value, err := c.temporal.QueryWorkflow(ctx, protocol.BudgetID, "", protocol.BudgetQuery)
	if notFound(err) {
		return out, nil
	}
	if err == nil {
		err = value.Get(&out)
	}
	if err != nil {
		return out, fmt.Errorf("ask the budget: %w", err)
	}
	return out, nil
}

// Pause holds back all new containment.
func (c *Client) Pause(ctx context.Context, why incident.Pause) (protocol.BudgetState, error) {
	return c.toggle(ctx, protocol.PauseUpdate, why)
}

// Resume allows containment again.
func (c *Client) Resume(ctx context.Context, why incident.Pause) (protocol.BudgetState, error) {
	return c.toggle(ctx, protocol.ResumeUpdate, why)
}

// toggle switches the kill switch; each switch is an update of its own.
func (c *Client) toggle(ctx context.Context, update string, why incident.Pause) (protocol.BudgetState, error) {
	var out protocol.BudgetState
	return out, c.UpdateWithStart(ctx, activities.BudgetCall(update, fmt.Sprintf("%s/%s/%d", update, why.By, time.Now().UnixNano()), why), &out)
}
