package bench

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/engine"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// cost reads what the last case at rest took of the engine until it was
// contained. Of the budget, which all cases share, it is the mean of a case.
func (b *bench) cost(ctx context.Context, _ *yardstick) error {
	c, err := b.contained(ctx, hostID(b.Cases+b.Alone-1))
	if err != nil {
		return err
	}
	b.result.CaseCost = map[string]engine.Cost{}
	for name, id := range map[string]string{
		"case": protocol.CaseWorkflowID(c.ID), "claim": protocol.ClaimID(c.Playbook, "estate", *c.Target), "lease": c.Steps[0].Lease,
		"budget": protocol.BudgetID,
	} {
		one, err := engine.CostOf(ctx, b.service.Client(), id, "")
		if err != nil {
			return err
		}
		b.result.CaseCost[name] = one
	}
	all := b.result.CaseCost["budget"]
	b.result.CaseCost["budget"] = engine.Cost{
		Events: all.Events / b.Alone, Bytes: all.Bytes / int64(b.Alone), WorkflowTasks: all.WorkflowTasks / b.Alone, Actions: all.Actions / b.Alone,
	}
	return nil
}

// contained waits until the case of a host says that it is contained.
func (b *bench) contained(ctx context.Context, host string) (incident.Case, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for {
		data, err := b.to.call(ctx, http.MethodGet, "/v1/cases/bench/"+host, b.token, nil)
		if err != nil {
			return incident.Case{}, err
		}
		var c incident.Case
		if err := json.Unmarshal(data, &c); err != nil {
			return c, fmt.Errorf("read a case: %w", err)
		}
		if c.Status == incident.Contained {
			return c, nil
		}
		select {
		case <-ctx.Done():
			return c, fmt.Errorf("wait for the case of %s to be contained: %w", host, ctx.Err())
		case <-ticker.C:
		}
	}
}
