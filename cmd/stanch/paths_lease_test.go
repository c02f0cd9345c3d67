package main_test

import (
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// leasePaths are those of containments: shared, extended, late, and such.
func leasePaths() []*path {
	clean := api.LeaseRequest{Reason: "it is clean"}
	longer := onLease("extend", "cut-off", api.LeaseRequest{For: 20 * time.Minute, Reason: "still there"})
	return []*path{
		{name: "adopted", before: imposeIsolation, outcome: incident.OutcomeGivenBack, leases: true},
		{
			name: "shared-first", outcome: incident.OutcomeClosedByHand, leases: true, edits: stays,
			steps: []step{standing(2), shared, closesByHand},
		},
		{
			name: "shared-second", of: "shared-first", outcome: incident.OutcomeGivenBack, edits: stays,
			steps: []step{standing(2), leftAlone, onLease("release", "throttle", clean), onLease("release", "cut-off", clean)},
		},
		{
			name: "extended", outcome: incident.OutcomeGivenBack, leases: true, edits: stays,
			steps: []step{
				standing(2), longer,
				says(alice, true), sees(incident.EvExtended, "cut-off"), onLease("release", "throttle", clean), sees(incident.EvGivenBack, "throttle"),
				onLease("release", "cut-off", clean),
			},
		},
		{
			name: "extension-denied", outcome: incident.OutcomeClosedByHand, edits: stays,
			steps: []step{standing(2), longer, says(alice, false), sees(incident.EvHeldBack, "cut-off"), closesByHand},
		},
		{
			name: "extension-expired", outcome: incident.OutcomeClosedByHand, edits: append(soon, stays...),
			steps: []step{standing(2), longer, sees(incident.EvHeldBack, "cut-off"), closesByHand},
		},
		{
			name: "extension-void", outcome: incident.OutcomeGivenBack, edits: stays,
			steps: []step{standing(2), longer, onLease("release", "cut-off", clean), sees(incident.EvSuperseded, ""), onLease("release", "throttle", clean)},
		},
		{
			name: "process-killed", playbook: "dns-amplification", outcome: incident.OutcomeGivenBack, leases: true,
			steps: []step{says(alice, true), sees(incident.EvAccepted, "end-process")},
		},
		{
			name: "heard", outcome: incident.OutcomeGivenBack, leases: true, edits: wayBack("1m", "55s"),
			steps: []step{sees(incident.EvHeard, "cut-off")},
		},
		{
			name: "unheard", before: behaves(incident.Isolate, memory.Behaviour{Deaf: true}), outcome: incident.OutcomeGivenBack, leases: true,
			edits: wayBack("1m", "90s"), steps: []step{sees(incident.EvUnheard, "cut-off"), sees(incident.EvAccepted, "narrow")},
		},
		{
			name: "counted", outcome: incident.OutcomeGivenBack, leases: true, edits: append([]string{contains, "do: [throttle, tell]"}, stays...),
			steps: []step{sees(incident.EvVerified, "throttle"), onLease("release", "throttle", clean)},
		},
		{
			name: "shifted", before: behaves(incident.RateLimit, memory.Behaviour{Elsewhere: true}), outcome: incident.OutcomeGivenBack, leases: true,
			edits: append([]string{contains, "do: [throttle, tell]", "egress_below: 3Mbit, within: 2m", "egress_below: 3Mbit, within: 10s"}, stays...),
			steps: []step{sees(incident.EvNotEffective, "throttle"), onLease("release", "throttle", clean)},
		},
		{name: "late", before: behaves(incident.Isolate, memory.Behaviour{Pending: 3 * time.Second}), outcome: incident.OutcomeGivenBack, leases: true},
		{
			name: "undo-fails", before: behaves(incident.Isolate, memory.Behaviour{Stuck: true}), outcome: incident.OutcomeGivenBack, leases: true,
			steps: []step{sees(incident.EvUndoFailing, "cut-off"), mend},
		},
	}
}

// wayBack has an isolation undone where the agent is not heard in time, and a stricter
// limit take its place.
func wayBack(within, ttl string) []string {
	return []string{
		"use: edr,     ttl: 6s", "use: edr,     ttl: " + ttl, "heard_within: 15m", "heard_within: " + within,
		"rate: 256kbit }, ttl: 4h", "rate: 256kbit }, ttl: 6s",
	}
}

func imposeIsolation(r *recorder, p *path) error {
	target, err := incident.DeviceTarget(p.hostName(), p.hostName())
	if err != nil {
		return err
	}
	return r.estate.Impose(incident.Order{Action: incident.Isolate, Target: target, Reason: "by hand"})
}

// shared waits until the second case of the host holds the leases as well.
func shared(r *recorder, p *path) bool {
	second := path{name: "shared-second", of: p.name}
	return standing(2)(r, &second)
}

// leftAlone waits until the first case of the host holds no lease any more.
func leftAlone(r *recorder, p *path) bool {
	first := path{name: p.of}
	return r.see(first.caseID()).Status == incident.Closed
}
