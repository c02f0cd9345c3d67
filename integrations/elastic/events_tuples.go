package elastic

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// tuple is a 5-tuple without a direction.
type tuple struct {
	a, b      netip.AddrPort
	transport string
}

// tuples are those whose connections are wanted; none means all.
type tuples map[tuple]bool

func wantedOf(op string, list []incident.Tuple) (tuples, error) {
	if len(list) > integrations.MaxTuples {
		return nil, integrations.Errorf(integrations.Invalid, op, "%d tuples are more than %d", len(list), integrations.MaxTuples)
	}
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
	key := tuple{transport: strings.ToLower(t.Transport)}
	if strings.Contains(key.transport, "icmp") {
		key.transport, t.SrcPort, t.DstPort = "icmp", 0, 0
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

// narrowed selects events that may be of the tuples, field by field: that the values belong
// together is judged afterwards.
func (w tuples) narrowed() []query {
	if len(w) == 0 {
		return nil
	}
	var ips []string
	var ports []int
	portless := false
	for t := range w {
		for _, end := range []netip.AddrPort{t.a, t.b} {
			ips, ports = append(ips, end.Addr().String()), append(ports, int(end.Port()))
		}
		portless = portless || t.transport == "icmp"
	}
	slices.Sort(ips)
	slices.Sort(ports)
	ips, ports = slices.Compact(ips), slices.Compact(ports)
	all := []query{oneOf("source.ip", ips), oneOf("destination.ip", ips)}
	if !portless {
		all = append(all, oneOf("source.port", ports), oneOf("destination.port", ports))
	}
	return all
}

// tupleOfRow is the 5-tuple of an event, as it writes it.
func tupleOfRow(r row) (incident.Tuple, bool) {
	src, err1 := netip.ParseAddr(r.text("source.ip"))
	dst, err2 := netip.ParseAddr(r.text("destination.ip"))
	if err1 != nil || err2 != nil {
		return incident.Tuple{}, false
	}
	t := incident.Tuple{SrcIP: src.Unmap().WithZone("").String(), DstIP: dst.Unmap().WithZone("").String(), Transport: strings.ToLower(r.text("network.transport"))}
	for name, to := range map[string]*int{"source.port": &t.SrcPort, "destination.port": &t.DstPort} {
		if n, ok := r.number(name); ok && n >= 0 && n < 1<<16 {
			*to = int(n)
		}
	}
	if strings.Contains(t.Transport, "icmp") {
		t.Transport = "icmp"
	}
	return t, true
}
