package main_test

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// alonePaths are those that change what every case meets: containment is paused,
// a product fails, a limit counts all.
func alonePaths() []*path {
	return []*path{
		{
			name: "given-up", alone: true, leases: true, outcome: incident.OutcomeDenied, edits: asking("{ approve: on-call }"),
			steps: []step{sees(incident.EvAsked, ""), losesAnAttempt, says(alice, true), sees(incident.EvHeldBack, "cut-off")},
		},
		{
			name: "stopped", alone: true, outcome: incident.OutcomeClosedByHand, edits: stays, leases: true, before: fails("apply isolate", integrations.Unavailable),
			steps: []step{isTaking("cut-off"), closesByHand, sees(incident.EvHeldBack, "cut-off"), mended},
		},
		{
			name: "undecided-refused", alone: true, outcome: incident.OutcomeRefused, before: fails("traffic", integrations.Denied),
			steps: []step{says(alice, false), mended},
		},
		{
			name: "undecided-down", alone: true, outcome: incident.OutcomeGivenBack, edits: []string{"use: flows,     timeout: 20s", "use: flows,     timeout: 2s"},
			before: fails("traffic", integrations.Unavailable), steps: []step{isUndecided, mended},
		},
		{
			name: "required-down", alone: true, outcome: incident.OutcomeGivenBack, edits: []string{"use: edr,       timeout: 20s, required", "use: edr,       timeout: 2s, required"},
			before: fails("endpoints", integrations.Unavailable), steps: []step{sees(incident.EvDecided, ""), mended},
		},
		{
			name: "device-down", alone: true, outcome: incident.OutcomeGivenBack, edits: []string{"use: edr,       timeout: 20s, required: true", "use: edr,       timeout: 2s"},
			before: fails("endpoints", integrations.Unavailable), steps: []step{sees(incident.EvDecided, ""), mended},
		},
		{
			name: "held-back", alone: true, before: pause, outcome: incident.OutcomeHeldBack,
			steps: []step{sees(incident.EvHeldBack, ""), resume},
		},
		{
			name: "pause-resumed", alone: true, edits: asking("{ approve: on-call }"), outcome: incident.OutcomeGivenBack,
			steps: []step{sees(incident.EvAsked, ""), pauses, sees(incident.EvPaused, ""), says(alice, true), resume},
		},
		{
			name: "pause-expired", alone: true, outcome: incident.OutcomeHeldBack,
			edits: append(asking("{ approve: on-call }"), "expire_after: 15m", "expire_after: 10s", "remind_after: 5m", "remind_after: 1s"),
			steps: []step{sees(incident.EvAsked, ""), pauses, sees(incident.EvPaused, ""), says(alice, true), sees(incident.EvHeldBack, "cut-off"), resume},
		},
		{
			name: "failed", alone: true, outcome: incident.OutcomeFailed, leases: true, before: fails("apply isolate", integrations.Denied),
			steps: []step{
				sees(incident.EvFailed, "cut-off"), sees(incident.EvPaged, ""),
				onLease("release", "throttle", api.LeaseRequest{Reason: "half is not enough"}), mended,
			},
		},
		{
			name: "limited", alone: true, outcome: incident.OutcomeGivenBack,
			edits: []string{"per: site, max: 5", "per: all, max: 1"}, steps: []step{says(alice, true), says(bob, true)},
		},
	}
}

func pause(r *recorder, _ *path) error {
	if status := r.post("/v1/pause", tokenOf(alice), api.ReasonRequest{Reason: "change freeze"}, nil); status != http.StatusOK {
		return fmt.Errorf("pause: status %d", status)
	}
	return nil
}

func pauses(r *recorder, p *path) bool { return pause(r, p) == nil }

func resume(r *recorder, _ *path) bool {
	return r.post("/v1/resume", tokenOf(alice), api.ReasonRequest{Reason: "freeze is over"}, nil) == http.StatusOK
}

// losesAnAttempt has the next attempt to contain the host fail, and the one
// after it be held back.
func losesAnAttempt(r *recorder, p *path) bool {
	r.estate.Fail("endpoints", integrations.Error{Kind: integrations.Unavailable}, 1)
	asset := incident.Asset{Role: incident.Known("domain_controller", incident.FromInventory)}
	return r.estate.SetFacts(p.hostName(), incident.Facts{Asset: asset}) == nil
}

// fails has every call of an operation fail.
func fails(op string, kind integrations.Kind) func(*recorder, *path) error {
	return func(r *recorder, _ *path) error {
		r.estate.Fail(op, integrations.Error{Kind: kind}, -1)
		return nil
	}
}

func mended(r *recorder, _ *path) bool {
	r.estate.Mend()
	return true
}

// isTaking waits until the lease of a step is being applied.
func isTaking(name string) step {
	return func(r *recorder, p *path) bool {
		c := r.see(p.caseID())
		at := slices.IndexFunc(c.Steps, func(s incident.StepState) bool { return s.Name == name })
		return at >= 0 && r.started(leaseOf(c, c.Steps[at]))
	}
}
