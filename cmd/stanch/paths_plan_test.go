package main_test

import (
	"time"

	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// planPaths are the paths of decisions, and of people's answers.
func planPaths() []*path {
	return []*path{
		{name: "contained", outcome: incident.OutcomeGivenBack, leases: true, claim: true},
		{
			name: "approved", outcome: incident.OutcomeGivenBack,
			edits: append(asking("{ approve: two-people }"), "escalate: [{ after: 5m", "escalate: [{ after: 1s"),
			steps: []step{says(alice, true), sees(incident.EvEscalated, ""), says(bob, true)},
		},
		{
			name: "denied", outcome: incident.OutcomeRefused, leases: true,
			edits: asking("{ approve: on-call, if_denied: [release, tell] }"), steps: []step{says(alice, false)},
		},
		{
			name: "expired", outcome: incident.OutcomeExpired,
			edits: append(asking("{ approve: on-call, if_expired: [tell] }"), soon...), steps: []step{sees(incident.EvReminded, "")},
		},
		{name: "shadow", edits: []string{"mode: enforce", "mode: shadow"}, outcome: incident.OutcomeShadow},
		{name: "denied-by-guardrail", host: role("domain_controller"), outcome: incident.OutcomeDenied},
		{
			name: "cannot-decide", host: noAsset, outcome: incident.OutcomeCannotDecide,
			edits: []string{"use: inventory, timeout: 5s", "use: inventory, timeout: 5s, required: true"},
		},
		{
			name: "no-target", outcome: incident.OutcomeNoTarget,
			host: func(h *memory.Host) { h.Name, h.IPs = "another.corp.example", []string{"10.30.255.1"} },
		},
		{name: "policy-error", outcome: incident.OutcomeError, edits: []string{"when: ratio > 20", "when: 1 / (traffic.bytes_out - traffic.bytes_out) > 20", "traffic.role == 'requester'", "traffic.role == 'flooder'"}},
		{
			// The site is unknown as well, which the limit cannot count by.
			name: "unsure", host: noAsset, outcome: incident.OutcomeGivenBack,
			steps: []step{says(alice, true), says(alice, true), says(bob, true)},
		},
		{name: "closed-by-hand", outcome: incident.OutcomeClosedByHand, edits: stays, steps: []step{standing(2), closesByHand}},
		{
			name: "stricter", host: role("server"), outcome: incident.OutcomeClosedByHand,
			edits: append([]string{"do:\n      - throttle\n      - approve: on-call\n      - cut-off\n      - tell", "do: [throttle, { approve: on-call }, tell]"}, stays...),
			steps: []step{sees(incident.EvAsked, ""), becomesWorkstation, alertAgain, sees(incident.EvSuperseded, ""), standing(2), closesByHand},
		},
		{name: "unmatched", outcome: incident.OutcomeNoPlaybook},
		{
			name: "clocks-apart", outcome: incident.OutcomeGivenBack,
			host: func(h *memory.Host) { h.ClockSkew = -3 * time.Hour },
		},
	}
}

// becomesWorkstation corrects what the inventory says.
func becomesWorkstation(r *recorder, p *path) bool {
	asset := incident.Asset{Role: incident.Known("workstation", incident.FromInventory)}
	return r.estate.SetFacts(p.hostName(), incident.Facts{Asset: asset}) == nil
}
