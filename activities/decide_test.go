package activities_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/library"
)

func assumed(s string) incident.Value[string] { return incident.Known(s, incident.Assumed) }

func size(n int64) incident.Value[int64] { return incident.Known(n, incident.Assumed) }

// A process vouches for a host only where the traffic was joined to it
// connection by connection; else people are shown it, and that is all.
func TestAGuessedProcessVouchesForNobody(t *testing.T) {
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

// A local web filter makes the connections of every program of its host: it is
// the candidate, and nobody is named.
func TestAnAgentIsNobody(t *testing.T) {
	const filter = `C:\Program Files\Filter\agent.exe`
	at := time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC)
	var facts incident.Facts
	var connections []incident.Connection
	for i := range 20 {
		f := incident.Flow{
			Start: at.Add(time.Duration(i) * time.Second), Duration: time.Second, BytesOut: 1 << 20, PacketsOut: 900,
			Tuple: incident.Tuple{SrcIP: "10.20.4.42", SrcPort: 50000 + i, DstIP: "198.51.100.7", DstPort: 443, Transport: "tcp"},
		}
		facts.Traffic.Sample = append(facts.Traffic.Sample, f)
		connections = append(connections, incident.Connection{At: f.Start, Tuple: f.Tuple, Process: incident.Process{
			Path: incident.Known(filter, incident.FromEDR), PID: size(4711), Signed: incident.Known(true, incident.FromEDR),
		}})
	}
	facts.Alert = incident.Alert{Category: assumed("high_egress"), Host: incident.AlertHost{ID: assumed("ws-042"), OS: assumed("windows")}}
	facts.Endpoint = incident.Endpoint{ID: assumed("ws-042")}
	facts.Traffic.BytesOut, facts.Traffic.Flows = size(20<<20), size(20)
	all, err := library.Playbooks()
	if err != nil {
		t.Fatal(err)
	}
	for name, in := range map[string]struct {
		configured, ofAsset []string
		exact               bool
	}{
		"configuration": {configured: []string{"c:\\program files\\filter\\Agent.exe"}},
		"inventory":     {ofAsset: []string{"agent.exe"}},
		"nobody":        {configured: []string{"other.exe"}, exact: true},
	} {
		f := facts
		f.Asset.Agents = in.ofAsset
		out, err := activities.DecideWith(t.Context(), all[0], activities.DecideIn{Facts: f, Connections: connections, Agents: in.configured, Now: at})
		if err != nil {
			t.Fatal(err)
		}
		got := out.Facts
		if (got.Traffic.Attribution.String() == "exact") != in.exact || got.Process.Path.IsKnown() != in.exact || got.Traffic.Explained.IsKnown() != in.exact {
			t.Errorf("named by the %s: %s, %v explains %s", name, got.Traffic.Attribution, got.Process.Path, got.Traffic.Explained)
		}
		if path, _ := got.Candidate.Path.Get(); !in.exact && (path != filter || !strings.Contains(got.Process.Path.Why(), "sends for other programs")) {
			t.Errorf("named by the %s: candidate %q, process %v", name, path, got.Process.Path)
		}
	}
}
