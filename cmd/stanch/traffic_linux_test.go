package main_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/lab"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// realLimit is what the playbook limits a host to, realFlood what it sends.
	realLimit, realFlood = 10e6, 60e6
	// realLink is the speed of the link to the internet.
	realLink = 100e6
	// atMost is how long programs in a lab run.
	atMost = 5 * time.Minute
)

// realPlaybook limits whoever floods. Its lease is long: people give it back.
const realPlaybook = `apiVersion: stanch/v1
kind: Playbook
name: real-flood
owner: secops
mode: enforce
description: A host sends far more than it should, and is limited at the gateway.
trigger:
  match: alert.category == 'high_egress'
  subject: alert.host.id
enrich:
  endpoint: { use: edr, timeout: 20s, required: true }
  traffic: { use: flows, timeout: 20s, with: { window: 1m } }
unsure: on-call
decide:
  - rule: flood
    severity: high
    because: FastNetMon saw an attack of this host.
    do: [throttle]
steps:
  throttle: { action: rate_limit, use: gateway, with: { rate: 10Mbit }, ttl: 1h, unsure: act, verify: { egress_below: 15Mbit, within: 2m }, on_failure: continue }
approvals:
  on-call:
    ask: { slack: '#sec-oncall' }
    approvers: { group: sec-oncall }
    expire_after: 15m
`

// realSite is a Stanch and a network of real packets. FastNetMon on the gateway watches
// the hosts, and posts what it finds to Stanch.
type realSite struct {
	*site
	lab *lab.Lab
	// flooder and second are hosts that the EDR knows, bystander is another.
	flooder, second, bystander *lab.Node
	// before is what TCP of a host got through before anything was limited.
	before int64
	// average is the time over which the detector averages.
	average time.Duration
	// gateway says in stanch.yaml where the gateway is.
	gateway string
}

// newRealSite builds the network, and lays out a Stanch whose flow store has what the
// sensor on one side of the gateway saw. With sees the store says where that is.
func newRealSite(t testing.TB, side, sees string) *realSite {
	t.Helper()
	if err := lab.Ready(); err != nil {
		t.Skipf("SKIPPED: no lab of namespaces: %v", err)
	}
	l, err := lab.New(t.Context(), lab.Config{Link: realLink, Hosts: []lab.Host{
		{Name: "ws-042.corp.example", IPv4: "10.20.4.42", IPv6: "2001:db8:20::42"},
		{Name: "ws-017.corp.example", IPv4: "10.20.4.17", IPv6: "2001:db8:20::17"},
		{Name: "bystander", IPv4: "10.20.4.99", IPv6: "2001:db8:20::99"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	r := &realSite{site: newSite(t), lab: l, flooder: l.Hosts[0], second: l.Hosts[1], bystander: l.Hosts[2]}
	folder, err := l.Folder("flows-" + side)
	if err != nil {
		t.Fatal(err)
	}
	r.gateway = "netns: " + l.Gateway.Namespace
	r.write("playbooks/high-egress-windows.yaml", realPlaybook)
	r.settings = func(slow string) string { return realConfiguration(r.gateway, folder+sees, slow) }
	return r
}

// watched starts Stanch, the detector, and then the sensors, which report a flow that goes
// on every so often.
func (r *realSite) watched(active time.Duration) {
	r.t.Helper()
	r.watchedBy(lab.Sensor{Active: active})
}

// watchedBy has sensors of a kind on both sides of the gateway, and the detector hear the
// one inside.
func (r *realSite) watchedBy(kind lab.Sensor) {
	r.t.Helper()
	r.before = r.transfer(r.flooder, lab.Probe{})
	r.near("before, TCP", r.before, realLink, 0.2)
	r.start("")
	r.average = kind.Active
	r.watch()
	inside, outside := kind, kind
	inside.Interface, outside.Interface = lab.Inside, lab.Outside
	inside.Also = []int{lab.DetectorPort}
	if kind.Sampling > 0 {
		inside.Also = []int{lab.DetectorSamples}
	}
	for _, s := range []lab.Sensor{inside, outside} {
		if _, err := r.lab.Flows(r.t.Context(), s, atMost); err != nil {
			r.t.Fatal(err)
		}
	}
}

// realConfiguration has the endpoints of the simulated estate, and else what is real.
func realConfiguration(gateway, flows, slow string) string {
	var networks []string
	for _, n := range lab.Networks() {
		networks = append(networks, n.String())
	}
	return fmt.Sprintf(`listen: 127.0.0.1:0
data: ./data
playbooks: [./playbooks]
integrations:
  edr: { kind: memory, path: estate.jsonl, scenario: quiet%[1]s }
  slack: { kind: memory, path: estate.jsonl, scenario: quiet%[1]s }
  flows: { kind: nfdump, folder: %[2]s }
  gateway: { kind: nftables, %[3]s, networks: [%[4]s], link: %[5]dMbit }
sources:
  siem: { kind: stanch, auth: { bearer: %[6]s } }
  fastnetmon: { kind: fastnetmon, auth: { bearer: %[6]s } }
people:
  - { id: alice, groups: [sec-oncall], may: [read, retry, extend, release, pause], token_sha256: %[7]x }
`, slow, flows, gateway, strings.Join(networks, ", "), int64(realLink/1e6), sourceToken, sha256.Sum256([]byte(tokenOf(alice))))
}

// watch starts the detector, with the script that our documents offer.
func (r *realSite) watch() {
	r.t.Helper()
	detector, err := r.lab.Notify(r.t.Context(), lab.Detector{Above: realFlood / 3, Average: r.average}, r.url+"/v1/alerts/fastnetmon", sourceToken, atMost)
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() {
		if r.t.Failed() {
			r.t.Logf("the detector:\n%s", detector.Output())
		}
	})
}

// flood has a host flood until the returned function is called.
func (r *realSite) flood(host *lab.Node) (stop func()) {
	r.t.Helper()
	p, err := r.lab.Flood(host, lab.Flood{Rate: realFlood, For: atMost})
	if err != nil {
		r.t.Fatal(err)
	}
	return p.Stop
}

// caseOf is the id of a host's case.
func caseOf(host *lab.Node) string { return "real-flood/" + host.Name }

// release gives a case's lease back, and waits until it is over.
func (r *realSite) release(id, step string) {
	r.t.Helper()
	r.letGo(id, step)
	r.until("the lease of "+id+" to be given back", func() bool { return saw(r.see(id), incident.EvGivenBack, step) })
}

// letGo asks for a case's lease to be given back.
func (r *realSite) letGo(id, step string) {
	r.t.Helper()
	r.until("the lease of "+id+" to be released", func() bool {
		for _, s := range r.see(id).Steps {
			if s.Name == step && s.Lease != "" {
				status := r.post("/v1/leases/release", tokenOf(alice), api.LeaseRequest{ID: s.Lease, Reason: "the owner stopped it"}, nil)
				return status == http.StatusOK || status == http.StatusAccepted
			}
		}
		return false
	})
}

// rules is what the gateway's kernel has.
func (r *realSite) rules() string {
	r.t.Helper()
	out, err := r.lab.Gateway.Run(r.t.Context(), "nft", "list", "ruleset")
	if err != nil {
		r.t.Fatal(err)
	}
	return string(out)
}

// transfer measures what a host gets through.
func (r *realSite) transfer(host *lab.Node, p lab.Probe) int64 {
	r.t.Helper()
	return r.together(map[*lab.Node]lab.Probe{host: p})[host]
}

func (r *realSite) near(what string, got int64, want, tolerance float64) {
	r.t.Helper()
	r.t.Logf("%-40s %6.1f Mbit/s", what, float64(got)/1e6)
	if d := float64(got)/want - 1; d > tolerance || d < -tolerance {
		r.t.Errorf("%s: %.1f Mbit/s, want %.1f within %.0f %%", what, float64(got)/1e6, want/1e6, tolerance*100)
	}
}

// together measures what several hosts get through at the same time.
func (r *realSite) together(probes map[*lab.Node]lab.Probe) map[*lab.Node]int64 {
	var mu sync.Mutex
	var all sync.WaitGroup
	got := map[*lab.Node]int64{}
	for host, p := range probes {
		all.Go(func() {
			p.For = 3 * time.Second
			m, err := r.lab.Measure(r.t.Context(), host, p)
			if err != nil {
				r.t.Errorf("measure %s: %v", host.Name, err)
			}
			mu.Lock()
			defer mu.Unlock()
			got[host] = m.Arrived
		})
	}
	all.Wait()
	return got
}

// limited floods from a host until its limit is effective.
func (r *realSite) limited(host *lab.Node) {
	r.t.Helper()
	stop := r.flood(host)
	defer stop()
	r.until("the limit of "+host.Name+" to be effective", func() bool { return saw(r.see(caseOf(host)), incident.EvVerified, "throttle") })
	r.showTimeline(r.last)
}

// TestRealTraffic floods from two hosts. A sensor reports it, a detector raises the
// alerts, a case of each limits its host at the gateway, and the flow store proves it. Each
// has a bucket of its own, and who is not limited keeps its speed. When a lease is given
// back the speed of its host returns, and that of the other does not.
func TestRealTraffic(t *testing.T) {
	t.Parallel()
	r := newRealSite(t, lab.Outside, "")
	r.watched(time.Second)
	r.limited(r.flooder)
	r.near("limited, TCP", r.transfer(r.flooder, lab.Probe{}), realLimit, 0.35)
	r.limited(r.second)
	udp := lab.Probe{UDP: true, Rate: 3 * realLimit}
	got := r.together(map[*lab.Node]lab.Probe{r.flooder: udp, r.second: udp, r.bystander: {}})
	r.near("limited, UDP, at once with the second", got[r.flooder], realLimit, 0.10)
	r.near("the second, UDP", got[r.second], realLimit, 0.10)
	r.near("not limited, TCP, meanwhile", got[r.bystander], float64(r.before)-2*realLimit, 0.15)

	r.release(caseOf(r.flooder), "throttle")
	got = r.together(map[*lab.Node]lab.Probe{r.flooder: {}, r.second: udp})
	r.near("given back, TCP", got[r.flooder], float64(r.before)-realLimit, 0.25)
	r.near("the second still, UDP", got[r.second], realLimit, 0.10)
	r.release(caseOf(r.second), "throttle")
	if left := r.rules(); strings.Contains(left, "10.20.") {
		t.Errorf("the gateway still has\n%s", left)
	}
	r.stop()
}
