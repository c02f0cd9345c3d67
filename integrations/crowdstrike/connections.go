package crowdstrike

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func connectionEvents() []string {
	return []string{"NetworkConnectIP4", "NetworkConnectIP6", "NetworkReceiveAcceptIP4", "NetworkReceiveAcceptIP6"}
}

// accepted begins the names of the events of connections that the device has accepted.
const accepted = "NetworkReceiveAccept"

// Connections implements [integrations.Connections]. The sensor's events have no bytes.
// They are found by the device's own clock; those of a device that sends them more than
// a day late are not. The process of a connection is joined from its start, which is
// looked for among the events of 30 days.
func (f *Falcon) Connections(ctx context.Context, q integrations.ConnectionQuery) ([]incident.Connection, error) {
	op := "find connections of " + httpx.Line(q.Target.ID())
	a, err := agentOf(op, q.Target)
	if err != nil {
		return nil, err
	}
	asked, err := connectionsAsked(op, a, q)
	if err != nil {
		return nil, err
	}
	var events, scripts []row
	var known starts
	err = httpx.Together(ctx,
		func(ctx context.Context) error { _, err := f.device(ctx, op, a); return err },
		func(ctx context.Context) (err error) { events, err = f.rows(ctx, asked); return err },
		func(ctx context.Context) (err error) {
			known, err = f.started(ctx, op, a, q.From.Add(-recent), q.To, maxStarts)
			return err
		},
		func(ctx context.Context) (err error) {
			scripts, err = f.scriptsRun(ctx, op, a, q.From.Add(-recent), q.To, maxScripts)
			return err
		},
	)
	if err != nil {
		return nil, err
	}
	if err := f.complete(ctx, op, a, q.To, known, idsOf(events)); err != nil {
		return nil, err
	}
	found := make([]incident.Connection, 0, len(events))
	for _, r := range events {
		tuple, ok := tupleOf(r)
		if !ok {
			continue // Not one of an address: nothing can be joined with it.
		}
		at := when(r["ContextTimeStamp"])
		id := string(r["ContextProcessId"])
		p := known.process(id, r["ContextBaseFileName"])
		if script := newest(scripts, id, at); script != nil {
			p = withScript(p, script)
		}
		found = append(found, incident.Connection{At: at, Tuple: tuple, Process: p})
	}
	slices.SortStableFunc(found, func(a, b incident.Connection) int { return cmp.Compare(b.At.UnixNano(), a.At.UnixNano()) })
	return found, nil
}

// connectionsAsked is the question for connections. Falcon is asked for those with any of
// the tuples' addresses and ports; whether they are the tuples' own is checked on what
// it returns.
func connectionsAsked(op string, a agentID, q integrations.ConnectionQuery) (question, error) {
	if q.Limit <= 0 || !q.From.Before(q.To) || len(q.Tuples) > integrations.MaxTuples {
		return question{}, integrations.Errorf(integrations.Invalid, op, "the query has no time or no limit, or more than %d tuples", integrations.MaxTuples)
	}
	asked := question{
		op: op, agent: a, events: connectionEvents(), stamp: "ContextTimeStamp", from: q.From, to: q.To, limit: q.Limit,
		fields: []string{
			"#event_simpleName", "ContextProcessId", "ContextBaseFileName", "ConnectionDirection", "Protocol",
			"LocalAddressIP4", "LocalAddressIP6", "LocalPort", "RemoteAddressIP4", "RemoteAddressIP6", "RemotePort",
		},
	}
	if len(q.Tuples) == 0 {
		return asked, nil
	}
	wanted := map[incident.Tuple]bool{}
	var ports, ips []string
	all4 := true
	for _, t := range q.Tuples {
		wanted[t], wanted[t.Reversed()] = true, true
		for _, end := range []struct {
			ip   string
			port int
		}{{t.SrcIP, t.SrcPort}, {t.DstIP, t.DstPort}} {
			addr, err := netip.ParseAddr(end.ip)
			if err != nil || end.port < 0 || end.port > 65535 {
				return question{}, integrations.Errorf(integrations.Invalid, op, "invalid tuple: %q port %d", httpx.Line(end.ip), end.port)
			}
			all4 = all4 && addr.Is4()
			ips, ports = append(ips, addr.String()), append(ports, strconv.Itoa(end.port))
		}
	}
	asked.where = []string{anyOf("RemotePort", once(ports))}
	if all4 {
		// How the sensor spells addresses of IPv6 is not documented.
		asked.where = append(asked.where, anyOf("RemoteAddressIP4", once(ips)))
	}
	asked.keep = func(r row) bool {
		t, ok := tupleOf(r)
		return ok && wanted[t]
	}
	return asked, nil
}

func once(texts []string) []string {
	slices.Sort(texts)
	return slices.Compact(texts)
}

// idsOf are Falcon's ids of the processes of events, each once.
func idsOf(events []row) []string {
	var ids []string
	for _, r := range events {
		if id := runner(r); id != "" {
			ids = append(ids, id)
		}
	}
	return once(ids)
}

// tupleOf is the tuple of an event of a connection, its source being who opened it.
func tupleOf(r row) (incident.Tuple, bool) {
	local, okLocal := address(r["LocalAddressIP4"], r["LocalAddressIP6"])
	if a, err := netip.ParseAddr(local); err == nil && a.IsUnspecified() {
		local = "" // Some sensors write 0.0.0.0 and port 0 for an end that they do not know.
	}
	remote, okRemote := address(r["RemoteAddressIP4"], r["RemoteAddressIP6"])
	localPort, errLocal := port(r["LocalPort"])
	remotePort, errRemote := port(r["RemotePort"])
	if !okLocal || !okRemote || errLocal != nil || errRemote != nil {
		return incident.Tuple{}, false
	}
	t := incident.Tuple{SrcIP: local, SrcPort: localPort, DstIP: remote, DstPort: remotePort, Transport: transport(string(r["Protocol"]))}
	if strings.HasPrefix(string(r["#event_simpleName"]), accepted) || r["ConnectionDirection"] == "1" {
		return t.Reversed(), true
	}
	return t, true
}

func address(texts ...text) (string, bool) {
	for _, t := range texts {
		if a, err := netip.ParseAddr(string(t)); err == nil {
			return a.Unmap().WithZone("").String(), true
		}
	}
	return "", false
}

// port reads a port; protocols without one have none, which is 0.
func port(t text) (int, error) {
	if t == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(string(t), 10, 16)
	return int(n), err
}

// transport names a protocol by its number.
func transport(number string) string {
	switch number {
	case "6":
		return "tcp"
	case "17":
		return "udp"
	case "1", "58":
		return "icmp"
	}
	return number
}
