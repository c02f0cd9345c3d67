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

// Enrichment is what a case asks of an EDR before it decides: which device it is, who sends
// there, and what that process ran.
type Enrichment struct {
	EDR interface {
		integrations.Endpoints
		integrations.Connections
		integrations.Executions
	}
	// Query finds the device of [Sender] alone.
	Query integrations.EndpointQuery
}

// Sender is a device with the product's form of an id on which a script sends, that was started
// from the desktop of somebody who has been logged on since morning.
func Sender(id string) edrtest.Host {
	now := time.Now()
	logon := &edrtest.Process{PID: 800, Path: `C:\Windows\System32\userinit.exe`, Start: now.Add(-8 * time.Hour)}
	desktop := &edrtest.Process{PID: 900, Path: `C:\Windows\explorer.exe`, Start: now.Add(-8*time.Hour + time.Second), Parent: logon}
	p := &edrtest.Process{
		PID: 4001, Path: `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`, CommandLine: `powershell.exe -File C:\flood.ps1`,
		User: `CORP\anna`, Session: 2, Start: now.Add(-10 * time.Minute), Parent: desktop,
		Scripts: []edrtest.Script{{At: now.Add(-9 * time.Minute), Path: `C:\flood.ps1`, Text: scriptText}},
	}
	return edrtest.Host{
		ID: id, Name: "ws-042", OS: "Windows 11", LastSeen: now, Addresses: []edrtest.Address{{IP: "192.0.2.2", From: now.Add(-24 * time.Hour)}},
		Processes: []*edrtest.Process{logon, desktop, p},
		Connections: []edrtest.Connection{{At: now.Add(-time.Minute), Process: p, Tuple: incident.Tuple{
			SrcIP: "192.0.2.2", SrcPort: 50001, DstIP: "198.51.100.1", DstPort: 53, Transport: "udp",
		}}},
	}
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

// BenchEnrichment measures enrichments, and reports the median. Each is of an EDR of its own:
// one would run into the product's limits.
func BenchEnrichment(b *testing.B, open func() Enrichment) {
	b.Helper()
	var took []time.Duration
	for b.Loop() {
		b.StopTimer()
		e := open()
		b.StartTimer()
		began := time.Now()
		e.Ask(b)
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
}
