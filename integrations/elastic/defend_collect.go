package elastic

import (
	"context"
	"encoding/json"
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

// evidence is what is written of a collected kind: what was recorded in the window. Cut says
// whether there was more.
type evidence struct {
	Device   string    `json:"device"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Recorded string    `json:"recorded"`
	Cut      bool      `json:"cut,omitempty"`
	Rows     any       `json:"rows"`
}

// Collect implements [integrations.Collector]. It orders nothing on the device: Elastic can
// list what runs there, which waits for a device that is offline, and names no images.
func (d *Defend) Collect(ctx context.Context, o integrations.CollectOrder) ([]integrations.Artifact, error) {
	op := "collect from " + o.Target.Name()
	id, err := targeted(op, o.Target)
	if err != nil {
		return nil, err
	}
	if len(o.What) == 0 {
		return nil, integrations.Errorf(integrations.Invalid, op, "the order has nothing to collect")
	}
	for _, what := range o.What {
		if what != "processes" && what != "connections" {
			return nil, integrations.Errorf(integrations.Invalid, op, "%s cannot be collected: must be processes or connections", httpx.Quote(what))
		}
	}
	now := d.now().UTC()
	artifacts := make([]integrations.Artifact, len(o.What))
	var steps []func() error
	for i, what := range o.What {
		steps = append(steps, func() (err error) {
			artifacts[i], err = d.artifact(ctx, id, o.Target, what, now)
			return err
		})
	}
	if err := httpx.All(steps...); err != nil {
		return nil, err
	}
	return artifacts, nil
}

func (d *Defend) artifact(ctx context.Context, id agentID, t incident.Target, what string, now time.Time) (integrations.Artifact, error) {
	e := evidence{Device: string(id), From: now.Add(-collectedTime), To: now}
	var err error
	if what == "processes" {
		var rows []incident.Execution
		rows, err = d.Executions(ctx, integrations.ExecutionQuery{Target: t, From: e.From, To: e.To, Limit: collectedRows})
		e.Recorded, e.Rows, e.Cut = "starts of processes, and scripts", rows, len(rows) == collectedRows
	} else {
		var rows []incident.Connection
		rows, err = d.Connections(ctx, integrations.ConnectionQuery{Target: t, From: e.From, To: e.To, Limit: collectedRows})
		e.Recorded, e.Rows, e.Cut = "connections", rows, len(rows) == collectedRows
	}
	if err != nil {
		return integrations.Artifact{}, err
	}
	data, err := json.Marshal(e)
	if err != nil {
		return integrations.Artifact{}, integrations.Errorf(integrations.Invalid, "collect "+what, "%w", err)
	}
	return integrations.Artifact{What: what, At: now, Data: data}, nil
}
