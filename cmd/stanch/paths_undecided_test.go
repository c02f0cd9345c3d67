package main_test

import (
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// undecidedPaths are the paths of a host that is unknown to the flow store.
func undecidedPaths() []*path {
	return []*path{
		{name: "undecided-approved", before: unseen, outcome: incident.OutcomeGivenBack, steps: []step{says(alice, true)}},
		{name: "undecided-silent", before: unseen, edits: soon, outcome: incident.OutcomeUndecided, steps: []step{sees(incident.EvReminded, "")}},
		{name: "undecided-shadow", before: unseen, edits: []string{"mode: enforce", "mode: shadow"}, outcome: incident.OutcomeShadow},
		{
			name: "undecided-superseded", before: unseen, outcome: incident.OutcomeGivenBack,
			steps: []step{sees(incident.EvAsked, ""), isSeen, alertAgain, sees(incident.EvSuperseded, "")},
		},
		{name: "undecided-late", before: notYetSeen, outcome: incident.OutcomeGivenBack, steps: []step{isUndecided, isSeen}},
	}
}

// unseen has the flow store know nothing of the host.
func unseen(r *recorder, p *path) error {
	var none incident.Traffic
	incident.Explain(&none, "flows: no sensor sees the host")
	return r.estate.SetFacts(p.hostName(), incident.Facts{Traffic: none})
}

// notYetSeen has it lag behind.
func notYetSeen(r *recorder, p *path) error {
	late := incident.Traffic{Freshness: incident.Known(time.Now().Add(-8*time.Minute), incident.FromFlows)}
	incident.Explain(&late, "flows: the newest record is 8m old")
	return r.estate.SetFacts(p.hostName(), incident.Facts{Traffic: late})
}

func isSeen(r *recorder, p *path) bool {
	return r.estate.SetFacts(p.hostName(), incident.Facts{}) == nil
}

func isUndecided(r *recorder, p *path) bool {
	d := r.see(p.caseID()).Decision
	return d != nil && d.Outcome == incident.Undecided
}
