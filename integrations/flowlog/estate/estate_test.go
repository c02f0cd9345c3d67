package estate_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/file"
	"github.com/stanch-soar/stanch/integrations/flowlog/estate"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// small is an estate that takes no time.
func small(t testing.TB, seed uint64) *estate.Estate {
	t.Helper()
	return made(t, estate.Config{Seed: seed, Hosts: estate.MinHosts, Days: 14, Flows: 120_000})
}

func made(t testing.TB, c estate.Config) *estate.Estate {
	t.Helper()
	e, err := estate.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// digest is of all that the estate says.
func digest(t *testing.T, e *estate.Estate) [sha256.Size]byte {
	t.Helper()
	sum := sha256.New()
	for r := range e.Records() {
		fmt.Fprintln(sum, r)
	}
	truth, err := json.Marshal(e.Truth(e.Start(), e.End()))
	if err != nil {
		t.Fatal(err)
	}
	sum.Write(truth)
	sum.Write(e.InventoryYAML())
	sum.Write(e.RulesCSV())
	return [sha256.Size]byte(sum.Sum(nil))
}

func TestTheSeedDecides(t *testing.T) {
	first := digest(t, small(t, 1))
	if again := digest(t, small(t, 1)); again != first {
		t.Error("the same seed made another estate")
	}
	if other := digest(t, small(t, 2)); other == first {
		t.Error("another seed made the same estate")
	}
}

func TestConfigs(t *testing.T) {
	for _, c := range []estate.Config{{Hosts: estate.MinHosts - 1}, {Hosts: 4001}, {Days: estate.MinDays - 1}, {Days: 371}, {Flows: -1}} {
		if _, err := estate.New(c); err == nil {
			t.Errorf("an estate of %+v was made", c)
		}
	}
	e := made(t, estate.Config{Seed: 1})
	if n := len(e.Hosts()); n != 2003 {
		t.Errorf("the whole estate has %d hosts, proxies and NATs, want 2003", n)
	}
	if days := e.End().Sub(e.Start()); days != 30*24*time.Hour {
		t.Errorf("the whole estate lasts %s", days)
	}
}

// The smallest estate has room for everything, whatever the seed.
func TestEverySeedHasEachKind(t *testing.T) {
	var kinds []string
	for seed := range uint64(30) {
		e := made(t, estate.Config{Seed: seed, Hosts: estate.MinHosts, Days: estate.MinDays, Flows: 1000})
		truth := e.Truth(e.Start(), e.End())
		var found []string
		for _, p := range slices.Concat(truth.Attacks, truth.Benign, truth.Openings) {
			found = append(found, string(p.Class)+" "+p.Kind)
		}
		slices.Sort(found)
		found = slices.Compact(found)
		if seed == 0 {
			kinds = found
		}
		if !slices.Equal(found, kinds) {
			t.Errorf("seed %d has %q, seed 0 has %q", seed, found, kinds)
		}
		roles, exits := map[string]bool{}, map[incident.Exit]bool{}
		for _, c := range truth.Cells {
			roles[c.Role], exits[c.Exit] = true, true
		}
		if len(roles) != 8 || len(exits) != 4 {
			t.Errorf("seed %d has roles %v and exits %v", seed, roles, exits)
		}
		for list, names := range map[string][]string{"no agent": truth.NoAgent, "silent": truth.Silent, "no sensor": truth.NoSensor, "shared": truth.Shared} {
			if len(names) == 0 {
				t.Errorf("seed %d has no host: %s", seed, list)
			}
		}
		if len(truth.Restart.Subjects) < 5 {
			t.Errorf("seed %d: the restart is of %d subjects", seed, len(truth.Restart.Subjects))
		}
	}
	if len(kinds) != 26+11+17 {
		t.Errorf("there are %d kinds: %q", len(kinds), kinds)
	}
}

func TestRecordsAreInOrderAndRight(t *testing.T) {
	e := small(t, 3)
	sensors := map[string]int{}
	var last time.Time
	for r := range e.Records() {
		if err := r.Check(); err != nil {
			t.Fatalf("%+v: %v", r, err)
		}
		if r.Start.Before(last) {
			t.Fatalf("a record of %s comes after one of %s", r.Start, last)
		}
		last = r.Start
		sensors[r.Sensor]++
		if (r.Device != "") != (r.Sensor == "proxy-zurich") {
			t.Fatalf("%s says that %q sent", r.Sensor, r.Device)
		}
		if r.Sensor == "vpc-cloud" && !r.Single || r.Sensor == "rt-singapore" && r.Sampling != 64 || r.Sensor == "rt-singapore-lab" && r.Sampling != 4096 {
			t.Fatalf("%s wrote %+v", r.Sensor, r)
		}
	}
	for _, s := range e.Sensors() {
		if sensors[s.Name] == 0 {
			t.Errorf("%s recorded nothing", s.Name)
		}
	}
}

// A window by itself is the same as that part of everything.
func TestBetween(t *testing.T) {
	e := small(t, 4)
	restart := e.Truth(e.Start(), e.End()).Restart.At
	for _, w := range [][2]time.Time{
		{e.Start().Add(50*time.Hour + 3*time.Minute), e.Start().Add(53*time.Hour + 20*time.Minute)},
		{restart.Add(-time.Minute), restart.Add(time.Minute)},
		{e.End().Add(-15 * time.Minute), e.End().Add(time.Hour)},
		{e.Start().Add(-time.Hour), e.Start().Add(time.Hour)},
	} {
		var want, got []flowmath.Record
		for r := range e.Records() {
			if !r.Start.Before(w[0]) && r.Start.Before(w[1]) {
				want = append(want, r)
			}
		}
		for r := range e.Between(w[0], w[1]) {
			got = append(got, r)
		}
		if len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("from %s to %s there are %d records, and %d of all", w[0], w[1], len(got), len(want))
		}
	}
}

// What a restarted sensor writes again is what it saw since the day began, in a minute.
func TestRestart(t *testing.T) {
	e := made(t, estate.Small(8))
	r := e.Truth(e.Start(), e.End()).Restart
	ours := func(a netip.Addr) bool { return e.Networks()[0].Contains(a) }
	left := map[netip.Addr]int64{}
	for f := range e.Between(r.Since, r.At) {
		if f.Sensor == r.Sensor && ours(f.Src) {
			left[f.Src] += f.Orig.IPBytes
		}
	}
	again, records := map[netip.Addr]int64{}, int64(0)
	for f := range e.Between(r.At, r.At.Add(time.Minute)) {
		if f.Sensor == r.Sensor && ours(f.Src) {
			again[f.Src] += f.Orig.IPBytes
			records++
		}
	}
	if records < r.Records || r.Records < int64(len(r.Subjects)) {
		t.Errorf("%d records were written, %d of %d subjects again", records, r.Records, len(r.Subjects))
	}
	for _, subject := range r.Subjects {
		if again[subject] < left[subject]*99/100 || left[subject] == 0 {
			t.Errorf("of %s %d were written again, and %d had left", subject, again[subject], left[subject])
		}
	}
}

func TestInventory(t *testing.T) {
	e := small(t, 5)
	path := filepath.Join(t.TempDir(), "assets.yaml")
	if err := os.WriteFile(path, e.InventoryYAML(), 0o600); err != nil {
		t.Fatal(err)
	}
	inventory, err := file.New(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range e.Hosts() {
		asset, err := inventory.Asset(t.Context(), integrations.EndpointQuery{Name: h.Name})
		if err != nil {
			t.Fatal(err)
		}
		role, _ := asset.Role.Get()
		site, _ := asset.Site.Get()
		owner, _ := asset.Owner.Get()
		if role != h.Role || site != h.Site || owner != h.Owner || (len(asset.Agents) > 0) != h.Filtered {
			t.Errorf("%s is %+v in the inventory", h.Name, asset)
		}
		now := h.Addr(e.End().Add(-time.Second)).String()
		if _, err := inventory.Asset(t.Context(), integrations.EndpointQuery{IPs: []string{now}}); err != nil {
			t.Errorf("the address %s of %s: %v", now, h.Name, err)
		}
	}
}

// At no time do two hosts have one address, and some change theirs.
func TestAddresses(t *testing.T) {
	e := made(t, estate.Config{Seed: 6, Flows: 1})
	moved := 0
	for _, h := range e.Hosts() {
		if len(h.Addresses) > 1 {
			moved++
		}
	}
	if moved == 0 {
		t.Error("no host changes its address")
	}
	for at := e.Start(); at.Before(e.End()); at = at.Add(13 * time.Hour) {
		owner := map[netip.Addr]string{}
		for _, h := range e.Hosts() {
			for _, a := range []netip.Addr{h.Addr(at), h.V6} {
				if other, taken := owner[a]; taken && a.IsValid() {
					t.Fatalf("%s and %s both have %s", h.Name, other, a)
				}
				owner[a] = h.Name
			}
		}
	}
}

func TestRulesets(t *testing.T) {
	e := small(t, 7)
	for _, r := range e.Rules() {
		for name, text := range map[string][]byte{"nftables": e.RulesNFT(), "CSV": e.RulesCSV()} {
			if !bytes.Contains(text, []byte(r.ID)) || !bytes.Contains(text, []byte(r.Purpose)) {
				t.Errorf("%s lacks the rule %s", name, r.ID)
			}
		}
	}
}

func BenchmarkRecords(b *testing.B) {
	e := made(b, estate.Small(1))
	n := 0
	for b.Loop() {
		for range e.Records() {
			n++
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "records/s")
}

func BenchmarkTruth(b *testing.B) {
	e := made(b, estate.Small(1))
	flows := int64(0)
	for b.Loop() {
		for _, h := range e.Truth(e.Start(), e.End()).Hosts {
			flows += h.Flows
		}
	}
	b.ReportMetric(float64(flows)/b.Elapsed().Seconds(), "flows/s")
}
