package activities_test

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/library"
)

// A process vouches for a host only where the traffic was joined to it
// connection by connection; else people are shown it, and that is all.
func TestAGuessedProcessVouchesForNobody(t *testing.T) {
	assumed := func(s string) incident.Value[string] { return incident.Known(s, incident.Assumed) }
	size := func(n int64) incident.Value[int64] { return incident.Known(n, incident.Assumed) }
	all, err := library.Playbooks()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		if p.Name != "high-egress-windows" {
			continue
		}
		for attribution, vouches := range map[incident.Value[string]]bool{
			assumed("exact"): true, assumed("destination"): false, assumed("process_list"): false, assumed("none"): false,
			incident.NotKnown[string]("edr: timed out"): false,
		} {
			facts := incident.Facts{
				Alert:    incident.Alert{Category: assumed("high_egress"), Host: incident.AlertHost{ID: assumed("ws-042"), OS: assumed("windows")}},
				Endpoint: incident.Endpoint{ID: assumed("ws-042")},
				Process:  incident.Process{Path: assumed(`C:\Program Files\Veeam\VeeamAgent.exe`), Signed: incident.Known(true, incident.Assumed), PID: size(4711)},
				Traffic:  incident.Traffic{BytesOut: size(4 << 30), Role: assumed("flooder"), Attribution: attribution, Explained: incident.Known(0.99, incident.Assumed)},
				Baseline: incident.Baseline{P99: size(20 << 20)},
				Asset:    incident.Asset{Role: assumed("workstation")},
			}
			out, err := activities.DecideWith(t.Context(), p, activities.DecideIn{Facts: facts, Now: time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC)})
			if err != nil {
				t.Fatal(err)
			}
			if got := out.Decision.Rule == "sanctioned-transfer"; got != vouches {
				t.Errorf("attribution %s: rule %s", attribution, out.Decision.Rule)
			}
			if out.Facts.Process.PID.IsKnown() != vouches || out.Facts.Candidate.PID.IsKnown() == vouches {
				t.Errorf("attribution %s: process %+v, candidate %+v", attribution, out.Facts.Process, out.Facts.Candidate)
			}
			if why := out.Facts.Process.Path.Why(); !vouches && why == "" {
				t.Errorf("attribution %s: nobody says why the process is unknown", attribution)
			}
		}
	}
}
