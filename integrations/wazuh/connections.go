package wazuh

import (
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Connections implements [integrations.Connections]. They are events of Sysmon for which a
// rule raised an alert: Wazuh's own rules raise few of them, and none has a count of bytes.
func (c *Client) Connections(ctx context.Context, q integrations.ConnectionQuery) ([]incident.Connection, error) {
	op := "read connections of " + q.Target.Name()
	id, err := targeted(op, q.Target)
	if err != nil {
		return nil, err
	}
	w, err := c.window(op, q.From, q.To, q.Limit)
	if err != nil {
		return nil, err
	}
	if len(q.Tuples) > integrations.MaxTuples {
		return nil, integrations.Errorf(integrations.Invalid, op, "%d tuples are more than %d", len(q.Tuples), integrations.MaxTuples)
	}
	wanted, err := wantedOf(op, q.Tuples)
	if err != nil {
		return nil, err
	}
	var found []alert
	err = httpx.All(c.exists(ctx, op, id), func() (err error) {
		found, err = c.indexer.seen(ctx, op, id, w, func(a alert) (time.Time, bool) {
			t, ok := a.tuple()
			return a.happened(), ok && wanted.has(t)
		}, append(event(sysmonChannel, connected), wanted.clauses()...)...)
		return err
	})
	if err != nil {
		return nil, err
	}
	return c.withStarts(ctx, op, id, w, found)
}

// withStarts adds to the processes of connections what the events of their starts tell.
func (c *Client) withStarts(ctx context.Context, op string, id agentID, w window, found []alert) ([]incident.Connection, error) {
	var guids []string
	for _, a := range found {
		guid := a.Source.Data.Win.Event.get("processGuid")
		if isProcessGUID(guid) && !slices.Contains(guids, guid) && len(guids) < integrations.MaxTuples {
			guids = append(guids, guid)
		}
	}
	started, err := c.startedAs(ctx, op, id, w, guids)
	if err != nil {
		return nil, err
	}
	out := make([]incident.Connection, 0, len(found))
	for _, a := range found {
		t, _ := a.tuple()
		connection := incident.Connection{At: a.happened(), Tuple: t, Process: a.sender()}
		if start, ok := started[strings.ToLower(a.Source.Data.Win.Event.get("processGuid"))]; ok {
			connection.Process = start.started(started)
		}
		out = append(out, connection)
	}
	return out, nil
}

// tuple is the connection of an event, with the machine's end as its source: Sysmon has as
// source the end that began it.
func (a alert) tuple() (incident.Tuple, bool) {
	e := a.Source.Data.Win.Event
	src, ok1 := endOf(e, "source")
	dst, ok2 := endOf(e, "destination")
	if strings.EqualFold(e.get("initiated"), "false") {
		src, dst = dst, src
	}
	return incident.Tuple{
		SrcIP: src.Addr().String(), SrcPort: int(src.Port()), DstIP: dst.Addr().String(), DstPort: int(dst.Port()), Transport: strings.ToLower(e.get("protocol")),
	}, ok1 && ok2
}

func endOf(e fields, side string) (netip.AddrPort, bool) {
	ip, err := netip.ParseAddr(e.get(side + "Ip"))
	port, ok := e.number(side + "Port")
	if err != nil || !ok || port < 0 || port >= 1<<16 {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(ip.Unmap().WithZone(""), uint16(port)), true
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
	key := tuple{
		a: netip.AddrPortFrom(src.Unmap().WithZone(""), uint16(t.SrcPort)), b: netip.AddrPortFrom(dst.Unmap().WithZone(""), uint16(t.DstPort)),
		transport: strings.ToLower(t.Transport),
	}
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

// clauses narrow a search to the addresses of the tuples; that they belong together is
// judged here. IPv6 has several spellings, which an index of words keeps apart: it is not
// narrowed by these.
func (w tuples) clauses() []clause {
	var ips []string
	for t := range w {
		for _, end := range []netip.Addr{t.a.Addr(), t.b.Addr()} {
			if !end.Is4() {
				return nil
			}
			ips = append(ips, end.String())
		}
	}
	if len(ips) == 0 {
		return nil
	}
	slices.Sort(ips)
	ips = slices.Compact(ips)
	return []clause{terms("data.win.eventdata.sourceIp", ips), terms("data.win.eventdata.destinationIp", ips)}
}
