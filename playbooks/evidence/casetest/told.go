package casetest

import (
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

func decision() *incident.Decision {
	operand := func(name, value string) []incident.Operand { return []incident.Operand{{Name: name, Value: value}} }
	unknownRole := []incident.Missing{{Path: "asset.role", Why: "inventory: timed out after 5s"}}
	return &incident.Decision{
		Outcome: incident.Decided, Rule: "unexplained-volume", Severity: "high",
		Because: "Far above what this host ever sent, by a process that nobody vouched for.",
		Do:      []incident.Doing{{Step: "throttle"}, {Approve: "on-call", IfDenied: []string{"tell"}}, {Step: "cut-off"}, {Step: "tell"}},
		Unsure:  unknownRole, PlaybookDigest: playbookDigest(), At: after(3 * time.Second),
		Trace: incident.Trace{
			Let: []incident.LetTrace{{Name: "ratio", Value: "209.9"}},
			Guardrails: []incident.ConditionTrace{{Name: "infrastructure", Verdict: incident.Unsure, Parts: []incident.PartTrace{{
				Expr: "asset.role in ['domain_controller', 'dns', 'dhcp', 'hypervisor', 'vpn', 'proxy']", Verdict: incident.Unsure, Unknown: unknownRole,
			}}}},
			Rules: []incident.ConditionTrace{
				{Name: "sanctioned-transfer", Verdict: incident.False, Parts: []incident.PartTrace{
					{
						Expr: `process.path == 'C:\\Program Files\\Veeam\\VeeamAgent.exe'`, Verdict: incident.False,
						Values: operand("process.path", `C:\Users\m.keller\AppData\Local\Temp\updatesvc.exe`),
					},
					{Expr: "process.signed", Verdict: incident.False, Values: operand("process.signed", "false")},
				}},
				{Name: "amplification-from-a-workstation", Verdict: incident.False, Parts: []incident.PartTrace{
					{Expr: "traffic.role == 'requester'", Verdict: incident.False, Values: operand("traffic.role", "flooder")},
					{Expr: "traffic.attribution == 'exact'", Verdict: incident.True, Values: operand("traffic.attribution", "exact")},
					{Expr: "asset.role == 'workstation'", Verdict: incident.Unsure, Unknown: unknownRole},
				}},
				{Name: "unexplained-volume", Verdict: incident.True, Parts: []incident.PartTrace{
					{Expr: "ratio > 20", Verdict: incident.True, Values: operand("ratio", "209.9")},
				}},
				{Name: "otherwise", Verdict: incident.Skipped},
			},
		},
	}
}

func steps() []incident.StepState {
	return []incident.StepState{
		{
			PlannedStep: incident.PlannedStep{Name: "evidence", Action: incident.Collect, Use: "edr", What: []string{"processes", "connections"}, Timeout: time.Minute},
			Status:      incident.StepDone, StartedAt: after(4 * time.Second), EndedAt: after(9 * time.Second),
		},
		{
			PlannedStep: incident.PlannedStep{
				Name: "throttle", Action: incident.RateLimit, Use: "gateway", Rate: 2e6, TTL: time.Hour, OnFailure: "continue",
				Verify: &incident.Verify{EgressBelow: 3e6, Within: 2 * time.Minute},
			},
			Status: incident.StepEnded, Lease: "lease/rate_limit/gateway/a3f1c2d4e5b60718", StartedAt: after(9 * time.Second),
			AcceptedAt: after(10 * time.Second), ConfirmedAt: after(12 * time.Second), ProvenAt: after(107 * time.Second),
			Proof: incident.Verified, ProofDetail: "egress fell to 1.9 Mbit/s, asked for below 3 Mbit/s",
			Until: after(time.Hour + 10*time.Second), EndedAt: after(54 * time.Minute),
		},
		{
			PlannedStep: incident.PlannedStep{
				Name: "approve on-call", Approve: "on-call",
				IfDenied: []incident.PlannedStep{{Name: "tell", Action: incident.Notify, Use: "slack", Channel: "#sec-egress"}},
				Because:  "The decision rests on something unknown: asset.role (inventory: timed out after 5s).",
			},
			Status: incident.StepDone, StartedAt: after(14 * time.Second), EndedAt: after(312 * time.Second),
		},
		{
			PlannedStep: incident.PlannedStep{
				Name: "cut-off", Action: incident.Isolate, Use: "edr", TTL: 4 * time.Hour, OnFailure: "page",
				Verify: &incident.Verify{EgressBelow: 64e3, Within: 5 * time.Minute},
			},
			Status: incident.StepEnded, Lease: "lease/isolate/edr/a3f1c2d4e5b60718", StartedAt: after(313 * time.Second),
			AcceptedAt: after(314 * time.Second), ConfirmedAt: after(331 * time.Second), ProvenAt: after(431 * time.Second),
			Proof: incident.Verified, ProofDetail: "egress fell to 10 kbit/s, asked for below 64 kbit/s",
			Until: after(4*time.Hour + 314*time.Second), EndedAt: after(53*time.Minute + 40*time.Second),
		},
		{
			PlannedStep: incident.PlannedStep{Name: "tell", Action: incident.Notify, Use: "slack", Channel: "#sec-egress"},
			Status:      incident.StepDone, StartedAt: after(432 * time.Second), EndedAt: after(433 * time.Second),
		},
	}
}

func approval(planDigest string) incident.Approval {
	return incident.Approval{
		Name: "on-call", State: incident.Approved, PlanDigest: planDigest,
		Because: "The decision rests on something unknown: asset.role (inventory: timed out after 5s).",
		Missing: []incident.Missing{{Path: "asset.role", Why: "inventory: timed out after 5s"}},
		Gates:   []string{"cut-off (isolate)", "tell (notify)"}, Quorum: 1, Approvers: incident.Approvers{SlackGroup: "sec-oncall"}, ReasonRequired: []string{"deny"},
		Votes: []incident.Vote{{
			Person: incident.Person{ID: "alice", Groups: []string{"sec-oncall"}, Via: "slack"}, Approve: true,
			Reason: "Temp-folder binary, user is asleep. Cut it.", PlanDigest: planDigest, At: after(311 * time.Second),
		}},
		AskedAt: after(14 * time.Second), ExpiresAt: after(15*time.Minute + 14*time.Second), EndedAt: after(312 * time.Second), Reminded: 1,
	}
}

func timeline() []incident.Event {
	type line struct {
		at             time.Duration
		kind           incident.EventKind
		step, text, by string
	}
	lines := []line{
		{0, incident.EvOpened, "", "alert splunk-prod/7f21-0001: Host - Outbound volume far above peers", "receiver"},
		{1 * time.Second, incident.EvTarget, "", "WS-042.corp.example (a3f1c2d4e5b60718): id, name and address agree", "engine"},
		{2 * time.Second, incident.EvEnriched, "", "endpoint, process, traffic and baseline obtained; asset: timed out after 5s", "engine"},
		{3 * time.Second, incident.EvDecided, "", "unexplained-volume, high; unsure about asset.role", "policy"},
		{9 * time.Second, incident.EvDone, "evidence", "214 processes, 96 connections", "edr"},
		{9 * time.Second, incident.EvCleared, "throttle", "guardrails, target and budget checked", "engine"},
		{10 * time.Second, incident.EvAccepted, "throttle", "the gateway took the limit of 2 Mbit/s", "gateway"},
		{12 * time.Second, incident.EvConfirmed, "throttle", "read back: 2 Mbit/s in force", "gateway"},
		{14 * time.Second, incident.EvAsked, "on-call", "asked in #sec-oncall, until 03:27 UTC", "engine"},
		{41 * time.Second, incident.EvJoined, "", "alert splunk-prod/7f21-0002 joined", "receiver"},
		{107 * time.Second, incident.EvVerified, "throttle", "egress fell from 47.4 Mbit/s to 1.9 Mbit/s", "flows"},
		{300 * time.Second, incident.EvReminded, "on-call", "nobody has answered for 5m", "engine"},
		{311 * time.Second, incident.EvVoted, "on-call", "approve: Temp-folder binary, user is asleep. Cut it.", "alice"},
		{312 * time.Second, incident.EvApproved, "on-call", "1 of 1, for plan as shown", "engine"},
		{313 * time.Second, incident.EvCleared, "cut-off", "guardrails, target and budget checked again", "engine"},
		{314 * time.Second, incident.EvAccepted, "cut-off", "the EDR took the isolation", "edr"},
		{331 * time.Second, incident.EvConfirmed, "cut-off", "read back: the device is isolated", "edr"},
		{431 * time.Second, incident.EvVerified, "cut-off", "egress fell to 10 kbit/s", "flows"},
		{433 * time.Second, incident.EvDone, "tell", "told #sec-egress", "slack"},
		{53*time.Minute + 40*time.Second, incident.EvGivenBack, "cut-off", "released by hand: machine re-imaged; read back: not isolated", "bob"},
		{54 * time.Minute, incident.EvGivenBack, "throttle", "last holder gone; read back: no limit", "engine"},
		{58*time.Minute + 12*time.Second, incident.EvClosed, "", "every lease has ended", "engine"},
	}
	out := make([]incident.Event, 0, len(lines))
	for i, l := range lines {
		out = append(out, incident.Event{Seq: i + 1, At: after(l.at), Kind: l.kind, Step: l.step, Text: l.text, By: l.by})
	}
	return out
}
