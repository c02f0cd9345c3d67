package incident

import (
	"net/netip"
	"slices"
)

// The words of how an agent reaches its cloud.
const (
	RouteDirect = "direct"
	RouteProxy  = "proxy"
	RouteVPN    = "vpn"
)

// Routes are how the agents of an estate reach their cloud, by the addresses of
// their hosts. EDR products do not tell it; the site knows.
type Routes struct {
	// Default is the word for all other addresses; empty: it is not known.
	Default    string
	Proxy, VPN []netip.Prefix
}

// Of returns the route of a host with these addresses. A host in several networks
// has the one that may not outlast an isolation: a VPN's before a proxy's.
func (r Routes) Of(ips []string) Value[string] {
	switch {
	case inOne(r.VPN, ips):
		return Known(RouteVPN, FromInventory)
	case inOne(r.Proxy, ips):
		return Known(RouteProxy, FromInventory)
	case r.Default != "" && len(ips) > 0:
		return Known(r.Default, FromInventory)
	}
	return NotKnown[string]("neither the EDR nor routes in stanch.yaml say how the agent reaches its cloud")
}

func inOne(networks []netip.Prefix, ips []string) bool {
	return slices.ContainsFunc(ips, func(ip string) bool {
		_, ok := networkWith(networks, ip)
		return ok
	})
}

// networkWith returns the first of the networks that has an address; a text that is no
// address is in none.
func networkWith(networks []netip.Prefix, text string) (netip.Prefix, bool) {
	ip, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, false
	}
	ip = ip.Unmap().WithZone("")
	at := slices.IndexFunc(networks, func(n netip.Prefix) bool { return n.Contains(ip) })
	if at < 0 {
		return netip.Prefix{}, false
	}
	return networks[at], true
}
