package httpapi

import (
	"net/http"
	"net/netip"
	"testing"
)

// Only what a trusted proxy says of an address counts, and of that only what it
// wrote itself.
func TestTheAddressOfASenderBehindAProxy(t *testing.T) {
	r := &Receiver{Options: Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/28"), netip.MustParsePrefix("2001:db8::/64")}}}
	for _, c := range []struct {
		peer  string
		hops  []string
		want  string
		about string
	}{
		{"192.0.2.7:1", []string{"203.0.113.9"}, "192.0.2.7", "a peer that is no proxy"},
		{"10.0.0.16:1", []string{"203.0.113.9"}, "10.0.0.16", "beside the proxies"},
		{"10.0.0.5:1", nil, "10.0.0.5", "a proxy that says nothing"},
		{"10.0.0.5:1", []string{""}, "10.0.0.5", "a proxy that says an empty word"},
		{"10.0.0.5:1", []string{"203.0.113.9"}, "203.0.113.9", "one hop"},
		{"10.0.0.5:1", []string{"198.51.100.1, 203.0.113.9"}, "203.0.113.9", "what the client wrote before"},
		{"10.0.0.5:1", []string{"198.51.100.1", "203.0.113.9"}, "203.0.113.9", "in a header of its own"},
		{"10.0.0.5:1", []string{"10.0.0.1, 203.0.113.9, 10.0.0.6"}, "203.0.113.9", "through two proxies"},
		{"10.0.0.5:1", []string{"10.0.0.7, 10.0.0.6"}, "10.0.0.7", "proxies alone"},
		{"10.0.0.5:1", []string{"203.0.113.9:4711"}, "203.0.113.9", "with a port"},
		{"10.0.0.5:1", []string{"[2001:db8:9::1]:4711"}, "2001:db8:9::1", "IPv6 with a port"},
		{"[2001:db8::5]:1", []string{"::ffff:203.0.113.9"}, "203.0.113.9", "IPv4 in IPv6"},
		{"[::ffff:10.0.0.5]:1", []string{"203.0.113.9"}, "203.0.113.9", "a proxy in IPv6"},
		{"10.0.0.5:1", []string{"203.0.113.9, unknown"}, "invalid IP", "a word"},
		{"10.0.0.5:1", []string{"203.0.113.9,"}, "invalid IP", "an end without an address"},
		{"10.0.0.5:1", []string{"198.51.100.1, nonsense, 10.0.0.6"}, "invalid IP", "a word behind a proxy"},
		{"@", []string{"203.0.113.9"}, "invalid IP", "a peer without an address"},
	} {
		req := &http.Request{RemoteAddr: c.peer, Header: http.Header{"X-Forwarded-For": c.hops, "Forwarded": {"for=198.51.100.66"}, "X-Real-Ip": {"198.51.100.66"}}}
		if got := r.client(req).String(); got != c.want {
			t.Errorf("%s: %s through %q is %s, want %s", c.about, c.peer, c.hops, got, c.want)
		}
	}
}
