package main_test

import (
	"net/http"

	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// devicePaths are those of alerts that call a device otherwise than the EDR does.
func devicePaths() []*path {
	return []*path{
		{
			name: "merged-first", outcome: incident.OutcomeClosedByHand, edits: stays, claim: true,
			steps: []step{standing(2), sees(incident.EvMerged, ""), closesByHand},
		},
		{
			name: "merged-second", of: "merged-first", merges: true, calls: "ws-merged-first.corp.example", outcome: incident.OutcomeMerged,
			begins: firstStands,
		},
		{
			name: "merges-closing", outcome: incident.OutcomeClosedByHand, edits: stays,
			before: behaves(incident.Isolate, memory.Behaviour{Stuck: true}), steps: []step{standing(2), closesByHand},
		},
		{
			name: "merges-waits", of: "merges-closing", merges: true, calls: "ws-merges-closing.corp.example", outcome: incident.OutcomeClosedByHand,
			begins: firstCloses, steps: []step{sees(incident.EvMerged, ""), mend, standing(2), closesByHand},
		},
		byName(path{name: "assumed-approved", outcome: incident.OutcomeGivenBack, steps: []step{says(alice, true)}}),
		byName(path{name: "assumed-denied", outcome: incident.OutcomeRefused, steps: []step{says(alice, false)}}),
		byName(path{name: "assumed-expired", edits: soon, outcome: incident.OutcomeExpired, steps: []step{sees(incident.EvReminded, "")}}),
		byName(path{
			name: "assumed-now-exact", outcome: incident.OutcomeGivenBack,
			steps: []step{sees(incident.EvAsked, ""), saysAddress, sees(incident.EvSuperseded, "")},
		}),
	}
}

// firstStands waits until the case that has the device contains it.
func firstStands(r *recorder, p *path) bool { return standing(2)(r, &path{name: p.of}) }

// firstCloses waits until somebody is closing the case that has the device.
func firstCloses(r *recorder, p *path) bool { return sees(incident.EvClosed, "")(r, &path{name: p.of}) }

// byName has the alerts of a path say no more of the host than its name, which
// is not the EDR's id.
func byName(p path) *path {
	p.calls, p.nameOnly = "pc-"+p.name, true
	p.host = func(h *memory.Host) { h.Name = p.calls }
	return &p
}

// saysAddress sends an alert that says more of the host than its name.
func saysAddress(r *recorder, p *path) bool {
	more := *p
	more.nameOnly = false
	_, code := r.alertFor(&more, "again", incident.Firing)
	return code == http.StatusAccepted
}
