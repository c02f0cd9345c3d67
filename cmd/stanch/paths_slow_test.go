package main_test

import (
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/integrations"
	integrationsall "github.com/stanch-soar/stanch/integrations/all"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// slowPaths take minutes, so they are taken to be recorded and are replayed ever after.
func slowPaths() []*path {
	limits := []string{contains, "do: [throttle, tell]"}
	throttle := func(use, keys string) []string {
		return append(slices.Clone(limits), "use: gateway, with: { rate: 2Mbit }, ttl: 6s", "use: "+use+", with: { rate: 2Mbit }, "+keys)
	}
	clean := api.LeaseRequest{Reason: "it is clean"}
	return []*path{
		{
			// It is quiet when its time is up, and sends again while it is watched.
			name: "held-again", slow: true, leases: true, outcome: incident.OutcomeGivenBack,
			edits: throttle("gateway", "ttl: 40s, hold_at_most: 10m, watch: 1m"),
			steps: []step{sees(incident.EvVerified, "throttle"), stops(7316, powershell), watched, sends, rounds(2), stops(9001, syncExe)},
		},
		{
			// It sends all the time: it goes on, and people end it.
			name: "used-up", slow: true, leases: true, outcome: incident.OutcomeGivenBack,
			edits: throttle("gateway", "ttl: 20s, hold_at_most: 1m, watch: 1m"),
			steps: []step{sees(incident.EvHeldAgain, "throttle"), sees(incident.EvAsked, ""), says(alice, false)},
		},
		{
			name: "early", slow: true, leases: true, outcome: incident.OutcomeGivenBack,
			edits: throttle("gateway", "ttl: 5m, quiet_for: 1m"),
			steps: []step{sees(incident.EvVerified, "throttle"), stops(7316, powershell), sees(incident.EvWatched, "throttle")},
		},
		{
			name: "drifted", slow: true, leases: true, outcome: incident.OutcomeGivenBack,
			edits: throttle(router, "ttl: 10m"),
			steps: []step{sees(incident.EvConfirmed, "throttle"), retunes, sees(incident.EvDrifted, "throttle"), onLease("release", "throttle", clean)},
		},
		{
			name: "undo-pending", slow: true, leases: true, outcome: incident.OutcomeGivenBack, edits: limits,
			before: behaves(incident.RateLimit, memory.Behaviour{Stuck: true}), steps: []step{sees(incident.EvUndoFailing, "throttle"), lets, sees(incident.EvGivenBack, "throttle")},
		},
	}
}

// The programs of a path's host that flood: the one that it has, and another.
const (
	powershell = `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`
	syncExe    = `C:\Program Files\Sync\sync.exe`
)

// stops has a program of the path's host end, as by the hand of its user.
func stops(pid int64, program string) step {
	return func(r *recorder, p *path) bool {
		target, err := incident.DeviceTarget(p.hostName(), p.hostName())
		if err != nil {
			r.t.Fatal(err)
		}
		_, err = r.estate.Kill(r.t.Context(), integrations.KillOrder{Key: "its user", Target: target, PID: pid, Path: program})
		return err == nil
	}
}

// sends has another program of the path's host flood.
func sends(r *recorder, p *path) bool {
	return r.estate.AddProcess(p.hostName(), memory.Process{
		Path: syncExe, Name: "sync.exe", PID: 9001, User: `CORP\anna`, Signed: true,
		Streams: []memory.Stream{{Destinations: []string{"203.0.113.77"}, DstPort: 443, Transport: "tcp", BitsOut: 40_000_000}},
	}) == nil
}

// watched waits until the path's host is watched.
func watched(r *recorder, p *path) bool {
	return slices.ContainsFunc(r.see(p.caseID()).Steps, incident.StepState.Watched)
}

// rounds waits until a limit is in place in its nth round.
func rounds(n int) step {
	return func(r *recorder, p *path) bool {
		return slices.ContainsFunc(r.see(p.caseID()).Steps, func(s incident.StepState) bool {
			return s.Held != nil && s.Held.Round == n && s.Status == incident.StepStanding
		})
	}
}

// retunes changes the rate of the path's limit behind Stanch's back.
func retunes(r *recorder, p *path) bool {
	target, err := incident.DeviceTarget(p.hostName(), p.hostName())
	if err != nil {
		r.t.Fatal(err)
	}
	return r.estate.Retune(incident.Order{Action: incident.RateLimit, Target: target}, 5_000_000) == nil
}

// lets has the gateway carry out what it is told again.
func lets(r *recorder, p *path) bool {
	return r.estate.Behave(p.hostName(), incident.RateLimit, memory.Behaviour{}) == nil
}

// router is an integration and its kind: the estate, as a product that knows devices by
// their addresses.
const router = "router"

// withRouter is the catalog and a configuration with the router.
func withRouter(configuration string) (integrations.Catalog, string) {
	catalog := integrationsall.Catalog()
	for _, spec := range catalog.Integrations {
		if spec.Kind == "memory" {
			spec.Kind, spec.ByAddress = router, true
			catalog.Integrations = append(catalog.Integrations, spec)
			break
		}
	}
	return catalog, strings.Replace(configuration, "integrations:\n", "integrations:\n  router: { kind: router, path: estate.jsonl }\n", 1)
}

// isSlow reports whether a recorded history is of a path that is taken to be recorded alone.
func isSlow(history string) bool {
	return slices.ContainsFunc(slowPaths(), func(p *path) bool {
		return history == "respond-"+p.name+generation || strings.HasPrefix(history, "lease-"+p.name+"-")
	})
}
