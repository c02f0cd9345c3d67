package workflows_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// That a case is undecided still is no news, however often its facts are asked
// for; that an alert changed nothing is in its record.
func TestUndecidedStillIsNoNews(t *testing.T) {
	t.Parallel()
	w, id := blinded(t)
	alone := w.snap(50*time.Second, id)
	w.later(55*time.Second, id, another("a-2", incident.Firing))
	w.run(10 * time.Minute)
	if decided := happened(*alone, incident.EvDecided); len(decided) != 1 {
		t.Errorf("before the alert it was decided: %+v", decided)
	}
	c := w.see(id)
	if decided, kept := happened(c, incident.EvDecided), texts(c, incident.EvDecided, "no stricter"); len(decided) != 2 || len(kept) != 1 {
		t.Errorf("decided: %+v", decided)
	}
	if notices := w.told("/notice/", "asked for again until 03:03 UTC"); len(notices) == 0 {
		t.Errorf("people were told %+v", w.told("/notice/"))
	}
}

// While people are asked, an alert that leaves the case undecided leaves the
// question, also where less is missing, and facts that may come do not put the
// answer off.
func TestTheQuestionOfAnUndecidedCaseStays(t *testing.T) {
	t.Parallel()
	w, id := blinded(t)
	w.estate.Fail("asset", down(), -1)
	w.do(5*time.Minute, blind)
	w.later(6*time.Minute, id, another("a-2", incident.Firing))
	w.vote(7*time.Minute, id, &ballot{who: alice()})
	soon := w.snap(7*time.Minute+2*time.Second, id)
	w.run(10 * time.Minute)
	c := w.see(id)
	if len(c.Approvals) != 1 || c.Approvals[0].State != incident.Approved {
		t.Errorf("asked %+v", c.Approvals)
	}
	if waits := texts(c, incident.EvEnriched, "may still come"); len(waits) != 1 {
		t.Errorf("waited for facts: %q", waits)
	}
	if s := step(t, *soon, "throttle"); s.Status != incident.StepStanding {
		t.Errorf("two seconds after the yes throttle is %s", s.Status)
	}
	if told := w.told("/notice/", "alice approved the plan of rule amplification-from-a-workstation"); len(told) == 0 {
		t.Errorf("people were told %+v", w.told("/notice/"))
	}
}

// A stricter plan that may be needed takes the place of the one that people are
// asked about.
func TestAStricterQuestionTakesThePlace(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows",
		"  - rule: amplification-from-a-workstation", `  - rule: urgent-amplification
    when: alert.severity == 'critical' && traffic.role == 'requester'
    severity: critical
    because: As below, and the sender of the alert is sure.
    do: [throttle, cut-off, tell]

  - rule: amplification-from-a-workstation`, "do: [evidence, throttle, cut-off, tell]", "do: [throttle, tell]")
	w.estate.Fail("traffic", down(), -1)
	calm := alertFor("ws-042", "10.20.4.42")
	calm.Severity = incident.Known("low", incident.FromAlert)
	id := w.open(calm)
	w.explainOnFailure(id)
	first := w.snap(4*time.Minute, id)
	urgent := another("a-2", incident.Firing)
	urgent.Severity = incident.Known("critical", incident.FromAlert)
	w.later(5*time.Minute, id, urgent)
	w.run(15 * time.Minute)
	if len(first.Approvals) != 1 || slices.Contains(first.Approvals[0].Gates, "cut-off (isolate)") {
		t.Fatalf("asked first %+v", first.Approvals)
	}
	c := w.see(id)
	if len(c.Approvals) != 2 || c.Approvals[0].State != incident.Superseded || !slices.Contains(c.Approvals[1].Gates, "cut-off (isolate)") {
		t.Errorf("asked %+v", c.Approvals)
	}
}

// People have answered: what is known later no longer takes the place of their
// plan, where it would loosen it.
func TestAnAnsweredCaseIsNotSettledAgain(t *testing.T) {
	t.Parallel()
	w, id := blinded(t, "do: [evidence, throttle, cut-off, tell]", "do: [throttle, approve: two-people, cut-off, tell]")
	w.vote(4*time.Minute, id, &ballot{who: alice()})
	w.do(5*time.Minute, harmless(t))
	w.later(6*time.Minute, id, another("a-2", incident.Firing))
	w.run(10 * time.Minute)
	if c := w.see(id); len(c.Approvals) != 2 || c.Approvals[1].State != incident.Pending || len(texts(c, incident.EvDecided, "no stricter")) != 1 {
		t.Errorf("asked %+v, decided %q", c.Approvals, texts(c, incident.EvDecided, ""))
	}
	w.contained(incident.RateLimit, 1, 0)
}
