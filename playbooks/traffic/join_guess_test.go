package traffic

import (
	"fmt"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

var guessedAt = time.Date(2026, 11, 28, 23, 0, 0, 0, time.UTC)

func guessedFlow(at time.Time, sport int, dst string, dport int, transport string, out int64) incident.Flow {
	return incident.Flow{
		Start: at, Duration: time.Second, BytesOut: out, BytesIn: 900, PacketsOut: max(1, out/1200),
		Tuple: incident.Tuple{SrcIP: "10.20.4.42", SrcPort: sport, DstIP: dst, DstPort: dport, Transport: transport},
	}
}

func guessedConnection(f incident.Flow, path string, pid int64) incident.Connection {
	return incident.Connection{At: f.Start, Tuple: f.Tuple, Process: incident.Process{Path: incident.Known(path, incident.FromEDR), PID: incident.Known(pid, incident.FromEDR)}}
}

// Every connection of the browser found its own flow. The other flows, with 97
// of 100 bytes, are not of any connection that the endpoint reports.
func TestAMatchedConnectionIsNoGroundForAGuess(t *testing.T) {
	var flows []incident.Flow
	var conns []incident.Connection
	for i := range 60 {
		f := guessedFlow(guessedAt.Add(time.Duration(i)*10*time.Second), 50000+i, "10.20.0.8", 3128, "tcp", 900)
		flows, conns = append(flows, f), append(conns, guessedConnection(f, `C:\Program Files\Browser\browser.exe`, 100))
	}
	for i := range 30 { // a hidden sender, through the same proxy
		flows = append(flows, guessedFlow(guessedAt.Add(time.Duration(i)*20*time.Second), 61000+i, "10.20.0.8", 3128, "tcp", 60_000))
	}
	namesNobody(t, flows, conns)
}

// A driver asks 200 name servers. The endpoint reports its DNS client only,
// which talks to the resolver of the site.
func TestADriverIsNobody(t *testing.T) {
	var flows []incident.Flow
	var conns []incident.Connection
	for i := range 450 {
		flows = append(flows, guessedFlow(guessedAt.Add(time.Duration(i)*time.Second), 1024+i, fmt.Sprintf("198.51.100.%d", 1+i%200), 53, "udp", 1500))
	}
	for i := range 40 {
		f := guessedFlow(guessedAt.Add(time.Duration(i)*10*time.Second), 62000+i, "10.20.0.53", 53, "udp", 75)
		flows, conns = append(flows, f), append(conns, guessedConnection(f, `C:\Windows\System32\svchost.exe`, 1156))
	}
	namesNobody(t, flows, conns)
}

// A flow began before the time for which the endpoint was queried.
func TestAnOldFlowIsNobodys(t *testing.T) {
	old := guessedFlow(guessedAt.Add(-time.Hour), 61001, "1.1.1.1", 443, "tcp", 300_000_000)
	old.Duration = 90 * time.Minute
	flows := []incident.Flow{old}
	var conns []incident.Connection
	for i := range 50 {
		f := guessedFlow(guessedAt.Add(time.Duration(i)*15*time.Second), 50000+i, "1.1.1.1", 443, "tcp", 4000)
		flows, conns = append(flows, f), append(conns, guessedConnection(f, `C:\browser.exe`, 200))
	}
	namesNobody(t, flows, conns)
}

func namesNobody(t *testing.T, flows []incident.Flow, conns []incident.Connection) {
	t.Helper()
	got := Join(flows, conns)
	if got.Attribution != incident.NoneJoined || got.Process != (incident.Process{}) || got.Candidate != (incident.Process{}) || got.Explained != 0 {
		t.Errorf("%s: process %v, candidate %v, %d bytes explained, join rate %v; want no process",
			got.Attribution, got.Process.Path, got.Candidate.Path, got.Explained, got.JoinRate)
	}
}

// Connections that found no flow of their own name a candidate, and only that.
func TestAGuessIsACandidate(t *testing.T) {
	const path = `C:\Tools\sender.exe`
	var flows []incident.Flow
	var conns []incident.Connection
	for i := range 40 {
		f := guessedFlow(guessedAt.Add(time.Duration(i)*time.Second), 50000+i, "198.51.100.7", 443, "tcp", 50_000)
		flows = append(flows, f)
		f.SrcPort += 5000 // as behind a NAT
		conns = append(conns, guessedConnection(f, path, 100))
	}
	for _, want := range []struct {
		how  incident.Attribution
		port int
	}{{incident.Destination, 443}, {incident.ProcessList, 8443}} {
		for i := range conns {
			conns[i].DstPort = want.port
		}
		got := Join(flows, conns)
		if candidate, _ := got.Candidate.Path.Get(); got.Attribution != want.how || candidate != path {
			t.Errorf("%s: candidate %v, want %s and %s", got.Attribution, got.Candidate.Path, want.how, path)
		}
		if got.Process != (incident.Process{}) || got.Explained != 0 {
			t.Errorf("%s: a guess is process %v, %d bytes explained", got.Attribution, got.Process.Path, got.Explained)
		}
	}
}

func TestExplainedAreTheBytesOfTheProcess(t *testing.T) {
	var flows []incident.Flow
	var conns []incident.Connection
	for i := range 10 {
		f := guessedFlow(guessedAt.Add(time.Duration(i)*time.Minute), 50000+i, "198.51.100.7", 443, "tcp", 1000)
		if flows = append(flows, f); i < 7 {
			conns = append(conns, guessedConnection(f, `C:\Tools\sender.exe`, 100))
		}
	}
	got := Join(flows, conns)
	if got.Attribution != incident.Exact || got.Explained != 7000 || got.Candidate != (incident.Process{}) {
		t.Errorf("%s: %d bytes explained, candidate %v; want exact and 7000", got.Attribution, got.Explained, got.Candidate.Path)
	}
}
