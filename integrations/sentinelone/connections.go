package sentinelone

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// recent is how long before its connections a script of their process is looked for.
	recent = 24 * time.Hour
	// maxScripts bounds the scripts that are looked for beside connections.
	maxScripts = 200
)

// Connections implements [integrations.Connections]. The agent's events have no bytes, and
// of the images that led to a process they name the parent's.
func (c *Client) Connections(ctx context.Context, q integrations.ConnectionQuery) ([]incident.Connection, error) {
	op := "find connections of " + httpx.Line(q.Target.ID())
	id, err := agentOf(op, q.Target)
	if err != nil {
		return nil, err
	}
	asked, err := connectionsAsked(op, q)
	if err != nil {
		return nil, err
	}
	if asked.agent, err = c.eventsOf(ctx, op, id); err != nil {
		return nil, err
	}
	var events, scripts []row
	err = httpx.Together(ctx,
		func(ctx context.Context) (err error) { events, err = c.events(ctx, asked); return err },
		func(ctx context.Context) (err error) {
			scripts, err = c.events(ctx, question{
				op: op, agent: asked.agent, event: commandScript, from: q.From.Add(-recent), to: q.To, limit: maxScripts,
				fields: append(scriptFields(), source+".uid"),
			})
			return err
		},
	)
	if err != nil {
		return nil, err
	}
	found := make([]incident.Connection, 0, len(events))
	for _, r := range events {
		tuple, ok := r.tuple()
		if !ok {
			continue // Not one of an address: nothing can be joined with it.
		}
		at := when(r[eventTime])
		p := r.process(source, string(r[source+".parent.image.path"]))
		if script := newest(scripts, r[source+".uid"], at); script != nil {
			p = withScript(p, script)
		}
		found = append(found, incident.Connection{At: at, Tuple: tuple, Process: p})
	}
	slices.SortStableFunc(found, func(a, b incident.Connection) int { return cmp.Compare(b.At.UnixNano(), a.At.UnixNano()) })
	return found, nil
}

// newest is the newest script that a process had run by a time, of scripts newest first; nil
// for none.
func newest(scripts []row, uid text, by time.Time) row {
	for _, r := range scripts {
		if uid != "" && r[source+".uid"] == uid && !when(r[eventTime]).After(by) {
			return r
		}
	}
	return nil
}

// connectionsAsked is the question for connections. The data lake is asked for those with
// any of the tuples' addresses and ports; whether they are the tuples' own is checked on
// what it returns.
func connectionsAsked(op string, q integrations.ConnectionQuery) (question, error) {
	if err := bounds(op, q.From, q.To, q.Limit); err != nil {
		return question{}, err
	}
	if len(q.Tuples) > integrations.MaxTuples {
		return question{}, integrations.Errorf(integrations.Invalid, op, "the query has more than %d tuples", integrations.MaxTuples)
	}
	asked := question{
		op: op, event: ipConnect, from: q.From, to: q.To, limit: q.Limit,
		fields: slices.Concat([]string{
			"src.ip.address", "src.port.number", "dst.ip.address", "dst.port.number", "event.network.protocolName", "event.network.direction",
		}, processFields(source), parentFields()),
	}
	if len(q.Tuples) == 0 {
		return asked, nil
	}
	wanted := map[incident.Tuple]bool{}
	var ports, ips []string
	all4 := true
	for _, t := range q.Tuples {
		for _, end := range []struct {
			ip   string
			port int
		}{{t.SrcIP, t.SrcPort}, {t.DstIP, t.DstPort}} {
			addr, err := netip.ParseAddr(end.ip)
			if err != nil || addr.Zone() != "" || end.port < 0 || end.port > 65535 {
				return question{}, integrations.Errorf(integrations.Invalid, op, "invalid tuple: %q port %d", httpx.Line(end.ip), end.port)
			}
			all4 = all4 && addr.Is4()
			ips, ports = append(ips, quoted(addr.String())), append(ports, strconv.Itoa(end.port))
		}
		wanted[t], wanted[t.Reversed()] = true, true
	}
	ips, ports = once(ips), once(ports)
	asked.where = []string{anyOf("src.port.number", ports), anyOf("dst.port.number", ports)}
	if all4 {
		// How the agent spells addresses of IPv6 is not documented.
		asked.where = append(asked.where, anyOf("src.ip.address", ips), anyOf("dst.ip.address", ips))
	}
	asked.keep = func(r row) bool {
		t, ok := r.tuple()
		return ok && wanted[t]
	}
	return asked, nil
}

// tuple is the tuple of an event of a connection.
func (r row) tuple() (incident.Tuple, bool) {
	from, errFrom := netip.ParseAddr(string(r["src.ip.address"]))
	to, errTo := netip.ParseAddr(string(r["dst.ip.address"]))
	fromPort, errFromPort := port(r["src.port.number"])
	toPort, errToPort := port(r["dst.port.number"])
	if errFrom != nil || errTo != nil || errFromPort != nil || errToPort != nil {
		return incident.Tuple{}, false
	}
	return incident.Tuple{
		SrcIP: from.Unmap().WithZone("").String(), SrcPort: fromPort, DstIP: to.Unmap().WithZone("").String(), DstPort: toPort,
		Transport: transport(string(r["event.network.protocolName"])),
	}, true
}

// port reads a port; protocols without one have none, which is 0.
func port(t text) (int, error) {
	if t == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(string(t), 10, 16)
	return int(n), err
}

// transport is the protocol of an event. Not documented: which words the agent has for it;
// one that is the name of an application, such as dns, does not say which transport it is
// on, and is left out.
func transport(name string) string {
	switch lower := strings.ToLower(name); lower {
	case "tcp", "udp", "icmp":
		return lower
	case "icmpv6", "icmp6", "ipv6-icmp":
		return "icmp"
	}
	return ""
}
