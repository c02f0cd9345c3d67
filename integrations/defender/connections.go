package defender

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// maxLooks bounds the pages of events in which the connections of tuples are looked for.
const maxLooks = 8

// Connections implements [integrations.Connections]. Defender's events have no count of
// bytes, and one event may stand for several connections.
func (c *Client) Connections(ctx context.Context, q integrations.ConnectionQuery) ([]incident.Connection, error) {
	op := "read connections of " + q.Target.Name()
	id, err := targeted(op, q.Target)
	if err != nil {
		return nil, err
	}
	if err := c.window(op, q.From, q.To, q.Limit); err != nil {
		return nil, err
	}
	if len(q.Tuples) > integrations.MaxTuples {
		return nil, integrations.Errorf(integrations.Invalid, op, "%d tuples are more than %d", len(q.Tuples), integrations.MaxTuples)
	}
	found, err := c.connections(ctx, op, id, q)
	if err == nil && len(found) == 0 {
		err = c.known(ctx, op, id)
	}
	if err != nil {
		return nil, err
	}
	return found, nil
}

// connections looks through the events, the newest first, until there are enough.
func (c *Client) connections(ctx context.Context, op string, id machineID, q integrations.ConnectionQuery) ([]incident.Connection, error) {
	wanted, err := wantedOf(op, q.Tuples)
	if err != nil {
		return nil, err
	}
	found := []incident.Connection{}
	to := q.To
	for range maxLooks {
		rows := min(maxRows, q.Limit)
		if len(wanted) > 0 {
			rows = maxRows
		}
		page, err := c.hunt(ctx, op, network(id, q.From, to, wanted).newest(rows, networkColumns()))
		if err != nil {
			return nil, err
		}
		oldest := to
		for _, r := range page {
			at := r.at("Timestamp")
			if at.IsZero() {
				return nil, integrations.Errorf(integrations.Unavailable, op, "an event has no time")
			}
			oldest = at
			if connection, ok := connectionOf(r); ok && wanted.has(connection.Tuple) {
				found = append(found, connection)
			}
		}
		if len(page) < rows || len(found) >= q.Limit {
			slices.SortStableFunc(found, func(a, b incident.Connection) int { return b.At.Compare(a.At) })
			return found[:min(len(found), q.Limit)], nil
		}
		if !oldest.Before(to) {
			break
		}
		// Events of the oldest time may have been cut: they are asked for again.
		to = oldest.Add(tick)
		found = slices.DeleteFunc(found, func(x incident.Connection) bool { return x.At.Before(to) })
	}
	return nil, integrations.Errorf(integrations.Unavailable, op, "the device has more events than are looked through")
}

// tick is the unit of hunting's times.
const tick = 100 * time.Nanosecond

func networkColumns() []string {
	return append([]string{"Timestamp", "ActionType", "LocalIP", "LocalPort", "RemoteIP", "RemotePort", "Protocol"}, initiating().all()...)
}

// network is the query for connections. A port that somebody listens on is none yet.
func network(id machineID, from, to time.Time, wanted tuples) *kql {
	q := events("DeviceNetworkEvents", id, from, to).where(`ActionType != "ListeningConnectionCreated"`).where("isnotempty(RemoteIP)")
	if len(wanted) == 0 {
		return q
	}
	// The columns narrow it one by one; that they belong together is judged here.
	var ips []string
	var ports []int
	portless := false
	for t := range wanted {
		for _, end := range []netip.AddrPort{t.a, t.b} {
			ips = append(ips, spelt(end.Addr())...)
			ports = append(ports, int(end.Port()))
		}
		portless = portless || t.transport == "icmp"
	}
	ips, ports = unique(ips), unique(ports)
	q.where("RemoteIP in " + anyOf(ips))
	if !portless {
		q.where("RemotePort in " + anyOf(ports)).where("LocalPort in " + anyOf(ports))
	}
	return q
}

func unique[T cmp.Ordered](values []T) []T {
	slices.Sort(values)
	return slices.Compact(values)
}

// connectionOf is the connection of an event, with the device's end as its source: which
// end began it, Defender tells in a part of the events only.
func connectionOf(r row) (incident.Connection, bool) {
	remote, err := netip.ParseAddr(r.text("RemoteIP"))
	if err != nil {
		return incident.Connection{}, false
	}
	t := incident.Tuple{DstIP: remote.Unmap().WithZone("").String(), Transport: transportOf(r.text("Protocol"))}
	if local, err := netip.ParseAddr(r.text("LocalIP")); err == nil {
		t.SrcIP = local.Unmap().WithZone("").String()
	}
	if n, ok := r.number("LocalPort"); ok && n >= 0 && n < 1<<16 {
		t.SrcPort = int(n)
	}
	if n, ok := r.number("RemotePort"); ok && n >= 0 && n < 1<<16 {
		t.DstPort = int(n)
	}
	return incident.Connection{At: r.at("Timestamp"), Tuple: t, Process: initiating().process(r)}, true
}

// transportOf is a protocol in our words: Defender writes Tcp, Udp, Icmp, and TcpV4 in some
// events.
func transportOf(protocol string) string {
	name := strings.ToLower(protocol)
	for _, known := range []string{"tcp", "udp", "icmp"} {
		if strings.HasPrefix(name, known) {
			return known
		}
	}
	return name
}

// tuple is a 5-tuple without a direction.
type tuple struct {
	a, b      netip.AddrPort
	transport string
}

// tuples are those whose connections are wanted; none means all.
type tuples map[tuple]bool

func wantedOf(op string, list []incident.Tuple) (tuples, error) {
	wanted := make(tuples, len(list))
	for _, t := range list {
		key, ok := tupleOf(t)
		if !ok {
			return nil, integrations.Errorf(integrations.Invalid, op, "invalid tuple %s", httpx.Quote(t.SrcIP+" "+t.DstIP))
		}
		wanted[key] = true
	}
	return wanted, nil
}

func tupleOf(t incident.Tuple) (tuple, bool) {
	src, err1 := netip.ParseAddr(t.SrcIP)
	dst, err2 := netip.ParseAddr(t.DstIP)
	if err1 != nil || err2 != nil || t.SrcPort < 0 || t.SrcPort >= 1<<16 || t.DstPort < 0 || t.DstPort >= 1<<16 {
		return tuple{}, false
	}
	key := tuple{transport: transportOf(t.Transport)}
	if key.transport == "icmp" {
		t.SrcPort, t.DstPort = 0, 0
	}
	key.a = netip.AddrPortFrom(src.Unmap().WithZone(""), uint16(t.SrcPort))
	key.b = netip.AddrPortFrom(dst.Unmap().WithZone(""), uint16(t.DstPort))
	if key.a.Compare(key.b) > 0 {
		key.a, key.b = key.b, key.a
	}
	return key, true
}

func (w tuples) has(t incident.Tuple) bool {
	if len(w) == 0 {
		return true
	}
	key, ok := tupleOf(t)
	return ok && w[key]
}
