package defender

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

// evidence is what is written of a collected kind. Defender has no list of what runs: it is
// what was recorded in the window, and Cut says whether there was more.
type evidence struct {
	Device   string    `json:"device"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Recorded string    `json:"recorded"`
	Cut      bool      `json:"cut,omitempty"`
	Rows     any       `json:"rows"`
}

// session is a user of a device, as evidence.
type session struct {
	User  string    `json:"user"`
	Types string    `json:"logon_types,omitempty"`
	First time.Time `json:"first_seen,omitzero"`
	Last  time.Time `json:"last_seen,omitzero"`
}

// Collect implements [integrations.Collector]. It changes nothing on the device.
func (c *Client) Collect(ctx context.Context, o integrations.CollectOrder) ([]integrations.Artifact, error) {
	op := "collect from " + o.Target.Name()
	id, err := targeted(op, o.Target)
	if err != nil {
		return nil, err
	}
	if len(o.What) == 0 {
		return nil, integrations.Errorf(integrations.Invalid, op, "the order has nothing to collect")
	}
	for _, what := range o.What {
		if what != "processes" && what != "connections" && what != "sessions" {
			return nil, integrations.Errorf(integrations.Invalid, op, "%s cannot be collected: must be processes, connections or sessions", httpx.Quote(what))
		}
	}
	now := c.now().UTC()
	artifacts := make([]integrations.Artifact, len(o.What))
	steps := []func() error{func() error { _, err := c.machine(ctx, op, id); return err }}
	for i, what := range o.What {
		steps = append(steps, func() (err error) {
			artifacts[i], err = c.artifact(ctx, id, o.Target, what, now)
			return err
		})
	}
	if err := httpx.All(steps...); err != nil {
		return nil, err
	}
	return artifacts, nil
}

func (c *Client) artifact(ctx context.Context, id machineID, t incident.Target, what string, now time.Time) (integrations.Artifact, error) {
	e := evidence{Device: string(id), From: now.Add(-collectedTime), To: now}
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
		var logons []logon
		logons, err = c.logons(ctx, id)
		rows := make([]session, 0, len(logons))
		for _, l := range logons {
			rows = append(rows, session{l.name(), l.Types, l.First.Time, l.Last.Time})
		}
		e.Recorded, e.Rows = "users, whenever they logged on", rows
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
