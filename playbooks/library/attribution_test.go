package library_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// High egress of which no process is known to send nearly all is never closed
// as benign: people are told, or asked, or it is contained. It holds regardless
// of what else is true of the host, and of who is guessed.
func TestHighEgressWithoutAttributionIsNeverBenign(t *testing.T) {
	now := time.Date(2026, 3, 2, 3, 0, 0, 0, time.UTC)
	asked := 0
	for _, p := range load(t) {
		alert := tests(t, p).Cases[0].Facts.Alert
		unattributed(func(name string, facts incident.Facts) {
			facts.Alert = alert
			d := p.Evaluate(t.Context(), facts, now)
			if d.Outcome == incident.Denied || d.Outcome == incident.CannotDecide || d.Outcome == incident.DecisionErr {
				return
			}
			if asked++; !heard(p, d, facts) {
				t.Errorf("%s: %s: rule %s (%s) tells and asks nobody", p.Name, name, d.Rule, d.Outcome)
			}
		})
	}
	if asked < 10_000 {
		t.Errorf("only %d cases were decided", asked)
	}
}

// heard reports whether people hear of a decision.
func heard(p *playbooks.Playbook, d incident.Decision, facts incident.Facts) bool {
	target, err := incident.DeviceTarget("ws-042", "ws-042")
	if err != nil {
		return false
	}
	plan := p.AskForDevice(p.Plan(d, facts, &target))
	return slices.ContainsFunc(plan.Steps, func(s incident.PlannedStep) bool {
		return s.Approve != "" || s.Action == incident.Notify
	})
}

// unattributed visits high egress of every shape, of hosts of several roles,
// with every process that the library knows, none of which explains it.
func unattributed(visit func(name string, facts incident.Facts)) {
	known := func(s string) incident.Value[string] { return incident.Known(s, incident.FromEDR) }
	size := func(n int64) incident.Value[int64] { return incident.Known(n, incident.FromFlows) }
	share := func(f float64) incident.Value[float64] { return incident.Known(f, incident.Computed) }
	joins := []incident.Traffic{
		{Attribution: known("none")},
		{Attribution: known("destination")},
		{Attribution: known("process_list")},
		{},
		{Attribution: known("none"), Explained: share(1), JoinRate: share(1)},
		{Attribution: known("exact")},
		{Attribution: known("exact"), Explained: share(0.94), JoinRate: share(1)},
	}
	paths := []string{
		`C:\Program Files\Veeam\VeeamAgent.exe`, `C:\Windows\System32\svchost.exe`, `C:\Windows\System32\dns.exe`,
		`C:\Windows\System32\w32tm.exe`, `C:\Windows\System32\lsass.exe`, "",
	}
	for _, with := range product(joins, incident.TrafficRoles().Names(), []int64{21 << 20, 63 << 20, 9 << 30}, []int64{53, 443}) {
		for _, host := range product(paths, []string{"workstation", "server", "dns", "domain_controller"}, []int{0}, []int{0}) {
			facts := incident.Facts{
				Endpoint: incident.Endpoint{ID: known("ws-042"), Name: known("ws-042"), OS: known("windows")},
				Traffic:  with.a, Baseline: incident.Baseline{P99: size(20 << 20)}, Asset: incident.Asset{Role: known(host.b)},
			}
			facts.Traffic.BytesOut, facts.Traffic.Role = size(with.c), known(with.b)
			facts.Traffic.Top = incident.Known([]incident.TopFlow{{IP: "198.51.100.7", Port: with.d, Transport: "udp", Bytes: with.c}}, incident.FromFlows)
			if host.a != "" {
				facts.Process = incident.Process{Path: known(host.a), Signed: incident.Known(true, incident.FromEDR), PID: size(712)}
			}
			visit(fmt.Sprintf("%s on a %s, %s (explained %s), %s, %d bytes to port %d",
				host.a, host.b, with.a.Attribution, with.a.Explained, with.b, with.c, with.d), facts)
		}
	}
}

type combined[A, B, C, D any] struct {
	a A
	b B
	c C
	d D
}

// product returns every combination.
func product[A, B, C, D any](as []A, bs []B, cs []C, ds []D) []combined[A, B, C, D] {
	var all []combined[A, B, C, D]
	for _, a := range as {
		for _, b := range bs {
			for _, c := range cs {
				for _, d := range ds {
					all = append(all, combined[A, B, C, D]{a, b, c, d})
				}
			}
		}
	}
	return all
}
