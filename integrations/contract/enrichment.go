package contract

import (
	"slices"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/edrtest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Latency is how long a product takes for an answer where enrichment is measured.
const Latency = 50 * time.Millisecond

// Enriching is an EDR by which a case is enriched.
type Enriching interface {
	integrations.Endpoints
	integrations.Connections
	integrations.Executions
}

// Enrichment is what a case asks of an EDR before it decides: which device it is, who sends
// there, and what that process ran.
type Enrichment struct {
	EDR Enriching
	// Query finds the device of [ScriptSender] alone.
	Query integrations.EndpointQuery
}

// ScriptSender is the device ws-042, with the product's form of its id, on which a script
// sends. It was started from the desktop of somebody who has been logged on since morning.
func ScriptSender(id string) edrtest.Host {
	h := edrtest.Sender(id, "ws-042")
	h.Addresses = []edrtest.Address{{IP: "192.0.2.2"}}
	p := h.Processes[0]
	logon := &edrtest.Process{PID: 800, Path: `C:\Windows\System32\userinit.exe`, Start: p.Start.Add(-8 * time.Hour)}
	desktop := &edrtest.Process{PID: 900, Path: `C:\Windows\explorer.exe`, Start: logon.Start.Add(time.Second), Parent: logon}
	p.Path, p.CommandLine, p.Parent = `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`, `powershell.exe -File C:\flood.ps1`, desktop
	p.Scripts = []edrtest.Script{{At: p.Start.Add(time.Minute), Path: `C:\flood.ps1`, Text: scriptText}}
	h.Processes = append(h.Processes, logon, desktop)
	return edrtest.Seen(h, "Windows 11")
}

// Ask asks as a case does, and fails the test where the sender is not found.
func (e Enrichment) Ask(t testing.TB) {
	t.Helper()
	found, err := e.EDR.Endpoints(t.Context(), e.Query)
	if err != nil || len(found) != 1 {
		t.Fatalf("found %d devices, %v", len(found), err)
	}
	id, _ := found[0].ID.Get()
	target, err := incident.DeviceTarget(id, "ws-042")
	if err != nil {
		t.Fatal(err)
	}
	const around, before = 15 * time.Minute, 24 * time.Hour
	from, to := time.Now().Add(-2*around), time.Now().Add(around)
	connections, err := e.EDR.Connections(t.Context(), integrations.ConnectionQuery{Target: target, From: from, To: to, Limit: 500})
	if err != nil || len(connections) != 1 {
		t.Fatalf("%d connections, %v", len(connections), err)
	}
	pid, ok := connections[0].Process.PID.Get()
	if !ok {
		t.Fatalf("the connection's process is %+v", connections[0].Process)
	}
	ran, err := e.EDR.Executions(t.Context(), integrations.ExecutionQuery{Target: target, From: from.Add(-before), To: to, Limit: 500, PIDs: []int64{pid}})
	if err != nil || len(ran) != 2 {
		t.Fatalf("%d executions, want the process and its script; %v", len(ran), err)
	}
}

// BenchEnrichment measures enrichments, with all identifiers and by the address alone, and
// reports the median. Each is of an EDR of its own: one would run into the product's limits.
func BenchEnrichment(b *testing.B, id string, open func() Enriching) {
	b.Helper()
	measure := func(q integrations.EndpointQuery) func(*testing.B) {
		return func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				b.StopTimer()
				e := Enrichment{EDR: open(), Query: q}
				b.StartTimer()
				began := time.Now()
				e.Ask(b)
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
		}
	}
	q := integrations.EndpointQuery{ID: id, Name: "ws-042", IPs: []string{"192.0.2.2"}}
	b.Run("ByAll", measure(q))
	q.ID, q.Name = "", ""
	b.Run("ByAddress", measure(q))
}
