package memory

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// kill is a process that was ended.
type kill struct {
	Host string    `json:"host"`
	PID  int64     `json:"pid"`
	Path string    `json:"path"`
	Key  string    `json:"key"`
	At   time.Time `json:"at"`
}

func (e *Estate) killed(hostID string, p Process, at time.Time) bool {
	return slices.ContainsFunc(e.kills, func(k kill) bool {
		return k.Host == hostID && k.PID == p.PID && k.Path == p.Path && !at.Before(k.At)
	})
}

// Endpoints implements [integrations.Endpoints].
func (e *Estate) Endpoints(ctx context.Context, q integrations.EndpointQuery) ([]incident.Endpoint, error) {
	var found []incident.Endpoint
	err := e.perform(ctx, use{op: "endpoints"}, func() error {
		for _, h := range e.matches(q) {
			if !withheld(h.given.Endpoint) {
				found = append(found, e.endpoint(h, e.now().UTC()))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

func (e *Estate) endpoint(h *host, now time.Time) incident.Endpoint {
	text := func(s string) incident.Value[string] {
		if s == "" {
			return incident.NotKnown[string]("the EDR does not say")
		}
		return incident.Known(s, incident.FromEDR)
	}
	seen := h.lastSeen
	if h.online {
		seen = now
	}
	given := h.given.Endpoint
	if e.touched(h, now.Add(1)) && given.Isolation.IsKnown() {
		given.Isolation = incident.Value[string]{}
	}
	if given.Online.IsKnown() {
		given.Online = incident.Value[bool]{} // Set by SetFacts; it can change.
	}
	return override(incident.Endpoint{
		ID: text(h.ID), Name: text(h.Name), OS: text(h.OS), Role: text(h.Role),
		IP:     incident.Known(slices.Clone(h.IPs), incident.FromEDR),
		Online: incident.Known(h.online, incident.FromEDR), LastSeen: incident.Known(seen, incident.FromEDR),
		Isolation: incident.Known(e.isolation(h, now), incident.FromEDR), Route: text(cmp.Or(h.Route, "direct")),
	}, given)
}

func (e *Estate) isolation(h *host, now time.Time) string {
	for _, c := range e.containments {
		if c.Order.Target.ID() != h.ID || c.Order.Action != incident.Isolate || c.Lie || !c.open(now) {
			continue
		}
		switch {
		case !c.EndsAt.IsZero():
			return "releasing"
		case c.stands(now):
			return "isolated"
		default:
			return "isolating"
		}
	}
	return "none"
}

// Connections implements [integrations.Connections]. The EDR reports a stream's
// connections once a minute, by the endpoint's clock.
func (e *Estate) Connections(ctx context.Context, q integrations.ConnectionQuery) ([]incident.Connection, error) {
	w := eventWindow{q.Target, q.From, q.To, q.Limit}
	return events(ctx, e, "connections", w, func(h *host) []incident.Connection { return e.connections(h, q) })
}

// eventWindow is which events of a device are asked for.
type eventWindow struct {
	target   incident.Target
	from, to time.Time
	limit    int
}

// events reads what the EDR has recorded of a device.
func events[T any](ctx context.Context, e *Estate, op string, w eventWindow, read func(*host) []T) ([]T, error) {
	var found []T
	u := use{op: op, on: w.target.ID()}
	err := e.perform(ctx, u, func() error {
		h, err := e.device(u.String(), w.target)
		if err != nil {
			return err
		}
		if w.limit <= 0 || !w.from.Before(w.to) {
			return integrations.Errorf(integrations.Invalid, u.String(), "the query has no time or no limit")
		}
		found = read(h)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

func (e *Estate) connections(h *host, q integrations.ConnectionQuery) []incident.Connection {
	var found []incident.Connection
	if withheld(h.given.Process) {
		return nil
	}
	e.minutes(h, q.From.Add(-h.ClockSkew), q.To.Add(-h.ClockSkew), func(l lane, f incident.Flow) {
		at := f.Start.Add(h.ClockSkew)
		found = append(found, incident.Connection{At: at, Tuple: f.Tuple, Process: override(l.process.fact(), h.given.Process)})
	})
	for _, c := range h.recorded {
		if !c.At.Before(q.From) && c.At.Before(q.To) {
			found = append(found, c)
		}
	}
	if len(q.Tuples) > 0 {
		found = slices.DeleteFunc(found, func(c incident.Connection) bool {
			return !slices.Contains(q.Tuples, c.Tuple) && !slices.Contains(q.Tuples, c.Tuple.Reversed())
		})
	}
	slices.SortStableFunc(found, func(a, b incident.Connection) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.DstIP, b.DstIP), cmp.Compare(a.SrcPort, b.SrcPort))
	})
	return found[:min(len(found), q.Limit)]
}

const (
	collectedConnections = 1000
	collectedTime        = 15 * time.Minute
)

// Collect implements [integrations.Collector]. It changes nothing.
func (e *Estate) Collect(ctx context.Context, o integrations.CollectOrder) ([]integrations.Artifact, error) {
	var artifacts []integrations.Artifact
	u := use{op: "collect", on: o.Target.ID()}
	err := e.perform(ctx, u, func() error {
		h, err := e.device(u.String(), o.Target)
		if err != nil {
			return err
		}
		if len(o.What) == 0 {
			return integrations.Errorf(integrations.Invalid, u.String(), "the order has nothing to collect")
		}
		for _, what := range o.What {
			a, err := e.artifact(h, what)
			if err != nil {
				return integrations.Errorf(integrations.Invalid, u.String(), "%w", err)
			}
			artifacts = append(artifacts, a)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return artifacts, nil
}

func (e *Estate) artifact(h *host, what string) (integrations.Artifact, error) {
	now := e.now().UTC()
	var content any
	switch what {
	case "processes":
		running := []incident.Process{}
		for _, p := range h.Processes {
			if !e.killed(h.ID, p, now) {
				running = append(running, override(p.fact(), h.given.Process))
			}
		}
		content = running
	case "connections":
		content = e.connections(h, integrations.ConnectionQuery{
			From: now.Add(h.ClockSkew - collectedTime), To: now.Add(h.ClockSkew), Limit: collectedConnections,
		})
	default:
		return integrations.Artifact{}, fmt.Errorf("%q cannot be collected: must be processes or connections", what)
	}
	data, err := json.Marshal(content)
	if err != nil {
		return integrations.Artifact{}, err
	}
	return integrations.Artifact{What: what, At: now, Data: data}, nil
}

// Kill implements [integrations.Killer].
func (e *Estate) Kill(ctx context.Context, o integrations.KillOrder) (incident.Receipt, error) {
	var r incident.Receipt
	u := use{op: "kill", action: incident.KillProcess, on: o.Target.ID(), write: true}
	err := e.perform(ctx, u, func() error {
		h, err := e.device(u.String(), o.Target)
		if err != nil {
			return err
		}
		if o.PID <= 0 || o.Path == "" || o.Key == "" {
			return integrations.Errorf(integrations.Invalid, u.String(), "the order needs a key, a pid and a path")
		}
		now := e.now().UTC()
		r = incident.Receipt{At: now, Detail: "no such process runs"}
		for _, p := range h.Processes {
			if p.PID != o.PID || p.Path != o.Path || e.killed(h.ID, p, now) {
				continue
			}
			r.Detail = "ended"
			return e.commit(entry{
				Kill:   &kill{Host: h.ID, PID: p.PID, Path: p.Path, Key: o.Key, At: now},
				Effect: &Effect{Op: "kill", Action: incident.KillProcess, Key: o.Key, Target: h.ID, At: now},
			})
		}
		return nil
	})
	return r, err
}

// Runs reports whether a process runs on a host.
func (e *Estate) Runs(hostID string, pid int64, path string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	h, ok := e.hosts[hostID]
	return ok && slices.ContainsFunc(h.Processes, func(p Process) bool {
		return p.PID == pid && p.Path == path && !e.killed(hostID, p, e.now())
	})
}
