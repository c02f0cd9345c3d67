package config

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/all"
)

func TestHomeNetworks(t *testing.T) {
	const text = "sources: { ids: { kind: suricata, auth: { bearer: 0123456789abcdef0123 }, home_networks: [NETWORKS] } }\n"
	c, err := Parse("f.yaml", []byte(strings.Replace(text, "NETWORKS", "10.0.0.0/8, '2001:db8::/48'", 1)), all.Catalog())
	want := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/48")}
	if err != nil || !slices.Equal(c.Sources["ids"].Alerts.Home, want) {
		t.Errorf("the home networks are %v, %v; want %v", c.Sources["ids"].Alerts.Home, err, want)
	}
	for _, wrong := range []string{"10.0.0.0", "10.0.0.0/33", "home"} {
		_, err := Parse("f.yaml", []byte(strings.Replace(text, "NETWORKS", wrong, 1)), all.Catalog())
		if err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("the home network %s is taken, or the complaint is %v", wrong, err)
		}
	}
}
