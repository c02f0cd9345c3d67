package flowspec

import (
	"fmt"
	"math"
	"net/netip"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// minRate is the lowest limit, in bits per second. Below it a host sends less than one
// packet of full size in a second and a half: what is meant is a block, and routers
// refuse to police it.
const minRate = 8000

// noExport keeps a rule inside the autonomous system (RFC 1997).
const noExport = 0xFFFFFF01

// rule is what is announced for one address of an order.
type rule struct {
	family bgp.Family
	nlri   bgp.NLRI
	// parts are what a packet must have, as [partsOf] returns it.
	parts []string
}

// id is the rule in words that no other rule has.
func (r rule) id() string { return r.nlri.String() }

// words are the limits and blocks of BGP FlowSpec (RFC 8955, 8956).
type words struct{}

// rules are one rule for each address of the host that the filter can be about.
func (words) rules(o incident.Order, addresses []netip.Addr) ([]rule, error) {
	if o.Action == incident.RateLimit && o.Rate < minRate {
		return nil, fmt.Errorf("a limit of %d bits per second is below the lowest, %d", o.Rate, minRate)
	}
	if o.Action == incident.Block && o.Filter == nil {
		return nil, fmt.Errorf("a block without a filter")
	}
	var rules []rule
	for _, a := range addresses {
		parts, err := components(a, o.Filter)
		if err != nil {
			return nil, err
		}
		if parts == nil {
			continue
		}
		family := bgp.RF_FS_IPv4_UC
		if a.Is6() {
			family = bgp.RF_FS_IPv6_UC
		}
		nlri, err := bgp.NewFlowSpecUnicast(family, parts)
		if err != nil {
			return nil, fmt.Errorf("a rule for %s: %w", a, err)
		}
		sent, err := partsOf(parts)
		if err != nil {
			return nil, fmt.Errorf("a rule for %s: %w", a, err)
		}
		rules = append(rules, rule{family: family, nlri: nlri, parts: sent})
	}
	if len(rules) == 0 {
		return nil, fmt.Errorf("the device has no address that could speak with %s", o.Filter.RemoteIP)
	}
	return rules, nil
}

// components are what a packet must have for a rule, in the order of their types; none
// where the other end is of the other version of IP.
func components(host netip.Addr, f *incident.Filter) ([]bgp.FlowSpecComponentInterface, error) {
	if f == nil {
		return ends(host, netip.Addr{})
	}
	if err := checkFilter(*f); err != nil {
		return nil, err
	}
	remote := netip.Addr{}
	if f.RemoteIP != "" {
		var err error
		if remote, err = unicast(f.RemoteIP, false); err != nil {
			return nil, err
		}
		if remote.Is4() != host.Is4() {
			return nil, nil
		}
	}
	from, to, fromPort, toPort := host, remote, f.LocalPort, f.RemotePort
	if f.Direction == incident.Inbound {
		from, to, fromPort, toPort = to, from, toPort, fromPort
	}
	parts, err := ends(from, to)
	if err != nil {
		return nil, err
	}
	if f.Transport != "" {
		parts = append(parts, equals(bgp.FLOW_SPEC_TYPE_IP_PROTO, protocolOf(f.Transport)))
	}
	if toPort != 0 {
		parts = append(parts, equals(bgp.FLOW_SPEC_TYPE_DST_PORT, uint64(toPort)))
	}
	if fromPort != 0 {
		parts = append(parts, equals(bgp.FLOW_SPEC_TYPE_SRC_PORT, uint64(fromPort)))
	}
	return parts, nil
}

func checkFilter(f incident.Filter) error {
	switch {
	case f.Direction != incident.Outbound && f.Direction != incident.Inbound:
		return fmt.Errorf("invalid direction %q", f.Direction)
	case f.MatchesAll():
		return fmt.Errorf("the filter matches everything")
	case f.RemotePort < 0 || f.RemotePort > 65535 || f.LocalPort < 0 || f.LocalPort > 65535:
		return fmt.Errorf("invalid port: remote %d, local %d", f.RemotePort, f.LocalPort)
	case f.Transport != "" && protocolOf(f.Transport) == 0:
		return fmt.Errorf("invalid transport %q: udp and tcp are known", f.Transport)
	}
	return nil
}

// protocolOf is the number of a transport; 0 is none.
func protocolOf(transport string) uint64 {
	switch transport {
	case "tcp":
		return 6
	case "udp":
		return 17
	}
	return 0
}

// ends are the components of the two ends; an end that is not said is any.
func ends(from, to netip.Addr) ([]bgp.FlowSpecComponentInterface, error) {
	var parts []bgp.FlowSpecComponentInterface
	for _, end := range []struct {
		address     netip.Addr
		destination bool
	}{{to, true}, {from, false}} {
		if !end.address.IsValid() {
			continue
		}
		one, err := bgp.NewIPAddrPrefix(netip.PrefixFrom(end.address, end.address.BitLen()))
		switch {
		case err != nil:
			return nil, fmt.Errorf("a rule for %s: %w", end.address, err)
		case end.destination && end.address.Is4():
			parts = append(parts, bgp.NewFlowSpecDestinationPrefix(one))
		case end.destination:
			parts = append(parts, bgp.NewFlowSpecDestinationPrefix6(one, 0))
		case end.address.Is4():
			parts = append(parts, bgp.NewFlowSpecSourcePrefix(one))
		default:
			parts = append(parts, bgp.NewFlowSpecSourcePrefix6(one, 0))
		}
	}
	return parts, nil
}

func equals(what bgp.BGPFlowSpecType, value uint64) bgp.FlowSpecComponentInterface {
	return bgp.NewFlowSpecComponent(what, []*bgp.FlowSpecComponentItem{bgp.NewFlowSpecComponentItem(bgp.DEC_NUM_OP_EQ, value)})
}

// slot tells what may stand at the same rule at once: a limit and a block of the same
// traffic, of which the block holds.
func (words) slot(o incident.Order) string { return string(o.Action) }

// attributes are those of a rule with a rate in bits per second; 0 discards.
func (words) attributes(r rule, rate int64) ([]bgp.PathAttributeInterface, error) {
	reach, err := bgp.NewPathAttributeMpReachNLRI(r.family, []bgp.PathNLRI{{NLRI: r.nlri}})
	if err != nil {
		return nil, fmt.Errorf("announce %s: %w", r.id(), err)
	}
	// The AS number there is for information, and has two bytes only.
	action := bgp.NewTrafficRateExtended(0, bytesPerSecond(rate))
	return []bgp.PathAttributeInterface{
		bgp.NewPathAttributeOrigin(bgp.BGP_ORIGIN_ATTR_TYPE_IGP),
		bgp.NewPathAttributeCommunities([]uint32{noExport}),
		reach,
		bgp.NewPathAttributeExtendedCommunities([]bgp.ExtendedCommunityInterface{action}),
	}, nil
}

// rate is what another's rule lets through, in bits per second; false where it is
// about something else.
func (words) rate(attributes []bgp.PathAttributeInterface) (int64, bool) {
	for _, a := range attributes {
		extended, ok := a.(*bgp.PathAttributeExtendedCommunities)
		if !ok {
			continue
		}
		for _, c := range extended.Value {
			if limit, ok := c.(*bgp.TrafficRateExtended); ok && !math.IsNaN(float64(limit.Rate)) && limit.Rate >= 0 {
				return bitsPerSecond(limit.Rate), true
			}
		}
	}
	return 0, false
}

// bitsPerSecond is a rate of the protocol, which may be any, and without an end.
func bitsPerSecond(bytes float32) int64 {
	if bits := float64(bytes) * 8; bits < math.MaxInt64 {
		return int64(bits)
	}
	return math.MaxInt64
}

// bytesPerSecond is a rate as the protocol carries it, never more than was asked for.
func bytesPerSecond(bits int64) float32 {
	rate := float32(float64(bits) / 8)
	if float64(rate)*8 > float64(bits) {
		rate = math.Nextafter32(rate, 0)
	}
	return rate
}
