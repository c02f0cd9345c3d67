package sentinelone

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// collectedTime is how far back evidence goes, and collectedRows how many of each kind
	// there are at most.
	collectedTime = 15 * time.Minute
	collectedRows = 1000
)

// evidence is what is written of a collected kind. The API has no list of what runs: it is
// what the agent recorded in the window, and Cut says whether there was more.
type evidence struct {
	Device   string    `json:"device"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Recorded string    `json:"recorded"`
	Cut      bool      `json:"cut,omitempty"`
	Rows     any       `json:"rows"`
}

func collectable() []string { return []string{"processes", "connections", "sessions"} }

// Collect implements [integrations.Collector]. It changes nothing on the device.
func (c *Client) Collect(ctx context.Context, o integrations.CollectOrder) ([]integrations.Artifact, error) {
	op := "collect from " + httpx.Line(o.Target.ID())
	id, err := agentOf(op, o.Target)
	if err != nil {
		return nil, err
	}
	if len(o.What) == 0 {
		return nil, integrations.Errorf(integrations.Invalid, op, "the order has nothing to collect")
	}
	for _, what := range o.What {
		if !slices.Contains(collectable(), what) {
			return nil, integrations.Errorf(integrations.Invalid, op, "%q cannot be collected: must be one of %s", httpx.Line(what), strings.Join(collectable(), ", "))
		}
	}
	a, err := c.agent(ctx, op, id)
	if err != nil {
		return nil, err
	}
	now := c.now().UTC()
	artifacts := make([]integrations.Artifact, len(o.What))
	var asking []func(context.Context) error
	for i, what := range o.What {
		asking = append(asking, func(ctx context.Context) (err error) {
			artifacts[i], err = c.artifact(ctx, a, o.Target, what, now)
			return err
		})
	}
	if err := httpx.Together(ctx, asking...); err != nil {
		return nil, err
	}
	return artifacts, nil
}

func (c *Client) artifact(ctx context.Context, a agent, t incident.Target, what string, now time.Time) (integrations.Artifact, error) {
	e := evidence{Device: a.ID, From: now.Add(-collectedTime), To: now}
	var err error
	switch what {
	case "processes":
		var rows []incident.Execution
		rows, err = c.Executions(ctx, integrations.ExecutionQuery{Target: t, From: e.From, To: e.To, Limit: collectedRows})
		e.Recorded, e.Rows, e.Cut = "starts of processes, and scripts", rows, len(rows) == collectedRows
	case "connections":
		var rows []incident.Connection
		rows, err = c.Connections(ctx, integrations.ConnectionQuery{Target: t, From: e.From, To: e.To, Limit: collectedRows})
		e.Recorded, e.Rows, e.Cut = "connections", rows, len(rows) == collectedRows
	default:
		users := []string{}
		if a.LastUser != "" {
			users = append(users, a.LastUser)
		}
		e.Recorded, e.Rows = "the user who logged on last, whenever", users
	}
	if err != nil {
		return integrations.Artifact{}, err
	}
	data, err := json.Marshal(e)
	if err != nil {
		return integrations.Artifact{}, integrations.Errorf(integrations.Unavailable, "collect "+what, "encode the evidence: %w", err)
	}
	return integrations.Artifact{What: what, At: now, Data: data}, nil
}
