package flowmath

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// MaxHosts bounds the hosts of one answer, DefaultHosts is their number for a
// query without one.
const (
	MaxHosts     = 1000
	DefaultHosts = 20
)

// Networks are the networks of one's own hosts.
type Networks []netip.Prefix

// HostsBounds reads a query for hosts: the networks, and how many hosts to
// return. The error is an invalid one.
func HostsBounds(op string, q integrations.HostsQuery) (Networks, int, error) {
	if err := CheckWindow(op, q.From, q.To); err != nil {
		return nil, 0, err
	}
	if q.Top < 0 || q.Top > MaxHosts {
		return nil, 0, integrations.Errorf(integrations.Invalid, op, "%d hosts: must be at most %d", q.Top, MaxHosts)
	}
	texts := q.Networks
	if len(texts) == 0 {
		texts = []string{"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"}
	}
	own := make(Networks, 0, len(texts))
	for _, text := range texts {
		p, err := netip.ParsePrefix(text)
		if err != nil {
			return nil, 0, integrations.Errorf(integrations.Invalid, op, "%q is not a network such as 10.0.0.0/8", text)
		}
		own = append(own, p.Masked())
	}
	if q.Top == 0 {
		return own, DefaultHosts, nil
	}
	return own, q.Top, nil
}

// Has reports whether the address is in one of the networks.
func (n Networks) Has(a netip.Addr) bool {
	return slices.ContainsFunc(n, func(p netip.Prefix) bool { return p.Contains(a) })
}

// HostTraffic is a host's traffic in the short form for hunting. The query for
// it asks for one destination at the top.
func HostTraffic(ip netip.Addr, t incident.Traffic) incident.HostTraffic {
	h := incident.HostTraffic{IP: ip.String(), BytesOut: t.BytesOut, BytesIn: t.BytesIn}
	h.Flows, _ = t.Flows.Get()
	h.Destinations, _ = t.Destinations.Get()
	if top, _ := t.Top.Get(); len(top) > 0 {
		h.Top = top[0]
	}
	h.Coverage = incident.NotKnown[incident.Coverage](t.Coverage.Why())
	if c, ok := t.Coverage.Get(); ok {
		h.Coverage = incident.Known(incident.Coverage(c), t.Coverage.From())
	}
	return h
}

// RankHosts sorts the hosts by egress, largest first and those of unknown
// volume last, and keeps the given number.
func RankHosts(hosts []incident.HostTraffic, most int) []incident.HostTraffic {
	volume := func(h incident.HostTraffic) int64 {
		if n, ok := h.BytesOut.Get(); ok {
			return n
		}
		return -1
	}
	slices.SortFunc(hosts, func(a, b incident.HostTraffic) int {
		return cmp.Or(cmp.Compare(volume(b), volume(a)), cmp.Compare(a.IP, b.IP))
	})
	return hosts[:min(len(hosts), most)]
}
