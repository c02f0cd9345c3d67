package main_test

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// moment is one at which a process that works on a case is killed. What the
// estate is slow at makes the process stand still there.
type moment struct {
	name string
	// slow is the estate's setting in the process that is killed; the next has
	// a quick one.
	slow string
	// asks puts an approval of two people before the isolation.
	asks bool
	// ttl is how long leases stand: 8s when it is not given.
	ttl string
	// before is what people do until then; each is tried until it succeeds.
	before []func(*site) bool
	// reached reports whether the moment has come; none: it has as soon as the
	// alert is accepted.
	reached func(*site, incident.Case) bool
	// down waits while nothing runs.
	down func(*site)
	// after is what people do when it runs again.
	after []func(*site) bool
}

func sawEvent(kind incident.EventKind, step string) func(*site, incident.Case) bool {
	return func(_ *site, c incident.Case) bool { return saw(c, kind, step) }
}

// votes has somebody approve. To say the same again is the same vote.
func votes(person string) func(*site) bool {
	return func(s *site) bool { return s.vote(floodCase, person, true) == http.StatusOK }
}

// changesMind has somebody deny who has approved, which is refused.
func changesMind(person string) func(*site) bool {
	return func(s *site) bool { return s.vote(floodCase, person, false) == http.StatusConflict }
}

// questionShown reports whether the question is in its channel. One that is
// decided before it could be shown is never posted.
func questionShown(s *site) bool { return s.effects("post", "") > 0 }

// leaseIn reports whether the lease of an action is in a phase, with so many
// effects of op so far: none is before the effect, one after it and before it
// is recorded.
func leaseIn(action incident.Action, phase incident.LeasePhase, op string, effects int) func(*site, incident.Case) bool {
	return func(s *site, _ incident.Case) bool {
		var list api.LeaseList
		s.get("/v1/leases", &list)
		in := func(l incident.Lease) bool { return l.Order.Action == action && l.Phase == phase }
		return slices.ContainsFunc(list.Leases, in) && s.effects(op, action) == effects
	}
}

func moments() []moment {
	return []moment{
		{name: "accepted", slow: "delay: { endpoints: 30s }"},
		{name: "joined, finding the device", slow: "delay: { endpoints: 30s }", reached: sawEvent(incident.EvJoined, "")},
		{name: "enriching", slow: "delay: { traffic: 30s }", reached: sawEvent(incident.EvJoined, "")},
		{name: "enriched and decided", slow: "delay: { collect: 30s }", reached: func(_ *site, c incident.Case) bool {
			return saw(c, incident.EvEnriched, "") && saw(c, incident.EvDecided, "")
		}},
		{name: "budget reserved", slow: "delay: { read: 30s }", reached: func(s *site, _ incident.Case) bool {
			var b protocol.BudgetState
			return s.get("/v1/budget", &b) == http.StatusOK && len(b.Reservations) == 1
		}},
		{name: "applying", slow: "delay: { apply rate_limit: 30s }", reached: leaseIn(incident.RateLimit, incident.Applying, "apply", 0)},
		{name: "applied, the answer is lost", slow: "delay_answer: { apply rate_limit: 30s }", reached: leaseIn(incident.RateLimit, incident.Applying, "apply", 1)},
		{name: "limit accepted", slow: "delay: { apply isolate: 30s }", reached: sawEvent(incident.EvAccepted, "throttle")},
		{name: "isolated, the answer is lost", slow: "delay_answer: { apply isolate: 30s }", reached: leaseIn(incident.Isolate, incident.Applying, "apply", 1)},
		{name: "isolation confirmed", reached: sawEvent(incident.EvConfirmed, "cut-off")},
		{name: "verified", ttl: "15s", reached: sawEvent(incident.EvVerified, "")},
		{
			name: "asked", asks: true, reached: sawEvent(incident.EvAsked, ""),
			after: []func(*site) bool{questionShown, votes(alice), votes(bob)},
		},
		{
			name: "one of two has voted", asks: true, before: []func(*site) bool{questionShown, votes(alice)},
			reached: sawEvent(incident.EvVoted, ""), after: []func(*site) bool{votes(alice), changesMind(alice), votes(bob)},
		},
		{
			name: "approved", asks: true, slow: "delay: { apply isolate: 30s }", before: []func(*site) bool{questionShown, votes(alice), votes(bob)},
			reached: sawEvent(incident.EvApproved, ""), after: []func(*site) bool{votes(bob), changesMind(bob)},
		},
		{
			name: "contained, and down until the leases have expired", ttl: "4s", reached: sawEvent(incident.EvAccepted, "cut-off"),
			down: func(s *site) {
				s.wait("the leases to expire", func() bool {
					return !slices.ContainsFunc(s.last.Steps, func(step incident.StepState) bool { return step.Until.After(time.Now()) })
				})
			},
		},
		{name: "undoing", ttl: "4s", slow: "delay: { undo: 30s }", reached: leaseIn(incident.Isolate, incident.Undoing, "undo", 0)},
		{name: "undone, the answer is lost", ttl: "4s", slow: "delay_answer: { undo: 30s }", reached: leaseIn(incident.Isolate, incident.Undoing, "undo", 1)},
		{name: "one of two given back", ttl: "4s", slow: "delay: { undo isolate: 30s }", reached: sawEvent(incident.EvGivenBack, "throttle")},
		{name: "closing", ttl: "4s", slow: "delay: { series: 30s }", reached: func(_ *site, c incident.Case) bool {
			return saw(c, incident.EvGivenBack, "throttle") && saw(c, incident.EvGivenBack, "cut-off")
		}},
		{name: "closed", ttl: "4s", reached: func(_ *site, c incident.Case) bool { return c.Status == incident.Closed }},
	}
}

// TestKilledAtEveryStep kills the process with SIGKILL at each step of a case.
// The next process must finish the case as if nothing had happened: one effect
// and one undo of each containment, one case, one question, its evidence.
func TestKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	for _, m := range moments() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, m.edits()...)
			s.start(m.slow)
			opened := s.alert("a-1", "ws-042", "10.20.4.42")
			s.each(m.before)
			s.until(m.name, func() bool {
				c := s.see(floodCase)
				return m.reached == nil || c.ID != "" && m.reached(s, c)
			})
			s.kill()
			if m.down != nil {
				m.down(s)
			}
			s.start("")
			// A sender whose connection broke sends again.
			if again := s.alert("a-1", "ws-042", "10.20.4.42"); again.ID != opened.ID || again.Run != opened.Run {
				t.Errorf("the alert went to %s %s, and sent again to %s %s", opened.ID, opened.Run, again.ID, again.Run)
			}
			s.each(m.after)
			s.until("the case to end", func() bool { return s.see(floodCase).EvidenceDir != "" })
			s.checkGivenBack(opened, m.asks)
			s.stop()
		})
	}
}

func (m moment) edits() []string {
	ttl := m.ttl
	if ttl == "" {
		ttl = "8s"
	}
	edits := []string{"ttl: 1h", "ttl: " + ttl, "ttl: 4h", "ttl: " + ttl}
	if m.asks {
		edits = append(edits, "do: [evidence, throttle, cut-off, tell]", "do: [evidence, throttle, { approve: two-people }, cut-off, tell]")
	}
	return edits
}

// each does its actions in order, each until it succeeds.
func (s *site) each(what []func(*site) bool) {
	s.t.Helper()
	for i, do := range what {
		s.until(fmt.Sprintf("people to do what they do, number %d", i+1), func() bool { return do(s) })
	}
}

// checkGivenBack wants the estate as a case leaves it that contained a host,
// and gave it back.
func (s *site) checkGivenBack(opened api.CaseRef, asked bool) {
	s.t.Helper()
	c := s.see(floodCase)
	if c.Outcome != incident.OutcomeGivenBack || c.Run != opened.Run {
		s.t.Errorf("the case ended as %q, run %s, want given_back of run %s", c.Outcome, c.Run, opened.Run)
	}
	for _, action := range []incident.Action{incident.RateLimit, incident.Isolate} {
		if made, undone := s.effects("apply", action), s.effects("undo", action); made != 1 || undone != 1 {
			s.t.Errorf("%s was applied %d times and undone %d times, want one and one", action, made, undone)
		}
	}
	if keys := []string{"siem/a-1"}; !slices.Equal(c.AlertKeys, keys) {
		s.t.Errorf("the case has the alerts %q, want %q", c.AlertKeys, keys)
	}
	var cases api.CaseList
	if s.get("/v1/cases", &cases); len(cases.Cases) != 1 {
		s.t.Errorf("there are %d cases, want one: %+v", len(cases.Cases), cases.Cases)
	}
	var leases api.LeaseList
	if status := s.get("/v1/leases", &leases); status != http.StatusOK || len(leases.Leases)+len(leases.Unread) != 0 {
		s.t.Errorf("leases that still run: %+v, status %d", leases, status)
	}
	var b protocol.BudgetState
	if s.get("/v1/budget", &b); len(b.Reservations) != 1 || b.Reservations[0].Action != incident.Isolate {
		s.t.Errorf("the budget counts %+v, want one isolation", b.Reservations)
	}
	s.checkTold(c, asked)
	s.checkEvidence(c)
}

// checkTold wants every message once, and of an approval two votes.
func (s *site) checkTold(c incident.Case, asked bool) {
	s.t.Helper()
	messages := 1
	if asked {
		messages = 2
		if len(c.Approvals) != 1 || len(c.Approvals[0].Votes) != 2 || c.Approvals[0].State != incident.Approved {
			s.t.Errorf("the approvals are %+v, want one with two votes", c.Approvals)
		}
	}
	if n := s.effects("post", ""); n != messages {
		s.t.Errorf("people got %d messages, want %d", n, messages)
	}
}

func (s *site) checkEvidence(c incident.Case) {
	s.t.Helper()
	record, err := os.ReadFile(filepath.Join(c.EvidenceDir, "case.json"))
	if err != nil || !strings.HasPrefix(c.EvidenceDir, s.path("data/evidence")) || !strings.Contains(string(record), c.Run) {
		s.t.Errorf("the evidence in %q has nothing of the case: %v", c.EvidenceDir, err)
	}
	for _, name := range []string{"artifacts/evidence-00.json", "artifacts/evidence-01.json", "alerts/0001.json", "SHA256SUMS"} {
		if _, err := os.Stat(filepath.Join(c.EvidenceDir, name)); err != nil {
			s.t.Errorf("the evidence lacks %s: %v", name, err)
		}
	}
}

// TestDownForLongerThanAStepMayTake kills the process while it isolates a host,
// and leaves it down until the step's time is over. The step has failed then and
// people are called; what it made in the meantime, or makes late, is lifted.
func TestDownForLongerThanAStepMayTake(t *testing.T) {
	t.Parallel()
	const stepMayTake = 3 * time.Second
	for _, m := range []moment{
		{name: "before the effect", slow: "delay: { apply isolate: 30s }", reached: leaseIn(incident.Isolate, incident.Applying, "apply", 0)},
		{name: "after the effect", slow: "delay_answer: { apply isolate: 30s }", reached: leaseIn(incident.Isolate, incident.Applying, "apply", 1)},
	} {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, append(m.edits(), "use: edr,     ttl: 8s", fmt.Sprintf("use: edr, ttl: 1h, timeout: %s", stepMayTake))...)
			s.start(m.slow)
			s.alert("a-1", "ws-042", "10.20.4.42")
			s.until(m.name, func() bool { return m.reached(s, s.see(floodCase)) })
			s.kill()
			over := time.Now().Add(stepMayTake)
			s.wait("the step's time to be over", func() bool { return time.Now().After(over) })
			s.start("")
			s.until("the case to end", func() bool { return s.see(floodCase).EvidenceDir != "" })
			if c := s.see(floodCase); c.Outcome != incident.OutcomeFailed || !saw(c, incident.EvPaged, "cut-off") {
				t.Errorf("the case ended as %q, want failed and somebody called", c.Outcome)
			}
			s.until("the lease to end", func() bool {
				var list api.LeaseList
				return s.get("/v1/leases", &list) == http.StatusOK && len(list.Leases)+len(list.Unread) == 0
			})
			if made, undone := s.effects("apply", incident.Isolate), s.effects("undo", incident.Isolate); made > 1 || made != undone {
				t.Errorf("the host was isolated %d times and given back %d times", made, undone)
			}
			s.stop()
		})
	}
}
