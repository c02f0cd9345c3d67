package activities_test

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/library"
)

// A plan that would contain a host is unsure where it cannot be told whether the host
// is infrastructure; where it names hosts alone, an address is not missed.
func TestAHostWithoutAddressesIsAskedAbout(t *testing.T) {
	all, err := library.Playbooks()
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(all, func(p *playbooks.Playbook) bool { return p.Name == "high-egress-windows" })
	target, err := incident.DeviceTarget("ws-042", "ws-042")
	if err != nil {
		t.Fatal(err)
	}
	facts := incident.Facts{
		Alert:    incident.Alert{Category: assumed("high_egress"), Host: incident.AlertHost{ID: assumed("ws-042"), OS: assumed("windows")}},
		Endpoint: incident.Endpoint{ID: assumed("ws-042"), Role: assumed("workstation"), Route: assumed("direct")},
		Process:  incident.Process{Path: assumed(`C:\Users\Public\updater.exe`), Signed: incident.Known(false, incident.Assumed)},
		Traffic:  incident.Traffic{BytesOut: size(4 << 30), Role: assumed("requester"), Attribution: assumed("exact")},
		Baseline: incident.Baseline{P99: size(20 << 20)},
		Asset:    incident.Asset{Role: assumed("workstation")},
	}
	address := facts
	address.Endpoint.IP = incident.Known([]string{"10.20.4.42"}, incident.Assumed)
	byAddress := incident.Infrastructure{Networks: []netip.Prefix{netip.MustParsePrefix("10.1.0.5/32")}}
	for name, c := range map[string]struct {
		facts  incident.Facts
		exempt incident.Infrastructure
		asked  bool
	}{
		"no list":         {facts, incident.Infrastructure{}, false},
		"known by names":  {facts, incident.Infrastructure{Names: []string{"proxy"}}, false},
		"no address":      {facts, byAddress, true},
		"another address": {address, byAddress, false},
	} {
		out, err := activities.DecideWith(t.Context(), all[at], activities.DecideIn{
			Facts: c.facts, Target: &target, Infrastructure: c.exempt, Now: time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC),
		})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(out.Plan.Steps, func(s incident.PlannedStep) bool { return s.Action == incident.Isolate }) {
			t.Fatalf("%s: the plan isolates nothing: %s %v", name, out.Decision.Outcome, out.Plan.Steps)
		}
		missed := slices.ContainsFunc(out.Decision.Unsure, func(m incident.Missing) bool { return m.Path == incident.IPPath })
		if missed != c.asked {
			t.Errorf("%s: the address is missed: %t, want %t (%v)", name, missed, c.asked, out.Decision.Unsure)
		}
	}
}
