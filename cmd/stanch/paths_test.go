package main_test

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/cmd/internal/receiver"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// path is one way that a case can go. Its name is that of its playbook, of the
// category of its alerts, and of its host.
type path struct {
	name string
	// playbook is the one of the library that is edited; high-egress-windows
	// when it is not given.
	playbook string
	edits    []string
	// host changes the flooding workstation that the path is about; of is the
	// path whose host is shared.
	host func(*memory.Host)
	of   string
	// alone tells that nothing else may be under way; such paths come last.
	alone bool
	// before prepares the estate.
	before func(*recorder, *path) error
	// steps are what people do and wait for; each is tried until it is true.
	steps   []step
	outcome incident.CaseOutcome
	// leases tells that the histories of the case's leases are kept too.
	leases bool
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
	return r.post("/v1/cases/"+p.caseID()+"/close", tokenOf(alice), receiver.ReasonRequest{Reason: "it is over"}, nil) == http.StatusOK
}

// onLease extends or releases the lease of a step.
func onLease(what, name string, request receiver.LeaseRequest) step {
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

// paths are all the ways that the recorded histories go. Approvals of the
// library that take minutes are shortened where a path waits for them.
func paths() []*path {
	clean := receiver.LeaseRequest{Reason: "it is clean"}
	short := []string{"remind_after: 5m", "remind_after: 1s", "expire_after: 15m", "expire_after: 3s"}
	return []*path{
		{name: "contained", outcome: incident.OutcomeGivenBack, leases: true},
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
			edits: append(asking("{ approve: on-call, if_expired: [tell] }"), short...), steps: []step{sees(incident.EvReminded, "")},
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
				standing(2), onLease("extend", "cut-off", receiver.LeaseRequest{For: 20 * time.Minute, Reason: "still there"}),
				says(alice, true), sees(incident.EvExtended, "cut-off"), onLease("release", "throttle", clean), sees(incident.EvGivenBack, "throttle"),
				onLease("release", "cut-off", clean),
			},
		},
		{
			name: "process-killed", playbook: "dns-amplification", outcome: incident.OutcomeGivenBack, leases: true,
			steps: []step{says(alice, true), sees(incident.EvAccepted, "end-process")},
		},
		{name: "late", before: behaves(incident.Isolate, memory.Behaviour{Pending: 3 * time.Second}), outcome: incident.OutcomeGivenBack, leases: true},
		{
			name: "undo-fails", before: behaves(incident.Isolate, memory.Behaviour{Stuck: true}), outcome: incident.OutcomeGivenBack, leases: true,
			steps: []step{sees(incident.EvUndoFailing, "cut-off"), mend},
		},
		{
			name: "retried", before: sendSample, edits: asking("{ approve: on-call }"), outcome: incident.OutcomeRefused,
			steps: []step{sees(incident.EvAsked, ""), retrySample, says(alice, false)},
		},
		{name: "unmatched", outcome: incident.OutcomeNoPlaybook},
		{
			name: "closed-late", before: behaves(incident.Isolate, memory.Behaviour{Stuck: true}), outcome: incident.OutcomeClosedByHand,
			edits: stays, steps: []step{standing(2), closesByHand, alertAgain, mend, decidedAnew, closesByHand},
		},
		{
			name: "cancelled", before: behaves(incident.Isolate, memory.Behaviour{Stuck: true}), outcome: incident.OutcomeClosedByHand,
			edits: stays, steps: []step{standing(2), cancels, alertAgain, mend, decidedAnew, closesByHand},
		},
		{
			name: "given-up", alone: true, outcome: incident.OutcomeDenied, edits: asking("{ approve: on-call }"),
			steps: []step{sees(incident.EvAsked, ""), losesAnAttempt, says(alice, true), sees(incident.EvHeldBack, "cut-off")},
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
			name: "failed", alone: true, outcome: incident.OutcomeFailed, leases: true, before: refuseIsolation,
			steps: []step{
				sees(incident.EvFailed, "cut-off"), sees(incident.EvPaged, ""),
				onLease("release", "throttle", receiver.LeaseRequest{Reason: "half is not enough"}),
			},
		},
		{
			name: "limited", alone: true, outcome: incident.OutcomeGivenBack,
			edits: []string{"per: site, max: 5", "per: all, max: 1"}, steps: []step{says(alice, true), says(bob, true)},
		},
	}
}

func pause(r *recorder, _ *path) error {
	if status := r.post("/v1/pause", tokenOf(alice), receiver.ReasonRequest{Reason: "change freeze"}, nil); status != http.StatusOK {
		return fmt.Errorf("pause: status %d", status)
	}
	return nil
}

func pauses(r *recorder, p *path) bool { return pause(r, p) == nil }

func resume(r *recorder, _ *path) bool {
	return r.post("/v1/resume", tokenOf(alice), receiver.ReasonRequest{Reason: "freeze is over"}, nil) == http.StatusOK
}

func refuseIsolation(r *recorder, _ *path) error {
	r.estate.Fail("apply isolate", integrations.Error{Kind: integrations.Denied}, 1)
	return nil
}

// becomesWorkstation corrects what the inventory says.
func becomesWorkstation(r *recorder, p *path) bool {
	asset := incident.Asset{Role: incident.Known("workstation", incident.FromInventory)}
	return r.estate.SetFacts(p.hostName(), incident.Facts{Asset: asset}) == nil
}

func alertAgain(r *recorder, p *path) bool {
	_, code := r.alertFor(p, "again", incident.Firing)
	return code == http.StatusAccepted
}

// sendSample sends an alert that opens no case: it is recorded.
func sendSample(r *recorder, p *path) error {
	accepted, code := r.alertFor(p, "sample", incident.Sample)
	if len(accepted.Recorded) != 1 {
		return fmt.Errorf("a sample has the status %d and is recorded as %q", code, accepted.Recorded)
	}
	r.sample = accepted.Recorded[0]
	return nil
}

// retrySample has it taken up by the case that is open now.
func retrySample(r *recorder, _ *path) bool {
	if r.post("/v1/rejected/"+r.sample+"/retry", tokenOf(alice), struct{}{}, nil) != http.StatusAccepted {
		return false
	}
	r.keep("rejected-retried", "rejected/"+r.sample, "")
	return true
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

// leftAlone waits until the first case of the host holds nothing any more.
func leftAlone(r *recorder, p *path) bool {
	first := path{name: p.of}
	return r.see(first.caseID()).Status == incident.Closed
}

// cancels has the engine's operator cancel the case's workflow.
func cancels(r *recorder, p *path) bool {
	return r.service.Client().CancelWorkflow(r.t.Context(), activities.CaseWorkflowID(p.caseID()), "") == nil &&
		sees(incident.EvClosed, "")(r, p)
}

// decidedAnew waits until the alert that came while the case closed is decided.
func decidedAnew(r *recorder, p *path) bool {
	decided := 0
	for _, e := range r.see(p.caseID()).Timeline {
		if e.Kind == incident.EvDecided {
			decided++
		}
	}
	return decided == 2
}

// losesAnAttempt has the next attempt to contain the host fail, and the one
// after it be held back.
func losesAnAttempt(r *recorder, p *path) bool {
	r.estate.Fail("endpoints", integrations.Error{Kind: integrations.Unavailable}, 1)
	asset := incident.Asset{Role: incident.Known("domain_controller", incident.FromInventory)}
	return r.estate.SetFacts(p.hostName(), incident.Facts{Asset: asset}) == nil
}

func mend(r *recorder, p *path) bool {
	return r.estate.Behave(p.hostName(), incident.Isolate, memory.Behaviour{}) == nil
}
