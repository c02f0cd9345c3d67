package command

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/integrations/all"
)

// doctor names the words of the inventory and of the configuration that nothing
// can meet, and no others.
func TestDoctorNamesWordsThatNothingMeets(t *testing.T) {
	dir := t.TempDir()
	inventory := "name,ips,role\nws-1,10.0.0.1,Workstation\nk-1,10.0.0.2,Kiosk\nk-2,10.0.0.3,Kiosk\ntill-1,10.0.0.4,Cash Desk\nx-1,10.0.0.5,n/a\nWS-1,10.0.0.9,server\n"
	if err := os.WriteFile(filepath.Join(dir, "inventory.csv"), []byte(inventory), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Parse(filepath.Join(dir, "stanch.yaml"), []byte(`roles: { till: [cash desk] }
integrations: { inventory: { kind: file, path: inventory.csv } }
sources: { siem: { kind: stanch, os: BeOS } }
traffic: { limits: { kiosk: { requester_peers: 30 } } }
`), all.Catalog())
	if err != nil {
		t.Fatal(err)
	}
	_, found := checkIntegrations(t.Context(), c, t.TempDir())
	var bad []string
	for _, f := range append(found, checkWords(c)...) {
		if !f.OK {
			bad = append(bad, f.About+": "+f.What)
		}
	}
	all := strings.Join(bad, "\n")
	for _, want := range []string{`"Kiosk" (2 hosts)`, `"ws-1" in lines 2 7`, `"BeOS" is not an operating system`, `limits for "kiosk"`} {
		if !strings.Contains(all, want) {
			t.Errorf("doctor does not name %s:\n%s", want, all)
		}
	}
	if len(bad) != 4 || strings.Contains(all, "Cash Desk") {
		t.Errorf("doctor names %d:\n%s", len(bad), all)
	}
}
