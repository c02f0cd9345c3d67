package workflows_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// deaf is a world like [wayBack] in which the agent of ws-042 is not heard while the host
// is isolated; its first case is open.
func deaf(t *testing.T, edit ...string) (*world, string) {
	t.Helper()
	w := wayBack(t, edit...)
	w.deafen(true)
	w.pinned()
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	return w, id
}

func (w *world) deafen(deaf bool) {
	w.t.Helper()
	if err := w.estate.Behave("ws-042", incident.Isolate, memory.Behaviour{Deaf: deaf}); err != nil {
		w.t.Fatal(err)
	}
}

// again is a second case about the device, an hour after the first has ended.
func (w *world) again() string {
	w.t.Helper()
	id := w.second(3*time.Hour, "heard_within: 15m", "heard_within: 5m", "rate: 256kbit }, ttl: 4h", "rate: 256kbit }, ttl: 2h")
	w.explainOnFailure(id)
	return id
}

// A device whose agent was not heard is not isolated by another case before people were
// asked, and told why. What takes the isolation's place does so meanwhile.
func TestADeviceThatWasNotHeardIsNotIsolatedAgainUnasked(t *testing.T) {
	t.Parallel()
	w, first := deaf(t)
	second := w.again()
	asked := w.snap(3*time.Hour+5*time.Minute, second)
	w.run(6 * time.Hour)
	w.ended(first, incident.OutcomeGivenBack)
	if s := step(t, *asked, "cut-off"); s.Status != incident.StepWaiting {
		t.Errorf("the isolation is %s, though its agent was not heard before", s.Status)
	}
	if s := step(t, *asked, "narrow"); s.Status != incident.StepStanding || s.Proof != incident.Verified || !s.StandsIn {
		t.Errorf("what takes its place is %s, %s", s.Status, s.Proof)
	}
	if len(asked.Approvals) != 1 || asked.Approvals[0].State != incident.Pending || len(asked.Approvals[0].Missing) != 1 ||
		asked.Approvals[0].Missing[0].Path != incident.HeardPath {
		t.Fatalf("people are asked %+v", asked.Approvals)
	}
	if want := []string{"cut-off (isolate)", "tell (notify)"}; !slices.Equal(asked.Approvals[0].Gates, want) {
		t.Errorf("they are asked about %q, want %q", asked.Approvals[0].Gates, want)
	}
	if why := asked.Approvals[0].Because; !strings.Contains(why, "edr had isolated the device at 2026-03-02T03:00:00Z and did not hear its agent within 5m") {
		t.Errorf("the question does not say that the agent was not heard: %s", why)
	}
	w.contained(incident.Isolate, 1, 1)
	c := w.ended(second, incident.OutcomeExpired)
	if s := step(t, c, "narrow"); s.EndedAt.Sub(s.AcceptedAt) < 2*time.Hour-time.Minute {
		t.Errorf("what takes its place was in place for %s, want 2h", s.EndedAt.Sub(s.AcceptedAt))
	}
}

// People may have it isolated nonetheless.
func TestPeopleMayHaveADeviceIsolatedThatWasNotHeard(t *testing.T) {
	t.Parallel()
	w, _ := deaf(t)
	second := w.again()
	w.do(150*time.Minute, func(*memory.Estate) { w.deafen(false) })
	w.vote(3*time.Hour+5*time.Minute, second, &ballot{who: alice()})
	later := w.snap(4*time.Hour, second)
	w.run(8 * time.Hour)
	if s := step(t, *later, "cut-off"); s.Status != incident.StepStanding || len(happened(*later, incident.EvHeard)) != 1 {
		t.Errorf("the isolation is %s, its agent heard: %v", s.Status, happened(*later, incident.EvHeard))
	}
	w.contained(incident.Isolate, 2, 2)
	w.ended(second, incident.OutcomeGivenBack)
}

// After a week it is forgotten.
func TestThatADeviceWasNotHeardIsForgotten(t *testing.T) {
	t.Parallel()
	w, _ := deaf(t)
	const week = 7 * 24 * time.Hour
	w.do(6*time.Hour, func(*memory.Estate) { w.deafen(false) })
	w.yield(time.Hour, protocol.BudgetID)
	second := w.second(week + 6*time.Minute)
	w.explainOnFailure(second)
	w.run(week + 6*time.Hour)
	w.contained(incident.Isolate, 2, 2)
	if c := w.ended(second, incident.OutcomeGivenBack); len(c.Approvals) > 0 {
		t.Errorf("people were asked %+v", c.Approvals)
	}
}

// What takes an isolation's place waits for no answer to another question, and is not left
// out when people say no.
func TestWhatTakesAnIsolationsPlaceWaitsForNobody(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		voted time.Duration
		deny  bool
	}{
		"approved": {7 * time.Minute, false}, "denied": {7 * time.Minute, true},
		// The gateway does not answer at first.
		"approved while it is taken": {5*time.Minute + 2*time.Second, false}, "denied while it is taken": {5*time.Minute + 2*time.Second, true},
		"approved as it comes": {5 * time.Minute, false}, "denied as it comes": {5 * time.Minute, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			edit := []string{"do: [evidence, throttle, cut-off, tell]", "do: [cut-off, { approve: on-call }, tell]"}
			if c.voted == 5*time.Minute {
				// The lease itself says nothing.
				edit = append(edit, "heard_within: 5m", "heard_within: 24h")
			}
			w, id := deaf(t, edit...)
			b, deny := &ballot{who: alice(), deny: c.deny}, c.deny
			w.estate.Fail("apply rate_limit", down(), 5)
			if c.voted != 5*time.Minute {
				w.vote(c.voted, id, b)
			} else {
				w.At(c.voted, func() {
					w.sayUnheard(id)
					w.cast("as it comes", id, b)
				})
			}
			asked, answered := w.snap(6*time.Minute, id), w.snap(8*time.Minute, id)
			w.run(3 * time.Hour)
			if s := step(t, *asked, "narrow"); s.Status != incident.StepStanding {
				t.Errorf("while people are asked it is %s", s.Status)
			}
			if s := step(t, *answered, "narrow"); s.Status != incident.StepStanding {
				t.Errorf("after their answer it is %s", s.Status)
			}
			want := incident.StepDone
			if deny {
				want = incident.StepSkipped
			}
			in := w.see(id)
			if s := step(t, in, "tell"); s.Status != want || !b.counted {
				t.Errorf("what was asked about is %s, want %s; the answer: %v", s.Status, want, b.refused)
			}
			if n := len(happened(in, incident.EvAsked)); n != 1 {
				t.Errorf("people were asked %d times", n)
			}
			if s := step(t, in, "narrow"); s.EndedAt.Sub(s.AcceptedAt) < 2*time.Hour-time.Minute {
				t.Errorf("it was in place for %s, want 2h", s.EndedAt.Sub(s.AcceptedAt))
			}
		})
	}
}

// sayUnheard tells the case what the lease would, that the agent was not heard.
func (w *world) sayUnheard(id string) {
	change := protocol.LeaseChange{
		Lease: leaseOf(incident.Isolate, "ws-042"), Step: "cut-off", Kind: incident.EvUnheard, At: w.Now(), Detail: "the agent was not heard",
	}
	if err := w.Signal(protocol.CaseWorkflowID(id), protocol.LeaseSignal, change); err != nil {
		w.t.Error(err)
	}
}

// As the case is about to ask people, what takes the isolation's place comes first, and
// the question is about what it was about.
func TestWhatTakesAnIsolationsPlaceComesBeforeAQuestion(t *testing.T) {
	t.Parallel()
	w, id := deaf(t, "do: [evidence, throttle, cut-off, tell]", "do: [cut-off, { approve: on-call }, tell]", "heard_within: 5m", "heard_within: 24h")
	said := false
	w.engine.onCall = func(c activities.Call) {
		if c.Update == protocol.WatchUpdate && !said {
			said = true
			w.At(0, func() { w.sayUnheard(id) })
		}
	}
	w.vote(2*time.Minute, id, &ballot{who: alice()})
	asked := w.snap(time.Minute, id)
	w.run(3 * time.Hour)
	if s := step(t, *asked, "narrow"); s.Status != incident.StepStanding {
		t.Errorf("what takes the isolation's place is %s", s.Status)
	}
	if a := asked.Approvals; len(a) != 1 || !slices.Equal(a[0].Gates, []string{"tell (notify)"}) {
		t.Errorf("people are asked %+v", a)
	}
	if s := step(t, w.see(id), "tell"); s.Status != incident.StepDone {
		t.Errorf("what people approved is %s", s.Status)
	}
}

// Nor is it left out where the step fails that was being carried out as it came.
func TestAFailureLeavesOutNothingThatTakesAnIsolationsPlace(t *testing.T) {
	t.Parallel()
	w, id := deaf(t, "do: [evidence, throttle, cut-off, tell]", "do: [cut-off, { approve: on-call }, hard, tell]", "steps:\n", "steps:\n"+
		"  hard: { action: block, use: gateway, timeout: 8s, with: { match: top_port }, ttl: 1h, verify: { egress_below: 3Mbit, within: 2m }, on_failure: stop }\n")
	w.estate.Fail("apply block", down(), -1)
	w.vote(4*time.Minute+55*time.Second, id, &ballot{who: alice()})
	at := w.snap(5*time.Minute+time.Second, id)
	w.run(3 * time.Hour)
	if s := step(t, *at, "hard"); s.Status != incident.StepRunning {
		t.Fatalf("as the agent is not heard the other step is %s", s.Status)
	}
	c := w.see(id)
	if hard, s := step(t, c, "hard"), step(t, c, "narrow"); hard.Status != incident.StepFailed || s.EndedAt.Sub(s.AcceptedAt) < 2*time.Hour-time.Minute {
		t.Errorf("the other step is %s, and what takes the isolation's place was in place for %s, want 2h", hard.Status, s.EndedAt.Sub(s.AcceptedAt))
	}
}

// A step that is in place already and takes an isolation's place goes on for its own time.
func TestAStepThatStandsTakesAnIsolationsPlace(t *testing.T) {
	t.Parallel()
	w, id := deaf(t, "fallback: narrow", "fallback: throttle")
	w.run(3 * time.Hour)
	c := w.ended(id, incident.OutcomeGivenBack)
	w.contained(incident.RateLimit, 1, 1)
	var throttles []incident.StepState
	for _, s := range c.Steps {
		if s.Name == "throttle" {
			throttles = append(throttles, s)
		}
	}
	if len(throttles) != 2 || throttles[1].Status != incident.StepDone || throttles[0].Status != incident.StepEnded {
		t.Fatalf("the throttles are %+v", throttles)
	}
	if got := throttles[0].EndedAt.Sub(start); got < 65*time.Minute || got > 67*time.Minute {
		t.Errorf("the throttle ended after %s, want an hour after it took the isolation's place", got)
	}
}

// One that stands longer than it would is left alone.
func TestAStepThatStandsLongerIsLeftAlone(t *testing.T) {
	t.Parallel()
	w, id := deaf(t, "fallback: narrow", "fallback: less", "steps:\n", "steps:\n"+
		"  less: { action: rate_limit, use: gateway, with: { rate: 2Mbit }, ttl: 10m, verify: { egress_below: 3Mbit, within: 2m } }\n")
	w.run(3 * time.Hour)
	c := w.ended(id, incident.OutcomeGivenBack)
	w.contained(incident.RateLimit, 1, 1)
	if n := len(texts(c, incident.EvPaged, "stands in its place already")); n != 1 {
		t.Errorf("people were told %d times that a throttle is in place", n)
	}
	if s := step(t, c, "throttle"); s.EndedAt.Sub(start) < time.Hour {
		t.Errorf("the throttle ended after %s, want an hour", s.EndedAt.Sub(start))
	}
}

// An answer that people give while the case looks at a later alert is taken.
func TestAnAnswerWhileTheCaseLooksElsewhereIsTaken(t *testing.T) {
	t.Parallel()
	w := wayBack(t, "do: [evidence, throttle, cut-off, tell]", "do: [{ approve: on-call }, cut-off, tell]")
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	w.do(2*time.Minute, func(e *memory.Estate) { e.Fail("endpoints", down(), 5) })
	w.later(2*time.Minute, id, another("a-2", incident.Firing))
	b := &ballot{who: alice()}
	w.vote(2*time.Minute+500*time.Millisecond, id, b)
	w.run(5 * time.Hour)
	c := w.see(id)
	if !b.counted || len(happened(c, incident.EvAsked)) != 1 {
		t.Errorf("the answer counts: %t (%v), and people were asked %d times", b.counted, b.refused, len(happened(c, incident.EvAsked)))
	}
	w.contained(incident.Isolate, 1, 1)
}

// What takes an isolation's place and is held back itself is left out, once.
func TestWhatTakesAnIsolationsPlaceIsHeldBackOnce(t *testing.T) {
	t.Parallel()
	w, id := deaf(t, "do: [evidence, throttle, cut-off, tell]", "do: [cut-off, tell]")
	w.pause(time.Minute)
	w.run(3 * time.Hour)
	c := w.see(id)
	if held := happened(c, incident.EvHeldBack); len(held) != 1 || c.Status != incident.Closed {
		t.Errorf("the case is %s, held back: %+v", c.Status, held)
	}
	if s := step(t, c, "narrow"); s.Status != incident.StepSkipped || !s.HeldBack {
		t.Errorf("what takes its place is %s", s.Status)
	}
}
