package main_test

import (
	"net/http"
	"slices"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// path is one possible course of a case. Its name is that of its playbook, of the
// category of its alerts, and of its host.
type path struct {
	name string
	// playbook is the one of the library that is edited; high-egress-windows
	// when it is not given.
	playbook string
	edits    []string
	// host changes the flooding workstation that the path is about; of is the
	// path whose host is shared, and merges reports that its playbook is as well.
	host   func(*memory.Host)
	of     string
	merges bool
	// calls is what alerts call the host, the EDR's id when it is not given;
	// nameOnly reports that they say nothing else of it.
	calls    string
	nameOnly bool
	// source is the one of its alerts: siem where it is not given.
	source string
	// alert are further fields of the first alert. It comes when begins is true,
	// or at once.
	alert  map[string]any
	begins step
	// alone reports whether no other path may be under way; such paths come last.
	alone bool
	// slow reports whether it is taken only with -record.
	slow bool
	// before prepares the estate.
	before func(*recorder, *path) error
	// steps are what people do and wait for; each is tried until it is true.
	steps   []step
	outcome incident.CaseOutcome
	// leases reports whether the histories of the case's leases are kept too,
	// claim that the one of the claim to its device is.
	leases, claim bool
}

// step is tried until it is true. It must not wait.
type step func(*recorder, *path) bool

func sees(kind incident.EventKind, name string) step {
	return func(r *recorder, p *path) bool { return saw(r.see(p.caseID()), kind, name) }
}

func standing(n int) step {
	return func(r *recorder, p *path) bool {
		is := func(s incident.StepState) bool { return s.Status == incident.StepStanding }
		return len(slices.DeleteFunc(r.see(p.caseID()).Steps, func(s incident.StepState) bool { return !is(s) })) == n
	}
}

func says(person string, approve bool) step {
	return func(r *recorder, p *path) bool {
		a := r.see(p.caseID()).Approvals
		return len(a) > 0 && a[len(a)-1].State == incident.Pending && r.vote(p.caseID(), person, approve) == http.StatusOK
	}
}

func closesByHand(r *recorder, p *path) bool {
	return r.post("/v1/cases/"+p.caseID()+"/close", tokenOf(alice), api.ReasonRequest{Reason: "it is over"}, nil) == http.StatusOK
}

// onLease extends or releases the lease of a step.
func onLease(what, name string, request api.LeaseRequest) step {
	return func(r *recorder, p *path) bool {
		for _, s := range r.see(p.caseID()).Steps {
			if s.Name == name {
				request.ID = s.Lease
			}
		}
		status := r.post("/v1/leases/"+what, tokenOf(alice), request, nil)
		return status == http.StatusOK || status == http.StatusAccepted
	}
}

func role(name string) func(*memory.Host) {
	return func(h *memory.Host) { h.Asset.Role = incident.Known(name, incident.FromInventory) }
}

func noAsset(h *memory.Host) { h.Asset = incident.Asset{} }

func behaves(action incident.Action, b memory.Behaviour) func(*recorder, *path) error {
	return func(r *recorder, p *path) error { return r.estate.Behave(p.hostName(), action, b) }
}

const contains = "do: [evidence, throttle, cut-off, tell]"

// stays makes leases so long that they stand until somebody ends them.
var stays = []string{"ttl: 6s", "ttl: 10m", "ttl: 6s", "ttl: 10m"}

// asking replaces what the rule for amplification does by a plan with a gate.
func asking(gate string) []string {
	return []string{contains, "do: [throttle, " + gate + ", cut-off, tell]"}
}

// paths are the ways that the recorded histories go, the slow ones only where they are
// recorded. Approvals of the library that take minutes are shortened where a path waits
// for them.
func paths() []*path {
	var slow []*path
	if *record {
		slow = slowPaths()
	}
	return slices.Concat(slow, planPaths(), leasePaths(), alertPaths(), devicePaths(), undecidedPaths(), alonePaths())
}

// soon has the approval on-call remind and expire within seconds.
var soon = []string{"remind_after: 5m", "remind_after: 1s", "expire_after: 15m", "expire_after: 10s"}
