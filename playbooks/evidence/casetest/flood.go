// Package casetest has cases for tests that show cases to people: a whole
// flood, the same flood while it waits for an answer, and one whose every text
// was written by an attacker.
package casetest

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Run is the run id of [Flood]; its tail is what the bundle's folder carries.
const Run = "0196a1f2-7c3e-7d11-9b40-5e2d8c41a7f3"

// Opened is when [Flood] was opened.
func Opened() time.Time { return time.Date(2026, 3, 14, 3, 12, 4, 0, time.UTC) }

func after(d time.Duration) time.Time { return Opened().Add(d) }

// Flood is a closed case with everything in it: a workstation floods, is
// throttled by policy and isolated after an approval, the egress is proven to
// have fallen, and both leases are given back.
func Flood(tb testing.TB) incident.Case {
	tb.Helper()
	target := device(tb, "a3f1c2d4e5b60718", "WS-042.corp.example")
	c := incident.Case{
		ID: "high-egress-windows/ws-042", Run: Run, Subject: "ws-042", Playbook: "high-egress-windows",
		PlaybookDigest: playbookDigest(), Status: incident.Closed, Outcome: incident.OutcomeGivenBack,
		OpenedAt: Opened(), ClosedAt: after(58*time.Minute + 12*time.Second),
		Alerts:    []incident.Alert{alert("7f21-0001", 0), alert("7f21-0002", 41*time.Second)},
		AlertKeys: []string{"splunk-prod/7f21-0001", "splunk-prod/7f21-0002", "splunk-prod/7f21-0003"},
		Facts:     facts(), Target: &target, Decision: decision(), Series: series(), Timeline: timeline(),
	}
	c.Steps = steps()
	c.Plan = &incident.Plan{PlaybookDigest: c.PlaybookDigest, Rule: c.Decision.Rule, Target: c.Target}
	for _, s := range c.Steps {
		c.Plan.Steps = append(c.Plan.Steps, s.PlannedStep)
	}
	c.Approvals = []incident.Approval{approval(c.Plan.Digest())}
	return c
}

// Waiting is [Flood] 90 seconds in: throttled, and waiting for an answer.
func Waiting(tb testing.TB) incident.Case {
	tb.Helper()
	c := Flood(tb)
	c.Status, c.Outcome, c.ClosedAt = incident.Awaiting, incident.OutcomeOpen, time.Time{}
	c.Approvals[0].State, c.Approvals[0].Votes, c.Approvals[0].EndedAt = incident.Pending, nil, time.Time{}
	throttle := &c.Steps[1]
	throttle.Status, throttle.EndedAt = incident.StepStanding, time.Time{}
	throttle.Proof, throttle.ProofDetail, throttle.ProvenAt = incident.NoProof, "", time.Time{}
	c.Steps[2].Status = incident.StepRunning
	for i := 3; i < len(c.Steps); i++ {
		c.Steps[i] = incident.StepState{PlannedStep: c.Steps[i].PlannedStep, Status: incident.StepWaiting}
	}
	c.Series = slices.DeleteFunc(c.Series, func(p incident.Point) bool { return p.At.After(after(0)) })
	for i, e := range c.Timeline {
		if e.At.After(after(90 * time.Second)) {
			c.Timeline = c.Timeline[:i]
			break
		}
	}
	return c
}

func device(tb testing.TB, id, name string) incident.Target {
	tb.Helper()
	target, err := incident.DeviceTarget(id, name)
	if err != nil {
		tb.Fatal(err)
	}
	return target
}

func playbookDigest() string { return incident.DigestOf([]byte("high-egress-windows")) }

func alert(id string, late time.Duration) incident.Alert {
	from := incident.FromAlert
	return incident.Alert{
		ID: id, Source: "splunk-prod", Status: incident.Firing, ReceivedAt: after(late),
		Category: incident.Known("high_egress", from), Rule: incident.Known("Host - Outbound volume far above peers", from),
		Severity: incident.Known("high", from), Time: incident.Known(after(late-70*time.Second), from),
		Window: incident.Known(15*time.Minute, incident.Assumed), BytesOut: incident.NotKnown[int64]("the alert carries no byte counts"),
		Count: incident.Known(int64(18244), from), Contained: incident.NotKnown[bool]("the alert does not say"),
		Host: incident.AlertHost{
			ID: incident.Known("a3f1c2d4e5b60718", from), Name: incident.Known("WS-042", from),
			OS: incident.Known("windows", from), IP: incident.Known([]string{"10.20.4.42"}, from),
		},
		Process: incident.AlertProcess{
			Name: incident.Known("updatesvc.exe", from), PID: incident.Known(int64(6612), from),
			Path: incident.NotKnown[string]("not in the alert"), CommandLine: incident.NotKnown[string]("not in the alert"),
			User: incident.Known(`CORP\m.keller`, from),
		},
		Destination: incident.AlertDestination{
			IP: incident.Known("203.0.113.77", from), Port: incident.Known(int64(443), from), Transport: incident.Known("udp", from),
		},
		Raw: json.RawMessage(`{"sid":"rt_` + id + `","result":{"src":"10.20.4.42","dest":"203.0.113.77","count":"18244"},"search_name":"Host - Outbound volume far above peers"}`),
	}
}

func facts() incident.Facts {
	edr, flows, inv := incident.FromEDR, incident.FromFlows, incident.FromInventory
	return incident.Facts{
		Alert: alert("7f21-0001", 0),
		Endpoint: incident.Endpoint{
			ID: incident.Known("a3f1c2d4e5b60718", edr), Name: incident.Known("WS-042.corp.example", edr),
			IP: incident.Known([]string{"10.20.4.42", "fd12:20:4::42"}, edr), OS: incident.Known("windows", edr),
			Role: incident.Known("workstation", edr), Online: incident.Known(true, edr),
			Isolation: incident.Known("none", edr), LastSeen: incident.Known(after(-9*time.Second), edr),
		},
		Process: incident.Process{
			Path: incident.Known(`C:\Users\m.keller\AppData\Local\Temp\updatesvc.exe`, edr), Name: incident.Known("updatesvc.exe", edr),
			PID:         incident.Known(int64(6612), edr),
			CommandLine: incident.Known(`"C:\Users\m.keller\AppData\Local\Temp\updatesvc.exe" -t 203.0.113.77 -p 443 -n 64`, edr),
			Script:      incident.NotKnown[string]("no script host"), User: incident.Known(`CORP\m.keller`, edr),
			Signed: incident.Known(false, edr),
			SHA256: incident.Known("4be1c7d08e2f6d0b1f6f2c7f2a6a3f3b0d9c8e7f6a5b4c3d2e1f00112233aabb", edr),
			Parent: incident.Known(`C:\Windows\System32\wscript.exe`, edr),
		},
		Traffic: incident.Traffic{
			BytesOut: incident.Known(int64(4402341478), flows), BytesIn: incident.Known(int64(3145728), flows),
			PacketsOut: incident.Known(int64(3312044), flows), Flows: incident.Known(int64(18310), flows),
			Destinations: incident.Known(int64(14), flows), Rate: incident.Known(int64(39132000), flows),
			Top: incident.Known([]incident.TopFlow{
				{IP: "203.0.113.77", Port: 443, Transport: "udp", Bytes: 4391120896, Packets: 3301002, Flows: 18244},
				{IP: "198.51.100.8", Port: 443, Transport: "tcp", Bytes: 9123456, Packets: 8810, Flows: 31},
				{IP: "10.20.1.5", Port: 53, Transport: "udp", Bytes: 20480, Packets: 240, Flows: 22},
			}, flows),
			Window: incident.Known(15*time.Minute, incident.Computed), Coverage: incident.Known("both", flows),
			Freshness: incident.Known(after(-4*time.Second), flows), Role: incident.Known("flooder", incident.Computed),
			Attribution: incident.Known("exact", incident.Computed), JoinRate: incident.Known(0.968, incident.Computed),
			ClockSkew: incident.Known(2*time.Second, incident.Computed),
		},
		Baseline: incident.Baseline{
			Buckets: incident.Known(int64(1344), flows), Median: incident.Known(int64(2202009), flows), MAD: incident.Known(int64(734003), flows),
			P95: incident.Known(int64(11534336), flows), P99: incident.Known(int64(20971520), flows), Max: incident.Known(int64(96468992), flows),
		},
		Asset: incident.Asset{
			Role:  incident.NotKnown[string]("inventory: timed out after 5s"),
			Owner: incident.NotKnown[string]("inventory: timed out after 5s"), Criticality: incident.NotKnown[string]("inventory: timed out after 5s"),
			Site: incident.Known("zurich", inv), Tags: incident.NotKnown[[]string]("inventory: timed out after 5s"),
		},
	}
}

// series is egress per minute: quiet, the flood, throttled, isolated, and quiet
// again once it is given back.
func series() []incident.Point {
	mbit := func(f float64) int64 { return int64(f * 1e6 * 60 / 8) }
	wobble := []float64{0.02, 0.11, 0.05, 0.31, 0.08, 0.14, 0.01}
	var out []incident.Point
	for m := -30; m <= 62; m++ {
		rate := 0.15 + wobble[(m+30)%len(wobble)]
		switch {
		case m >= -13 && m < 1:
			rate = 46 + 12*wobble[(m+30)%len(wobble)]
		case m >= 1 && m < 6:
			rate = 1.9
		case m >= 6 && m < 54:
			rate = 0.01
		}
		at := Opened().Truncate(time.Minute).Add(time.Duration(m) * time.Minute)
		out = append(out, incident.Point{At: at, BytesOut: mbit(rate)})
	}
	return out
}
