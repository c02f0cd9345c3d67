package alerts

import (
	"net/netip"
	"testing"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

func TestOurs(t *testing.T) {
	t.Parallel()
	home := []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("2001:db8::/48")}
	for _, c := range []struct {
		home []netip.Prefix
		ip   string
		ours bool
		from incident.Provenance
	}{
		{nil, "10.20.0.42", true, incident.Assumed},
		{nil, "fd00::1", true, incident.Assumed},
		{nil, "::ffff:10.20.0.42", true, incident.Assumed},
		{nil, "198.51.100.7", false, incident.Unknown},
		{nil, "2001:db8::1", false, incident.Unknown},
		{nil, "x", false, incident.Unknown},
		{home, "198.51.100.7", true, incident.Computed},
		{home, "::ffff:198.51.100.7", true, incident.Computed},
		{home, "2001:0db8:0000:0000:0000:0000:0000:0001", true, incident.Computed},
		{home, "2001:db8:1::1", false, incident.Computed},
		{home, "10.20.0.42", false, incident.Computed},
	} {
		r := Reader{home: c.home}
		got := r.Of(nil).Ours(c.ip)
		if ours, _ := got.Get(); ours != c.ours || got.From() != c.from || !got.IsKnown() && got.Why() == "" {
			t.Errorf("with %v, %s is ours: %v (%s); want %v (%s)", c.home, c.ip, got, got.From(), c.ours, c.from)
		}
	}
}
