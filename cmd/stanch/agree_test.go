package main_test

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

var (
	kills = flag.Int("kills", 10, "how often the process is killed in the random schedule")
	seed  = flag.Uint64("seed", 0, "the seed of the random schedule; 0 is a new one")
)

// randomPlaybook contains the host of every alert; gate is before the
// isolation.
func randomPlaybook(name, gate string) string {
	return fmt.Sprintf(`apiVersion: stanch/v1
kind: Playbook
name: %[1]s
owner: secops
description: Contains the host of every alert.
mode: enforce
trigger: { match: "alert.category == '%[1]s'", subject: alert.host.id }
enrich:
  endpoint: { use: edr, timeout: 20s, required: true }
  asset: { use: inventory, timeout: 1s }
  traffic: { use: flows, timeout: 20s, with: { window: 15m, top: 20 } }
guardrails:
  - { name: infrastructure, deny: "asset.role == 'hypervisor'", because: It takes others down. }
unsure: on-call
decide:
  - { rule: otherwise, severity: high, because: The schedule says so., do: [throttle, %[2]scut-off] }
steps:
  throttle: { action: rate_limit, use: gateway, with: { rate: 2Mbit }, ttl: 15s, unsure: act, verify: { egress_below: 3Mbit, within: 10s } }
  cut-off: { action: isolate, use: edr, ttl: 2h, verify: { egress_below: 1Mbit, within: 10s } }
approvals:
  on-call:
    ask: { slack: '#sec-oncall' }
    approvers: { group: sec-oncall }
    expire_after: 1h
`, name, gate)
}

// schedule is a random one: what happens to a site, and how often it did.
type schedule struct {
	*site
	dice     *rand.Rand
	accepted map[string]bool
	counts   map[string]int
	paused   bool
}

// slowness is what makes a process stand still where it is killed.
func slowness() []string {
	return []string{
		"", "delay: { apply isolate: 2s }", "delay_answer: { apply isolate: 2s }", "delay: { asset: 2s }", "delay: { read: 500ms }",
		"delay: { apply rate_limit: 2s }", "delay_answer: { undo: 2s }", "delay: { undo: 1s }", "delay: { endpoints: 300ms }",
	}
}

func hosts() map[string]string {
	return map[string]string{"ws-042": "10.20.4.42", "ws-017": "10.20.4.17", "srv-dc-01": "10.20.1.5", "srv-backup-01": "10.20.1.30"}
}

// TestTheRecordAndTheWorldAgree kills the process at random, between and during
// what people and sources do at random. In the end the state of the estate is
// what the leases hold and what the cases say, nothing stands that people
// denied, and every alert that was accepted is in a case.
func TestTheRecordAndTheWorldAgree(t *testing.T) {
	t.Parallel()
	from := cmp.Or(*seed, rand.Uint64())
	t.Logf("%d kills by the seed %d", *kills, from)
	s := &schedule{site: newSite(t), dice: rand.New(rand.NewPCG(from, 0)), accepted: map[string]bool{}, counts: map[string]int{}}
	if err := os.RemoveAll(s.path("playbooks")); err != nil {
		t.Fatal(err)
	}
	s.write("playbooks/acts.yaml", randomPlaybook("acts", ""))
	s.write("playbooks/asks.yaml", randomPlaybook("asks", "{ approve: on-call }, "))
	for range *kills {
		s.start(slowness()[s.dice.IntN(len(slowness()))])
		for end := time.After(s.upTo(2 * time.Second)); ; {
			s.something()
			select {
			case err := <-s.exited:
				s.exited <- err
				t.Fatalf("the process ended by itself: %v", err)
			case <-end:
			case <-time.After(s.upTo(80 * time.Millisecond)):
				continue
			}
			break
		}
		s.kill()
	}
	s.start("")
	if s.paused {
		s.until("containment to be resumed", func() bool { return s.said("resume", "/v1/resume", api.ReasonRequest{Reason: "it goes on"}) })
	}
	killed := time.Now()
	s.settle()
	t.Logf("%s after the last start they agree; %v; applied %d, undone %d, standing %d",
		time.Since(killed).Round(time.Second), s.counts, s.effects("apply", ""), s.effects("undo", ""), len(s.world()))
	for _, what := range []string{"alert", "approve", "deny", "close", "release", "pause", "resume"} {
		if *kills >= 100 && s.counts[what] == 0 {
			t.Errorf("no one could %s", what)
		}
	}
	s.stop()
}

// upTo is a random time.
func (s *schedule) upTo(most time.Duration) time.Duration {
	return time.Duration(s.dice.Int64N(int64(most)))
}

// settleWithin is how long it takes at most until nothing is under way: two steps
// of a case come one after the other, and each is tried for two and a half minutes.
const settleWithin = 6 * time.Minute

// settle waits until the estate, the leases and the cases agree.
func (s *schedule) settle() {
	s.t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(settleWithin)
	for {
		last := s.difference()
		if last == "" {
			return
		}
		select {
		case err := <-s.exited:
			s.exited <- err
			s.t.Fatalf("the process ended: %v", err)
		case <-deadline:
			for _, c := range s.cases() {
				if c.Status != incident.Closed {
					s.t.Logf("case %s is %s, with the steps %+v", c.ID, c.Status, c.Steps)
					s.showTimeline(c)
				}
			}
			s.t.Fatalf("%s after the last start: %s", settleWithin, last)
		case <-tick.C:
		}
	}
}

// something has somebody do something.
func (s *schedule) something() {
	switch n := s.dice.IntN(100); {
	case n < 30:
		s.raise()
	case n < 45:
		s.answer(true)
	case n < 60:
		s.answer(false)
	case n < 70:
		if c, ok := pick(s.dice, s.cases()); ok && c.Status != incident.Closed {
			s.said("close", "/v1/cases/"+c.ID+"/close", api.ReasonRequest{Reason: "false alarm"})
		}
	case n < 85:
		var list api.LeaseList
		s.get("/v1/leases", &list)
		if l, ok := pick(s.dice, list.Leases); ok {
			s.said("release", "/v1/leases/release", api.LeaseRequest{ID: l.ID, Reason: "it is clean"})
		}
	case s.paused:
		s.paused = !s.said("resume", "/v1/resume", api.ReasonRequest{Reason: "it goes on"})
	case n < 92:
		// One whose answer is lost may have been heard.
		s.paused = true
		s.said("pause", "/v1/pause", api.ReasonRequest{Reason: "change freeze"})
	}
}

func pick[T any](dice *rand.Rand, from []T) (T, bool) {
	if len(from) == 0 {
		var none T
		return none, false
	}
	return from[dice.IntN(len(from))], true
}

// said posts as alice, and reports whether it was heard.
func (s *schedule) said(what, path string, body any) bool {
	status := s.post(path, tokenOf(alice), body, nil)
	if status >= 300 || status == 0 {
		// Resuming without a pause is a conflict, which is fine too.
		return what == "resume" && status == http.StatusConflict
	}
	s.counts[what]++
	return true
}

func (s *schedule) raise() {
	host, _ := pick(s.dice, slices.Sorted(maps.Keys(hosts())))
	category, _ := pick(s.dice, []string{"acts", "asks"})
	id := fmt.Sprintf("r-%d", s.counts["raised"])
	s.counts["raised"]++
	status := s.post("/v1/alerts/siem", sourceToken, map[string]any{
		"id": id, "category": category, "rule": "Large outbound traffic",
		"host": map[string]any{"id": host, "name": host + ".corp.example", "ip": []string{hosts()[host]}, "os": "windows"},
	}, nil)
	if status == http.StatusAccepted {
		s.accepted["siem/"+id] = true
		s.counts["alert"]++
	}
}

// answer answers a question that is open.
func (s *schedule) answer(yes bool) {
	open := slices.DeleteFunc(s.cases(), func(c incident.Case) bool {
		return !slices.ContainsFunc(c.Approvals, func(a incident.Approval) bool { return a.State == incident.Pending })
	})
	c, ok := pick(s.dice, open)
	if !ok {
		return
	}
	if s.vote(c.ID, alice, yes) == http.StatusOK {
		s.counts[map[bool]string{true: "approve", false: "deny"}[yes]]++
	}
}

// cases are all cases, also those that have closed.
func (s *schedule) cases() []incident.Case {
	var list api.CaseList
	s.get("/v1/cases?limit=1000", &list)
	var all []incident.Case
	for _, summary := range list.Cases {
		var c incident.Case
		if s.get("/v1/cases/"+summary.ID+"?run="+url.QueryEscape(summary.Run), &c) == http.StatusOK {
			all = append(all, c)
		}
	}
	return all
}

// world is what stands, by the journal of the estate.
func (s *schedule) world() []string {
	s.t.Helper()
	data, err := os.ReadFile(s.path("estate.jsonl"))
	if err != nil {
		s.t.Fatal(err)
	}
	stands := map[string]int{}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var entry struct{ Effect *memory.Effect }
		if json.Unmarshal(lines.Bytes(), &entry) != nil || entry.Effect == nil {
			continue
		}
		switch e := entry.Effect; e.Op {
		case "apply":
			stands[e.Key]++
		case "undo":
			stands[e.Key]--
		}
	}
	maps.DeleteFunc(stands, func(_ string, n int) bool { return n == 0 })
	for id, n := range stands {
		if n != 1 {
			s.t.Fatalf("%s was applied %d times more than it was undone", id, n)
		}
	}
	return slices.Sorted(maps.Keys(stands))
}

// difference describes in what the estate, the leases, the cases and the sources
// do not agree; nothing is empty.
func (s *schedule) difference() string {
	var list api.LeaseList
	if s.get("/v1/leases", &list) != http.StatusOK || len(list.Unread) > 0 {
		return "the leases cannot be read"
	}
	var held []string
	for _, l := range list.Leases {
		switch {
		case l.Phase == incident.Applying && len(l.Holders) == 0:
			// Its holder was killed: it applies nothing, and ends.
			continue
		case l.Phase != incident.Confirmed:
			return fmt.Sprintf("%s is %s", l.ID, l.Phase)
		}
		held = append(held, l.ID)
	}
	said, wrong := map[string]bool{}, []string{}
	joined := map[string]bool{}
	for _, c := range s.cases() {
		for _, key := range c.AlertKeys {
			joined[key] = true
		}
		wrong = append(wrong, mistakes(c)...)
		for _, step := range c.Steps {
			if step.Status == incident.StepStanding {
				said[step.Lease] = true
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(s.accepted)) {
		if !joined[key] {
			wrong = append(wrong, "alert "+key+" is in no case")
		}
	}
	slices.Sort(held)
	world, cases := s.world(), slices.Sorted(maps.Keys(said))
	if !slices.Equal(world, held) || !slices.Equal(world, cases) {
		wrong = append(wrong, fmt.Sprintf("the estate has %q, the leases hold %q, the cases say %q", world, held, cases))
	}
	return strings.Join(wrong, "; ")
}

// mistakes are what no case may say when nothing is under way.
func mistakes(c incident.Case) []string {
	var wrong []string
	if c.Status == incident.Working {
		wrong = append(wrong, "case "+c.ID+" is at work")
	}
	denied := false
	for _, step := range c.Steps {
		if step.Approve != "" {
			denied = step.Status == incident.StepFailed
		}
		if denied && step.Status == incident.StepStanding {
			wrong = append(wrong, "case "+c.ID+" holds "+step.Name+", which was denied")
		}
	}
	for _, e := range c.Timeline {
		if e.Kind == incident.EvNotEffective || strings.Contains(e.Text, "0001-01-01") {
			wrong = append(wrong, "case "+c.ID+" says "+e.Text)
		}
	}
	return wrong
}
