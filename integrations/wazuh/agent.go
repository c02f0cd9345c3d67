package wazuh

import (
	"context"
	"net/url"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// agentID is the id of one agent in Wazuh's form: paths, queries and orders are made of
// nothing else. It has three digits, or more without a zero before them. 000 is the
// manager itself, and no device.
type agentID string

func agentIDOf(text string) (agentID, bool) {
	if len(text) < 3 || len(text) > 9 || len(text) > 3 && text[0] == '0' || text == "000" {
		return "", false
	}
	for i := range len(text) {
		if !isDigit(text[i]) {
			return "", false
		}
	}
	return agentID(text), true
}

// targeted returns the one agent that a target names.
func targeted(op string, t incident.Target) (agentID, error) {
	if t.IsZero() {
		return "", integrations.Errorf(integrations.Invalid, op, "the target names no device")
	}
	id, ok := agentIDOf(t.ID())
	if !ok {
		return "", integrations.Errorf(integrations.Invalid, op, "%s is not the id of one agent: Wazuh's have three digits or more, and 000 is the manager", httpx.Quote(t.ID()))
	}
	return id, nil
}

// only is the query that names this agent: without one, Wazuh means all.
func (id agentID) only() url.Values { return url.Values{"agents_list": {string(id)}} }

// agent is one as the manager's list tells of it.
type agent struct {
	ID     text   `json:"id"`
	Name   text   `json:"name"`
	IP     text   `json:"ip"`
	Status text   `json:"status"`
	Heard  moment `json:"lastKeepAlive"`
	// Version is such as Wazuh v4.14.7; older ones than 4.2 give a script arguments, and
	// nothing to read.
	Version text   `json:"version"`
	Group   []text `json:"group"`
	OS      struct {
		Name     text `json:"name"`
		Platform text `json:"platform"`
	} `json:"os"`
}

// active reports whether the manager hears the agent. To any other it sends nothing, and
// keeps nothing for it.
func (a agent) active() bool { return strings.EqualFold(string(a.Status), "active") }

// heard is when the manager last heard the agent; of itself it has a year without sense.
func (a agent) heard() time.Time {
	if a.Heard.Year() >= 9999 {
		return time.Time{}
	}
	return a.Heard.Time
}

// agent reads one agent.
func (c *Client) agent(ctx context.Context, op string, id agentID) (agent, error) {
	found, err := list[agent](ctx, c.manager, op, "/agents", id.only(), 1)
	if err != nil {
		return agent{}, err
	}
	for _, a := range found {
		if string(a.ID) == string(id) {
			return a, nil
		}
	}
	return agent{}, integrations.Errorf(integrations.NotFound, op, "Wazuh has no agent %s", id)
}
