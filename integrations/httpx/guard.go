package httpx

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"syscall"
)

// errNotPublic is the error of a connection that a guard refuses.
var errNotPublic = errors.New("not a public address")

// guard checks the address of a connection before it is made.
type guard struct{ allow, special []netip.Prefix }

func newGuard(allow []netip.Prefix) guard {
	return guard{allow: allow, special: specialPurpose()}
}

// control is a [net.Dialer]'s Control. The address is the one that is dialled,
// after names were resolved.
func (g guard) control(_, address string, _ syscall.RawConn) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %q", errNotPublic, address)
	}
	// 127.0.0.1 is the same as ::ffff:127.0.0.1, and no prefix contains an
	// address with a zone.
	ip := to.Addr().Unmap().WithZone("")
	within := func(p netip.Prefix) bool { return p.Contains(ip) }
	if slices.ContainsFunc(g.allow, within) {
		return nil
	}
	if !ip.Is4() && !globalUnicast().Contains(ip) || slices.ContainsFunc(g.special, within) {
		return fmt.Errorf("%w: %s", errNotPublic, ip)
	}
	return nil
}

// globalUnicast is the block from which IANA assigns public IPv6 addresses. All of IPv6
// outside of it is refused: loopback, unique local and link-local addresses,
// multicast, and those with an IPv4 address inside.
func globalUnicast() netip.Prefix { return netip.MustParsePrefix("2000::/3") }

// specialPurpose are the networks of IANA's two registries of special-purpose
// addresses, the multicast addresses of IPv4, and 6to4 relays. Of IPv6 it names
// those within [globalUnicast]. Some of them are reachable from everywhere; no
// service of ours is there.
//
// https://www.iana.org/assignments/iana-ipv4-special-registry
// https://www.iana.org/assignments/iana-ipv6-special-registry
func specialPurpose() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("0.0.0.0/8"),       // this network
		netip.MustParsePrefix("10.0.0.0/8"),      // private use
		netip.MustParsePrefix("100.64.0.0/10"),   // shared by carriers
		netip.MustParsePrefix("127.0.0.0/8"),     // loopback
		netip.MustParsePrefix("169.254.0.0/16"),  // link-local
		netip.MustParsePrefix("172.16.0.0/12"),   // private use
		netip.MustParsePrefix("192.0.0.0/24"),    // protocol assignments
		netip.MustParsePrefix("192.0.2.0/24"),    // documentation
		netip.MustParsePrefix("192.31.196.0/24"), // AS112
		netip.MustParsePrefix("192.52.193.0/24"), // AMT
		netip.MustParsePrefix("192.88.99.0/24"),  // 6to4 relays, deprecated
		netip.MustParsePrefix("192.168.0.0/16"),  // private use
		netip.MustParsePrefix("192.175.48.0/24"), // AS112
		netip.MustParsePrefix("198.18.0.0/15"),   // benchmarks
		netip.MustParsePrefix("198.51.100.0/24"), // documentation
		netip.MustParsePrefix("203.0.113.0/24"),  // documentation
		netip.MustParsePrefix("224.0.0.0/4"),     // multicast
		netip.MustParsePrefix("240.0.0.0/4"),     // reserved, and broadcast

		netip.MustParsePrefix("2001::/23"),         // protocol assignments, among them Teredo and ORCHID
		netip.MustParsePrefix("2001:db8::/32"),     // documentation
		netip.MustParsePrefix("2002::/16"),         // 6to4, with an IPv4 address inside
		netip.MustParsePrefix("2620:4f:8000::/48"), // AS112
		netip.MustParsePrefix("3fff::/20"),         // documentation
	}
}
