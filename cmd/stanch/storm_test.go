package main_test

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"testing"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	stormAlerts  = 500
	stormSenders = 32
	// killAfter is how many alerts are accepted before the process is killed.
	killAfter = 150
)

// storm is many alerts for a few hosts, and what became of each.
type storm struct {
	*site
	mu sync.Mutex
	// went is the case that each accepted alert went to.
	went map[string]api.CaseRef
	// refused are the answers other than 202, of a process that lives.
	refused []int
}

// send sends every alert of the storm once and returns when all were answered,
// or not.
func (s *storm) send() {
	hosts := []struct{ id, ip string }{
		{"ws-042", "10.20.4.42"}, {"ws-017", "10.20.4.17"}, {"srv-dc-01", "10.20.1.5"}, {"srv-backup-01", "10.20.1.30"},
	}
	next := make(chan int)
	var senders sync.WaitGroup
	for range stormSenders {
		senders.Go(func() {
			for i := range next {
				host := hosts[i%len(hosts)]
				id := fmt.Sprintf("storm-%03d", i)
				ref, status := s.site.send(id, host.id, host.ip)
				s.mu.Lock()
				switch status {
				case http.StatusAccepted:
					s.went[id] = ref
				case 0:
				default:
					s.refused = append(s.refused, status)
				}
				s.mu.Unlock()
			}
		})
	}
	for i := range stormAlerts {
		next <- i
	}
	close(next)
	senders.Wait()
}

func (s *storm) accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.went)
}

// where returns the runs in which each alert is, over all cases.
func (s *storm) where() map[string][]string {
	s.t.Helper()
	var list api.CaseList
	if status := s.get("/v1/cases?limit=1000", &list); status != http.StatusOK || list.More {
		s.t.Fatalf("list the cases: status %d, more %t", status, list.More)
	}
	found := map[string][]string{}
	for _, summary := range list.Cases {
		var c incident.Case
		s.get("/v1/cases/"+summary.ID+"?run="+url.QueryEscape(summary.Run), &c)
		for _, key := range c.AlertKeys {
			found[key] = append(found[key], summary.ID+" "+summary.Run)
		}
	}
	return found
}

// TestKilledInAStorm kills the process while hundreds of alerts come in. What
// was accepted is in its case afterwards; what was not is sent again, as every
// other alert is, and is then in one case, once.
func TestKilledInAStorm(t *testing.T) {
	t.Parallel()
	s := &storm{site: newSite(t), went: map[string]api.CaseRef{}}
	s.start("")
	var sent sync.WaitGroup
	sent.Go(s.send)
	s.until("the storm to rise", func() bool { return s.accepted() >= killAfter })
	s.kill()
	sent.Wait()
	before := s.accepted()
	if before == stormAlerts {
		t.Fatal("the storm was over before the process was killed")
	}
	s.start("")
	s.until("what was accepted to be in its case", func() bool {
		found := s.where()
		for id, ref := range s.went {
			if !slices.ContainsFunc(found["siem/"+id], func(at string) bool { return at == ref.ID+" "+ref.Run }) {
				return false
			}
		}
		return true
	})
	s.send()
	if s.accepted() != stormAlerts || len(s.refused) > 0 {
		t.Fatalf("%d of %d alerts were accepted in the end, refused were %v", s.accepted(), stormAlerts, s.refused)
	}
	s.until("all alerts to be in a case", func() bool { return len(s.where()) == stormAlerts })
	for key, runs := range s.where() {
		if len(runs) != 1 {
			t.Errorf("alert %s is in %d cases: %q", key, len(runs), runs)
		}
	}
	s.until("the flood to be contained", func() bool { return s.see(floodCase).Status == incident.Contained })
	for _, action := range []incident.Action{incident.RateLimit, incident.Isolate} {
		if n := s.effects("apply", action); n != 1 {
			t.Errorf("%s was applied %d times", action, n)
		}
	}
	t.Logf("%d of %d alerts were accepted before the kill", before, stormAlerts)
	s.stop()
}
