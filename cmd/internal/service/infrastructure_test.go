package service

import (
	"net/netip"
	"os"
	"slices"
	"testing"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// The machine that Stanch runs on is infrastructure without being written down; the
// addresses that any host has are not.
func TestThisMachineIsInfrastructure(t *testing.T) {
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	c := &config.Config{Listen: "192.0.2.7:8080", Exempt: incident.Infrastructure{Networks: []netip.Prefix{netip.MustParsePrefix("10.1.0.5/32")}}}
	got := infrastructure(t.Context(), c)
	if !slices.Contains(got.Own, name) || !slices.Contains(got.Own, "192.0.2.7") {
		t.Errorf("of this machine %v is infrastructure, want %s and 192.0.2.7 too", got.Own, name)
	}
	if a := got.Addresses(); !slices.Equal(a, []string{"10.1.0.5"}) {
		t.Errorf("orders leave %v open, want what is written alone", a)
	}
	for _, listen := range []string{"127.0.0.1:8080", "0.0.0.0:8080", ":8080", "[::1]:8080"} {
		for _, own := range infrastructure(t.Context(), &config.Config{Listen: listen}).Own {
			if ip, err := netip.ParseAddr(own); err == nil && (ip.IsLoopback() || ip.IsUnspecified() || ip.IsLinkLocalUnicast()) {
				t.Errorf("listening on %s, %s is this machine's own", listen, own)
			}
		}
	}
}
