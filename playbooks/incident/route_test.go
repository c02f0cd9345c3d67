package incident_test

import (
	"net/netip"
	"testing"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

func TestRouteOfAHost(t *testing.T) {
	routes := incident.Routes{
		Default: incident.RouteDirect,
		Proxy:   []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16")}, VPN: []netip.Prefix{netip.MustParsePrefix("10.99.0.0/16"), netip.MustParsePrefix("fd00::/8")},
	}
	for _, c := range []struct {
		ips  []string
		want string
	}{
		{[]string{"192.0.2.1"}, "direct"},
		{[]string{"10.1.2.3"}, "proxy"},
		{[]string{"10.1.2.3", "10.99.0.1"}, "vpn"},
		{[]string{"::ffff:10.99.0.1"}, "vpn"},
		{[]string{"fd00::1%eth0"}, "vpn"},
		{nil, ""},
		{[]string{"no address"}, "direct"},
	} {
		got := routes.Of(c.ips)
		if word, known := got.Get(); word != c.want || known != (c.want != "") {
			t.Errorf("the route of %v is %v, want %q", c.ips, got, c.want)
		}
	}
	if got := (incident.Routes{}).Of([]string{"10.1.2.3"}); got.IsKnown() || got.Why() == "" {
		t.Errorf("without routes it is %v (%q), want unknown with a reason", got, got.Why())
	}
}
