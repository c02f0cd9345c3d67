package workflows_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/file"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

// shares is an inventory of addresses that many send through.
const shares = `assets:
  - { id: a-1, name: ws-042.corp.example, role: workstation, site: berlin }
  - { name: fw-01, ips: [10.0.0.7], role: firewall, tags: [edge, NAT] }
  - { name: squid, ips: [10.0.0.8, "2001:db8::8"], role: proxy }
  - { name: ras, ips: [10.8.0.0/16], role: VPN }
  - { ips: [10.0.0.9], role: load-balancer }
`

// behind returns a world whose inventory is a file.
func behind(t *testing.T, inventory string) *world {
	t.Helper()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	path := filepath.Join(t.TempDir(), "inventory.yaml")
	if err := os.WriteFile(path, []byte(inventory), 0o600); err != nil {
		t.Fatal(err)
	}
	opened, err := file.New(path)
	if err != nil {
		t.Fatal(err)
	}
	w.set.Add("inventory", file.Spec(), opened)
	return w
}

// unowned asserts that nothing is known of a host by its traffic, and why.
func unowned(t *testing.T, c incident.Case, why string) {
	t.Helper()
	traffic, baseline := c.Facts.Traffic, c.Facts.Baseline
	for name, v := range map[string]incident.Field{
		"bytes_out": traffic.BytesOut, "packets_out": traffic.PacketsOut, "rate": traffic.Rate, "top": traffic.Top, "role": traffic.Role,
		"attribution": traffic.Attribution, "join_rate": traffic.JoinRate, "p99": baseline.P99,
	} {
		if value, from, reason := v.Any(); from != incident.Unknown || reason != why {
			t.Errorf("%s is %v from %q (%s), want unknown: %s", name, value, from, reason, why)
		}
	}
}

func TestAnAddressOfManyNamesNobody(t *testing.T) {
	t.Parallel()
	for ip, why := range map[string]string{
		"10.0.0.7":        "source not attributable: 10.0.0.7 is the NAT address of fw-01",
		"10.0.0.8":        "source not attributable: 10.0.0.8 is the proxy address of squid",
		"2001:db8:0::8":   "source not attributable: 2001:db8:0::8 is the proxy address of squid",
		"10.8.3.4":        "source not attributable: 10.8.3.4 is the VPN address of ras",
		"::ffff:10.8.3.4": "source not attributable: ::ffff:10.8.3.4 is the VPN address of ras",
		"10.0.0.9":        "source not attributable: 10.0.0.9 is a load balancer address",
	} {
		t.Run(ip, func(t *testing.T) {
			t.Parallel()
			w := behind(t, shares)
			// A device that sends through it does not become the sender by that.
			if err := w.estate.AddHost(memory.Host{ID: "ws-900", Name: ip, IPs: []string{ip}, OS: "windows"}); err != nil {
				t.Fatal(err)
			}
			id := w.open(alertFor(ip, ip))
			w.explainOnFailure(id)
			w.run(time.Hour)
			w.untouched()
			c := w.see(id)
			if c.Target != nil || c.TargetProblem != why {
				t.Errorf("target %v, problem %q, want %q", c.Target, c.TargetProblem, why)
			}
			unowned(t, c, why)
			if len(w.told(why)) == 0 {
				t.Error("people are not told why")
			}
		})
	}
}

// A host that is named by more than the address is found by that alone, also where
// the EDR knows a device at the address.
func TestAHostBehindAProxyIsFoundByItsName(t *testing.T) {
	t.Parallel()
	w := behind(t, shares)
	if err := w.estate.AddHost(memory.Host{ID: "squid", Name: "squid", IPs: []string{"10.0.0.8"}, OS: "linux"}); err != nil {
		t.Fatal(err)
	}
	id := w.open(alertFor("ws-042", "10.0.0.8"))
	w.explainOnFailure(id)
	w.run(10 * time.Minute)
	c := w.see(id)
	if c.Target == nil || c.Target.ID() != "ws-042" {
		t.Fatalf("target %v, problem %q", c.Target, c.TargetProblem)
	}
	if sent, ok := c.Facts.Traffic.BytesOut.Get(); !ok || sent == 0 {
		t.Errorf("traffic at its own address is %v", c.Facts.Traffic.BytesOut)
	}
	if site, _ := c.Facts.Asset.Site.Get(); site != "berlin" {
		t.Errorf("the asset is %+v, want the host's own", c.Facts.Asset)
	}
	w.contained(incident.Isolate, 1, 0)
}

// One identifier and a shared address are one identifier.
func TestANameAndASharedAddressAreNotTwoIdentifiers(t *testing.T) {
	t.Parallel()
	w := behind(t, shares+"  - { name: all of them, ips: [10.20.4.42], tags: [vpn] }\n")
	a := alertFor("ws-042", "10.20.4.42")
	a.Host.Name = incident.NotKnown[string]("the alert does not say")
	id := w.open(a)
	w.run(time.Hour)
	w.untouched()
	c := w.see(id)
	if c.Target == nil || c.Target.OnlyBy() != "id" {
		t.Errorf("target %v", c.Target)
	}
	want := "only the id agrees with device ws-042.corp.example (ws-042); source not attributable: 10.20.4.42 is the VPN address of all of them"
	if c.TargetProblem != want {
		t.Errorf("problem %q, want %q", c.TargetProblem, want)
	}
}

// A host that is known by id and name may be contained, but not because of what
// leaves an address that it shares: that is asked.
func TestTrafficAtASharedAddressIsNobodysOwn(t *testing.T) {
	t.Parallel()
	w := behind(t, shares+"  - { name: all of them, ips: [10.20.4.42], tags: [vpn] }\n")
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	w.run(10 * time.Minute)
	c := w.see(id)
	if c.Target == nil || c.Target.ID() != "ws-042" {
		t.Fatalf("target %v, problem %q", c.Target, c.TargetProblem)
	}
	why := "source not attributable: 10.20.4.42 is the VPN address of all of them"
	unowned(t, c, why)
	if path := c.Facts.Process.Path; path.IsKnown() || path.Why() != why {
		t.Errorf("the process is %v, want it unknown: %s", path, why)
	}
	w.contained(incident.Isolate, 0, 0)
	if len(c.Decision.Unsure) == 0 {
		t.Error("the decision is sure of itself")
	}
}

// The inventory knows the proxy by name only: what leaves it is its clients'.
func TestWhatLeavesAProxyIsItsClients(t *testing.T) {
	t.Parallel()
	w := behind(t, "assets: [{ name: ws-042.corp.example, role: workstation, tags: [proxy] }]\n")
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.run(time.Hour)
	w.untouched()
	c := w.see(id)
	unowned(t, c, "source not attributable: 10.20.4.42 is the proxy address of ws-042.corp.example")
	if c.Target == nil {
		t.Errorf("the host itself is no target: %s", c.TargetProblem)
	}
}

// An inventory that answers late does not hold up traffic, and still counts: a
// target that rested on the address does not count, nor is the traffic its own.
func TestALateInventoryStillCounts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	set(t, w.estate, incident.Asset{Role: incident.Known("workstation", incident.FromInventory), Tags: incident.Known([]string{"vpn"}, incident.FromInventory)})
	// Asked at 0 s, 0 s, 0.5 s and 1.5 s; at 3.5 s it answers.
	w.estate.Fail("asset", down(), 4)
	a := alertFor("ws-042", "10.20.4.42")
	a.Host.ID = incident.Known("10.20.4.42", incident.FromAlert)
	id := w.open(a)
	w.explainOnFailure(id)
	w.run(time.Hour)
	w.untouched()
	c := w.see(id)
	why := "source not attributable: 10.20.4.42 is the VPN address of ws-042"
	if c.Target != nil || !strings.HasPrefix(c.TargetProblem, why) {
		t.Errorf("target %v, problem %q, want %q", c.Target, c.TargetProblem, why)
	}
	if c.Facts.Traffic.BytesOut.IsKnown() {
		t.Errorf("traffic is %v", c.Facts.Traffic.BytesOut)
	}
}

// The address becomes a shared one while people are asked: the plan rests on
// traffic that is not known to be the host's any more.
func TestAnAddressThatBecomesSharedHoldsBack(t *testing.T) {
	t.Parallel()
	w, id := asked(t)
	w.do(time.Minute, func(e *memory.Estate) {
		set(t, e, incident.Asset{Role: incident.Known("workstation", incident.FromInventory), Tags: incident.Known([]string{"nat"}, incident.FromInventory)})
	})
	w.vote(2*time.Minute, id, &ballot{who: alice()})
	w.run(3 * time.Hour)
	w.contained(incident.Isolate, 0, 0)
	c := w.ended(id, incident.OutcomeNoTarget)
	if held := happened(c, incident.EvHeldBack); len(held) != 1 || !strings.Contains(held[0].Text, "source not attributable: 10.20.4.42 is the NAT address of ws-042") {
		t.Errorf("held back: %+v", held)
	}
}

// watched notes when it was asked for traffic, and by which limits.
type watched struct {
	*memory.Estate
	now   func() time.Time
	asked *time.Time
	query *integrations.TrafficQuery
}

func (s watched) Traffic(ctx context.Context, q integrations.TrafficQuery) (incident.Traffic, error) {
	if s.asked.IsZero() {
		*s.asked, *s.query = s.now(), q
	}
	return s.Estate.Traffic(ctx, q)
}

func watch(w *world) watched {
	s := watched{Estate: w.estate, now: w.activities.Now, asked: new(time.Time), query: new(integrations.TrafficQuery)}
	w.set.Add("flows", integrations.Spec{Kind: "memory"}, s)
	return s
}

// Traffic waits two seconds for an inventory that is down, however long the
// playbook would wait for the asset, and is then judged by the default limits.
func TestTrafficDoesNotWaitForABrokenInventory(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows", "asset:    { use: inventory, timeout: 5s }", "asset:    { use: inventory, timeout: 3m }")
	w.activities.Limits = traffic.LimitsByRole{traffic.DefaultLimits: {RequesterPeers: 77}}
	store := watch(w)
	w.estate.Fail("asset", down(), -1)
	w.open(alertFor("ws-042", "10.20.4.42"))
	w.run(time.Hour)
	if waited := store.asked.Sub(start); store.asked.IsZero() || waited > 3*time.Second {
		t.Errorf("traffic was asked for after %s", waited)
	}
	if store.query.Limits == nil || store.query.Limits.RequesterPeers != 77 {
		t.Errorf("it was asked for with %+v", store.query.Limits)
	}
}

func TestTrafficIsJudgedByTheLimitsOfTheAssetsRole(t *testing.T) {
	t.Parallel()
	for role, want := range map[string]string{"workstation": "requester", "scanner": "unknown", "": "requester"} {
		w := newWorld(t, memory.Flood, "high-egress-windows")
		scanner := traffic.DefaultRoleLimits()
		scanner.RequesterPeers, scanner.TransferPeers = 5000, 1
		w.activities.Limits = traffic.LimitsByRole{"scanner": scanner}
		if role != "" {
			set(t, w.estate, incident.Asset{Role: incident.Known(role, incident.FromInventory)})
		} else {
			roleUnknown(t, w.estate)
		}
		id := w.open(alertFor("ws-042", "10.20.4.42"))
		w.run(time.Hour)
		if got, _ := w.see(id).Facts.Traffic.Role.Get(); got != want {
			t.Errorf("traffic of a %q is of the role %q, want %q", role, got, want)
		}
	}
}
