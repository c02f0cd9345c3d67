package main_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/service"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// TestClusterLosesAndDoublesNothing kills receivers and workers at random while alerts are
// sent, each of them at least once, and then replaces all of them by another build. Every
// accepted alert is in one case, every host has one case and was isolated once, by one key.
func TestClusterLosesAndDoublesNothing(t *testing.T) {
	const hosts, each = 42, 3
	// Few shards, so that it starts fast.
	f := newFarm(t, shipped(t).With("NUM_HISTORY_SHARDS", "4"), hosts)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	all := f.fleet(clusterNode, service.RoleReceiver, service.RoleReceiver, service.RoleWorker, service.RoleWorker)
	// The receivers are the first two, the workers the others.
	kills := slices.Concat(rand.Perm(len(all.nodes)), rand.Perm(2), rand.Perm(2))
	// Alerts of one host come at the same time and long after each other.
	order := rand.Perm(hosts * each)
	accepted := make([]api.CaseRef, hosts*each)
	next := make(chan int, len(accepted))
	var sent atomic.Int64
	var senders sync.WaitGroup
	failed := make(chan error, 8)
	for range cap(failed) {
		senders.Go(func() {
			for i := range next {
				ref, err := all.send(ctx, fmt.Sprintf("a-%d", i), i%hosts)
				if err != nil {
					failed <- err
					return
				}
				accepted[i] = ref
				sent.Add(1)
			}
		})
	}
	// A part of the alerts is on its way at each kill and each replacement.
	var ordered int
	under := func(load int, do func() error) {
		t.Helper()
		for range load {
			next <- order[ordered]
			ordered++
		}
		f.until(ctx, "alerts to be accepted", func() bool { return sent.Load() > int64(ordered-load) })
		if err := do(); err != nil {
			t.Fatal(err)
		}
	}
	load := len(accepted) / (1 + len(kills) + len(all.nodes))
	// All workers are gone before any of them learns that a host is isolated.
	answer := f.estate.withhold()
	t.Cleanup(answer)
	under(load, func() error {
		f.until(ctx, "an order whose answer is lost", func() bool { return f.estate.withheld() > 0 })
		return all.kill(2, 3)
	})
	answer()
	for _, i := range kills {
		under(load, func() error { return all.kill(i) })
	}
	program := anotherBuild(t)
	for i := range all.nodes {
		under(load, func() error { return all.roll(i, program) })
	}
	under(len(accepted)-ordered, func() error { return nil })
	close(next)
	senders.Wait()
	select {
	case err := <-failed:
		t.Fatal(err)
	default:
	}
	f.until(ctx, "every host to be isolated", func() bool { return f.estate.Count("apply", incident.Isolate) >= hosts })
	all.check(ctx, accepted, hosts)
}

// anotherBuild is the test's binary with other bytes at its end: the same code, which the
// engine takes for another build.
func anotherBuild(t *testing.T) string {
	t.Helper()
	self, err := exec.LookPath(clusterNode)
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), clusterNode)
	if err := os.WriteFile(path, append(program, "another build"...), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// check wants what was accepted to be where it belongs, once.
func (f *fleet) check(ctx context.Context, accepted []api.CaseRef, hosts int) {
	f.tb.Helper()
	runs := map[string]string{}
	for i, ref := range accepted {
		id, _ := clusterHost(i % hosts)
		if want := "cluster/" + id; ref.ID != want {
			f.tb.Errorf("alert %d went to case %s, not to %s", i, ref.ID, want)
		}
		if run, seen := runs[id]; seen && run != ref.Run {
			f.tb.Errorf("%s has two cases, %s and %s", id, run, ref.Run)
		}
		runs[id] = ref.Run
	}
	for i := range hosts {
		id, _ := clusterHost(i)
		var c incident.Case
		f.until(ctx, "the case of "+id+" to be contained", func() bool {
			err := f.ask(ctx, http.MethodGet, f.receiver(0)+"/v1/cases/cluster/"+id, tokenOf(alice), "", &c)
			return err == nil && c.Status == incident.Contained
		})
		if c.Run != runs[id] {
			f.tb.Errorf("the case of %s is run %s; its alerts were accepted by run %q", id, c.Run, runs[id])
		}
		var sent []int
		for a := i; a < len(accepted); a += hosts {
			sent = append(sent, a)
		}
		f.checkAlerts(c, sent)
		f.checkIsolation(c, id)
	}
	var list api.CaseList
	f.until(ctx, "all cases to be listed", func() bool {
		err := f.ask(ctx, http.MethodGet, f.receiver(0)+"/v1/cases?status=all&limit=1000", tokenOf(alice), "", &list)
		return err == nil && len(list.Cases) >= hosts
	})
	if len(list.Cases) != hosts {
		f.tb.Errorf("%d cases are listed, of %d hosts", len(list.Cases), hosts)
	}
}

// checkAlerts wants a case to have just the alerts that were sent about its host.
func (f *fleet) checkAlerts(c incident.Case, sent []int) {
	f.tb.Helper()
	keys := map[string]int{}
	for _, key := range c.AlertKeys {
		keys[key]++
	}
	for _, a := range sent {
		if n := keys[fmt.Sprintf("siem/a-%d", a)]; n != 1 {
			f.tb.Errorf("case %s has alert %d %d times", c.ID, a, n)
		}
	}
	if c.AlertCount != len(sent) || len(c.AlertKeys) != len(sent) {
		f.tb.Errorf("case %s counts %d alerts of %v, %d were accepted", c.ID, c.AlertCount, c.AlertKeys, len(sent))
	}
}

// checkIsolation wants a host to be isolated once, by one key, and its case to hold that
// as its own.
func (f *fleet) checkIsolation(c incident.Case, host string) {
	f.tb.Helper()
	var made, undone int
	for _, e := range f.estate.Effects() {
		switch {
		case e.Action != incident.Isolate || e.Target != host:
		case e.Op == "apply":
			made++
		case e.Op == "undo":
			undone++
		}
	}
	if made != 1 || undone != 0 {
		f.tb.Errorf("%s was isolated %d times and given back %d times", host, made, undone)
	}
	if keys := f.estate.ordered(host); len(keys) != 1 {
		f.tb.Errorf("%s was to be isolated by the keys %q, want one", host, keys)
	}
	if len(c.Steps) != 1 {
		f.tb.Errorf("case %s has %d steps, want one", c.ID, len(c.Steps))
		return
	}
	if s := c.Steps[0]; s.Status != incident.StepStanding || s.Lease == "" || s.Adopted {
		f.tb.Errorf("case %s: step %s is %s, of the lease %q, adopted %t; want one that stands and is its own", c.ID, s.Name, s.Status, s.Lease, s.Adopted)
	}
}
