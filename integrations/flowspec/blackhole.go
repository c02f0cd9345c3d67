package flowspec

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// holes are routes by which a whole network stops sending to an address (RFC 5635,
// RFC 7999).
type holes struct {
	networks  []netip.Prefix
	nextHops  []netip.Addr
	community uint32
}

// rules is the route of the one address that the block names. It is not about a host:
// nobody in the network reaches that address any more.
func (h holes) rules(o incident.Order, _ []netip.Addr) ([]rule, error) {
	f := o.Filter
	if f == nil || f.RemoteIP == "" || f.Direction != incident.Outbound || f.RemotePort != 0 || f.LocalPort != 0 || f.Transport != "" {
		return nil, fmt.Errorf("only a whole destination can be taken from the network: the filter must name its address, outbound, and nothing else")
	}
	remote, err := unicast(f.RemoteIP, false)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(h.networks, func(n netip.Prefix) bool { return n.Contains(remote) }) {
		return nil, fmt.Errorf("%s is an address of the own hosts", remote)
	}
	if !h.nextHop(remote).IsValid() {
		return nil, fmt.Errorf("the integration has no next hop for %s", remote)
	}
	one, err := bgp.NewIPAddrPrefix(netip.PrefixFrom(remote, remote.BitLen()))
	if err != nil {
		return nil, fmt.Errorf("a route to %s: %w", remote, err)
	}
	family := bgp.RF_IPv4_UC
	if remote.Is6() {
		family = bgp.RF_IPv6_UC
	}
	return []rule{{family: family, nlri: one, parts: []string{one.String()}}}, nil
}

// nextHop is the one of the address's version of IP.
func (h holes) nextHop(of netip.Addr) netip.Addr {
	for _, hop := range h.nextHops {
		if hop.Is4() == of.Is4() {
			return hop
		}
	}
	return netip.Addr{}
}

// slot is the device: what is taken from the network for several stays away until
// the last of them gives it back.
func (holes) slot(o incident.Order) string { return o.Target.ID() }

func (h holes) attributes(r rule, _ int64) ([]bgp.PathAttributeInterface, error) {
	one, ok := r.nlri.(*bgp.IPAddrPrefix)
	if !ok {
		return nil, fmt.Errorf("%s is no route", r.id())
	}
	hop := h.nextHop(one.Prefix.Addr())
	attributes := []bgp.PathAttributeInterface{
		bgp.NewPathAttributeOrigin(bgp.BGP_ORIGIN_ATTR_TYPE_IGP),
		bgp.NewPathAttributeCommunities([]uint32{h.community, noExport}),
	}
	if hop.Is4() {
		next, err := bgp.NewPathAttributeNextHop(hop)
		if err != nil {
			return nil, fmt.Errorf("next hop %s: %w", hop, err)
		}
		return append(attributes, next), nil
	}
	reach, err := bgp.NewPathAttributeMpReachNLRI(r.family, []bgp.PathNLRI{{NLRI: r.nlri}}, hop)
	if err != nil {
		return nil, fmt.Errorf("next hop %s: %w", hop, err)
	}
	return append(attributes, reach), nil
}

// rate is 0 for a route by which others take the address from the network.
func (h holes) rate(attributes []bgp.PathAttributeInterface) (int64, bool) {
	for _, a := range attributes {
		if c, ok := a.(*bgp.PathAttributeCommunities); ok && slices.Contains(c.Value, h.community) {
			return 0, true
		}
	}
	return 0, false
}
