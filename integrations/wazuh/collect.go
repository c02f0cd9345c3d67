package wazuh

import (
	"context"
	"encoding/json"
	"net/url"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// collectedRows bounds what is collected of a kind.
const collectedRows = 5000

// evidence is what is written of a collected kind: the agent's inventory, as it was when it
// was scanned.
type evidence struct {
	Device  string          `json:"device"`
	Kind    string          `json:"kind"`
	Scanned time.Time       `json:"scanned,omitzero"`
	Rows    json.RawMessage `json:"rows"`
}

// inventories are the parts of the manager's inventory that are evidence. Accounts, which say
// who is logged on, are in that of managers from 4.14 on.
func inventories() map[string]string {
	return map[string]string{"processes": "processes", "connections": "ports", "sessions": "users"}
}

// Collect implements [integrations.Collector]. It changes nothing on the device, and is as
// old as the agent's last scan, of which there is one an hour.
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
		if inventories()[what] == "" {
			return nil, integrations.Errorf(integrations.Invalid, op, "%s cannot be collected: must be processes, connections or sessions", httpx.Quote(what))
		}
	}
	artifacts := make([]integrations.Artifact, len(o.What))
	steps := []func() error{c.exists(ctx, op, id)}
	for i, what := range o.What {
		steps = append(steps, func() (err error) {
			artifacts[i], err = c.artifact(ctx, op, id, what)
			return err
		})
	}
	if err := httpx.All(steps...); err != nil {
		return nil, err
	}
	return artifacts, nil
}

func (c *Client) artifact(ctx context.Context, op string, id agentID, what string) (integrations.Artifact, error) {
	rows, err := list[json.RawMessage](ctx, c.manager, op, "/syscollector/"+string(id)+"/"+inventories()[what], url.Values{}, collectedRows)
	if err != nil {
		return integrations.Artifact{}, err
	}
	if rows == nil {
		rows = []json.RawMessage{}
	}
	e := evidence{Device: string(id), Kind: "inventory of " + inventories()[what]}
	for _, row := range rows {
		var of struct {
			Scan struct {
				Time moment `json:"time"`
			} `json:"scan"`
		}
		if json.Unmarshal(row, &of) == nil && of.Scan.Time.After(e.Scanned) {
			e.Scanned = of.Scan.Time.Time
		}
	}
	if e.Rows, err = json.Marshal(rows); err != nil {
		return integrations.Artifact{}, integrations.Errorf(integrations.Invalid, op, "%w", err)
	}
	data, err := json.Marshal(e)
	if err != nil {
		return integrations.Artifact{}, integrations.Errorf(integrations.Invalid, op, "%w", err)
	}
	return integrations.Artifact{What: what, At: c.now().UTC(), Data: data}, nil
}
