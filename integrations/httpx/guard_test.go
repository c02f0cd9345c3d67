package httpx

import (
	"errors"
	"net/netip"
	"testing"
)

// registered are all entries of IANA's special-purpose registries, and the
// other networks in which no public service is: a guard refuses the first and
// the last address of each.
var registered = []string{
	// IPv4
	"0.0.0.0/8", "0.0.0.0/32", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.0.0/29",
	"192.0.0.8/32", "192.0.0.9/32", "192.0.0.10/32", "192.0.0.170/32", "192.0.0.171/32", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24",
	"192.88.99.0/24", "192.88.99.2/32", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4",
	"240.0.0.0/4", "255.255.255.255/32",
	// IPv6
	"::1/128", "::/128", "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/23", "2001::/32", "2001:1::1/128", "2001:1::2/128",
	"2001:1::3/128", "2001:2::/48", "2001:3::/32", "2001:4:112::/48", "2001:10::/28", "2001:20::/28", "2001:30::/28", "2001:db8::/32", "2002::/16",
	"2620:4f:8000::/48", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10", "fec0::/10", "ff00::/8", "4000::/3", "8000::/1",
}

// last is the last address of a network.
func last(p netip.Prefix) netip.Addr {
	bytes := p.Masked().Addr().AsSlice()
	for i := p.Bits(); i < len(bytes)*8; i++ {
		bytes[i/8] |= 0x80 >> (i % 8)
	}
	ip, _ := netip.AddrFromSlice(bytes)
	return ip
}

func dial(g guard, ip netip.Addr) error {
	return g.control("tcp", netip.AddrPortFrom(ip, 443).String(), nil)
}

func TestSpecialPurposeAddressesAreRefused(t *testing.T) {
	for _, network := range registered {
		p := netip.MustParsePrefix(network)
		for _, ip := range []netip.Addr{p.Addr(), last(p)} {
			forms := []netip.Addr{ip}
			if ip.Is4() {
				forms = append(forms, netip.AddrFrom16(ip.As16()))
			} else {
				forms = append(forms, ip.WithZone("eth0"))
			}
			for _, form := range forms {
				if err := dial(newGuard(nil), form); !errors.Is(err, errNotPublic) {
					t.Errorf("%s of %s: got %v, want %v", form, network, err, errNotPublic)
				}
				if err := dial(newGuard([]netip.Prefix{p}), form); err != nil {
					t.Errorf("%s of %s, which is allowed: %v", form, network, err)
				}
			}
		}
	}
}

// TestPublicAddressesAreDialled has the neighbours of the networks that are
// refused: a prefix that is too short takes them as well.
func TestPublicAddressesAreDialled(t *testing.T) {
	for _, ip := range []string{
		"1.0.0.0", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
		"169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0", "192.0.3.0", "192.31.195.255",
		"192.31.197.0", "192.52.192.255", "192.52.194.0", "192.88.98.255", "192.88.100.0", "192.167.255.255", "192.169.0.0",
		"192.175.47.255", "192.175.49.0", "198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0",
		"223.255.255.255", "::ffff:8.8.8.8",
		"2000::", "2001:200::", "2001:db7:ffff::", "2001:db9::", "2001:4860:4860::8888", "2003::", "2620:4f:7fff:ffff::", "2620:4f:8001::",
		"3ffe:ffff::", "3fff:1000::", "3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	} {
		if err := dial(newGuard(nil), netip.MustParseAddr(ip)); err != nil {
			t.Errorf("%s: %v", ip, err)
		}
	}
}

func TestWhatIsNoAddressIsRefused(t *testing.T) {
	everything := newGuard([]netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")})
	for _, address := range []string{"", "localhost:80", "/run/docker.sock", "127.0.0.1", "8.8.8.8:http", "0x7f000001:80"} {
		if err := everything.control("tcp", address, nil); !errors.Is(err, errNotPublic) {
			t.Errorf("%q: got %v, want %v", address, err, errNotPublic)
		}
	}
}
