package httpx

import "net/netip"

// Loopback reports whether a host, as an address of a product names it, is this machine: only
// there may a credential travel without TLS.
func Loopback(host string) bool {
	a, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && a.IsLoopback()
}
