package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// wayBack is a world in which an isolation of ws-042 is undone where the agent is not
// heard within 5 minutes, and a stricter limit takes its place; edit changes the playbook.
func wayBack(t *testing.T, edit ...string) *world {
	t.Helper()
	return newWorld(t, memory.Flood, "high-egress-windows", append([]string{
		"heard_within: 15m", "heard_within: 5m", "rate: 256kbit }, ttl: 4h", "rate: 256kbit }, ttl: 2h",
	}, edit...)...)
}

func TestAnAgentThatIsHeardKeepsTheIsolation(t *testing.T) {
	t.Parallel()
	w := wayBack(t)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	w.run(5 * time.Hour)
	c := w.ended(id, incident.OutcomeGivenBack)
	if heard := happened(c, incident.EvHeard); len(heard) != 1 {
		t.Errorf("the agent was heard %d times in the case, want once", len(heard))
	} else if after := heard[0].At.Sub(start).Truncate(time.Second); after != 45*time.Second {
		t.Errorf("the agent was heard after %s, want 45s: no sooner sign counts", after)
	}
	if s := step(t, c, "cut-off"); s.EndedAt.Sub(s.AcceptedAt) < 4*time.Hour-time.Minute {
		t.Errorf("the isolation was in place for %s, want 4h", s.EndedAt.Sub(s.AcceptedAt))
	}
	w.contained(incident.Isolate, 1, 1)
}

// An agent that the isolation cut off from its cloud could not be told to give
// back: it is undone in time, and the fallback holds the flood.
func TestAnAgentThatIsNotHeardEndsTheIsolation(t *testing.T) {
	t.Parallel()
	w := wayBack(t)
	if err := w.estate.Behave("ws-042", incident.Isolate, memory.Behaviour{Deaf: true}); err != nil {
		t.Fatal(err)
	}
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	before, after := w.snap(4*time.Minute, id), w.snap(10*time.Minute, id)
	w.run(5 * time.Hour)
	if s := step(t, *before, "cut-off"); s.Status != incident.StepStanding {
		t.Errorf("after 4 minutes the isolation is %s", s.Status)
	}
	s := step(t, *after, "cut-off")
	if s.Status != incident.StepEnded || !strings.Contains(s.Problem, "not heard within 5m") {
		t.Errorf("after 10 minutes the isolation is %s (%s)", s.Status, s.Problem)
	}
	if f := step(t, *after, "narrow"); f.Status != incident.StepStanding || f.Rate != 256_000 || f.Proof != incident.Verified {
		t.Errorf("the fallback is %s at %d bit/s, %s; want it standing at 256000, effective", f.Status, f.Rate, f.Proof)
	}
	w.contained(incident.Isolate, 1, 1)
	c := w.ended(id, incident.OutcomeGivenBack)
	if f := step(t, c, "narrow"); f.EndedAt.Sub(f.AcceptedAt) < 2*time.Hour-time.Minute {
		t.Errorf("the fallback was in place for %s, want 2h", f.EndedAt.Sub(f.AcceptedAt))
	}
	if len(happened(c, incident.EvUnheard)) != 1 || len(w.told("narrow", "takes its place")) == 0 {
		t.Errorf("people were not told that the fallback takes its place")
	}
}

// What is not known to be lost is not undone: a product that does not answer says
// nothing of the agent.
func TestAnAgentOfWhichNothingIsKnownKeepsTheIsolation(t *testing.T) {
	t.Parallel()
	w := wayBack(t)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	w.do(10*time.Second, func(e *memory.Estate) { e.Fail("read isolate", down(), -1) })
	soon := w.snap(20*time.Minute, id)
	w.run(30 * time.Minute)
	if s := step(t, *soon, "cut-off"); s.Status != incident.StepStanding {
		t.Errorf("the isolation is %s, though nothing is known of the agent", s.Status)
	}
	if got := texts(*soon, incident.EvUntold, "agent"); len(got) != 1 {
		t.Errorf("the case says %d times that it cannot tell, want once", len(got))
	}
}

// Where it is not known how the agent reaches its cloud, people are asked before
// the host is cut off.
func TestAnUnknownRouteAsksBeforeAnIsolation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	err := w.estate.SetFacts("ws-042", incident.Facts{Endpoint: incident.Endpoint{Route: incident.NotKnown[string]("the EDR does not say")}})
	if err != nil {
		t.Fatal(err)
	}
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	soon := w.snap(2*time.Minute, id)
	w.run(3 * time.Minute)
	if s := step(t, *soon, "cut-off"); s.Status != incident.StepWaiting || len(happened(*soon, incident.EvAsked)) == 0 {
		t.Errorf("the isolation is %s, asked: %v; want people to be asked first", s.Status, happened(*soon, incident.EvAsked))
	}
	if got := texts(*soon, incident.EvDecided, "endpoint.route is unknown"); len(got) == 0 {
		t.Errorf("the decision does not say that endpoint.route is unknown")
	}
	w.contained(incident.Isolate, 0, 0)
}
