package workflows_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// optional makes the endpoint a fact that the playbook can do without.
func optional() []string {
	return []string{"timeout: 20s, required: true }", "timeout: 20s }"}
}

// needs are the edits of a playbook that requires the endpoint, and of one that
// does not.
func needs() map[string][]string { return map[string][]string{"required": nil, "optional": optional()} }

// withoutEDR is a flood whose alert comes while the EDR is down.
func withoutEDR(t *testing.T, edit ...string) (*world, string) {
	t.Helper()
	w := newWorld(t, memory.Flood, "high-egress-windows", edit...)
	w.estate.Fail("endpoints", down(), -1)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	return w, id
}

// The EDR is down when the alert comes, for less than three minutes: the flood is
// contained as if it had answered at once. People are told meanwhile.
func TestAnEDRThatWasDownIsAskedAgain(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string][]string{
		"required": nil, "optional": optional(), "optional, behind a gate": append(optional(), "ttl: 1h, unsure: act", "ttl: 1h"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := withoutEDR(t, edit...)
			w.do(time.Minute, (*memory.Estate).Mend)
			during, after := w.snap(50*time.Second, id), w.snap(80*time.Second, id)
			w.run(6 * time.Hour)
			if during.Status != incident.Working || len(during.Approvals) != 0 || len(during.Plan.Steps) > 0 && step(t, *during, during.Plan.Steps[0].Name).Status == incident.StepFailed {
				t.Errorf("meanwhile the case is %s, its steps are %+v, asked %+v", during.Status, during.Steps, during.Approvals)
			}
			if told := w.told("/notice/", "is asked for again until 03:03 UTC."); name == "required" && len(told) != 1 {
				t.Errorf("people were told %+v", w.told("/notice/"))
			}
			if s := step(t, *after, "cut-off"); s.Status != incident.StepStanding || after.Decision.Rule != "amplification-from-a-workstation" {
				t.Errorf("then cut-off is %s, rule %s", s.Status, after.Decision.Rule)
			}
			w.contained(incident.Isolate, 1, 1)
			w.contained(incident.RateLimit, 1, 1)
			if c := w.ended(id, incident.OutcomeGivenBack); len(c.Approvals) != 0 {
				t.Errorf("asked %+v", c.Approvals)
			}
		})
	}
}

// What does not come in three minutes is not waited for, and nothing is done to a
// device that is not known.
func TestAnEDRThatStaysDownIsGivenUp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		edit    []string
		fault   integrations.Error
		at      time.Duration
		outcome incident.CaseOutcome
	}{
		"required":             {nil, down(), 3*time.Minute + 35*time.Second, incident.OutcomeNoTarget},
		"optional":             {optional(), down(), 18*time.Minute + 35*time.Second, incident.OutcomeExpired},
		"required, and denied": {nil, integrations.Error{Kind: integrations.Denied}, 0, incident.OutcomeNoTarget},
		"optional, and denied": {optional(), integrations.Error{Kind: integrations.Denied}, 15 * time.Minute, incident.OutcomeExpired},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, memory.Flood, "high-egress-windows", c.edit...)
			w.estate.Fail("endpoints", c.fault, -1)
			id := w.open(alertFor("ws-042", "10.20.4.42"))
			w.explainOnFailure(id)
			w.run(time.Hour)
			w.untouched()
			closed := w.ended(id, c.outcome)
			if took := closed.ClosedAt.Sub(start).Round(time.Second); took != c.at || len(happened(closed, incident.EvDecided)) != 1 {
				t.Errorf("closed after %s, want %s; decided %+v", took, c.at, happened(closed, incident.EvDecided))
			}
		})
	}
}

// Where nothing is to be done to the device, it is not waited for.
func TestADeviceThatIsNotNeededIsNotWaitedFor(t *testing.T) {
	t.Parallel()
	w, id := withoutEDR(t, optional()...)
	set(t, w.estate, incident.Asset{Role: incident.Known("domain_controller", incident.FromInventory)})
	w.run(time.Hour)
	w.untouched()
	if c := w.ended(id, incident.OutcomeDenied); c.ClosedAt.Sub(start) > time.Minute {
		t.Errorf("closed after %s", c.ClosedAt.Sub(start))
	}
}

// Closing a case does not wait for the EDR, an alert asks it sooner, and a new
// run of the engine goes on waiting.
func TestWaitingForTheEDRIsInterrupted(t *testing.T) {
	t.Parallel()
	for name, edit := range needs() {
		t.Run(name+", closed", func(t *testing.T) {
			t.Parallel()
			w, id := withoutEDR(t, edit...)
			closeAt(w, 50*time.Second, id)
			w.run(time.Hour)
			w.contained(incident.RateLimit, 0, 0)
			w.contained(incident.Isolate, 0, 0)
			if c := w.ended(id, incident.OutcomeClosedByHand); c.ClosedAt.Sub(start) > time.Minute {
				t.Errorf("closed after %s", c.ClosedAt.Sub(start))
			}
		})
		t.Run(name+", an alert", func(t *testing.T) {
			t.Parallel()
			w, id := withoutEDR(t, edit...)
			w.later(2*time.Minute, id, another("a-2", incident.Firing))
			w.do(119*time.Second, (*memory.Estate).Mend)
			after := w.snap(140*time.Second, id)
			w.run(time.Hour)
			if s := step(t, *after, "cut-off"); s.Status != incident.StepStanding || after.AlertCount != 2 {
				t.Errorf("soon after cut-off is %s", s.Status)
			}
			w.contained(incident.Isolate, 1, 0)
		})
		t.Run(name+", a new run of the engine", func(t *testing.T) {
			t.Parallel()
			w, id := withoutEDR(t, edit...)
			w.yield(50*time.Second, protocol.CaseWorkflowID(id))
			w.do(2*time.Minute, (*memory.Estate).Mend)
			w.run(10 * time.Minute)
			w.contained(incident.Isolate, 1, 0)
		})
	}
}

// What is decided once the EDR answers holds: a guardrail denies, and what is not
// needed is not done.
func TestWhatTheEDRSaysLateIsHeeded(t *testing.T) {
	t.Parallel()
	for name, edit := range needs() {
		t.Run(name+", a guardrail denies", func(t *testing.T) {
			t.Parallel()
			w, id := withoutEDR(t, append(edit, "name: infrastructure\n    deny: ", "name: infrastructure\n    deny: endpoint.role == 'domain_controller' || ")...)
			w.do(time.Minute, func(e *memory.Estate) {
				e.Mend()
				if err := e.SetFacts("ws-042", incident.Facts{Endpoint: incident.Endpoint{Role: incident.Known("domain_controller", incident.FromEDR)}}); err != nil {
					t.Error(err)
				}
			})
			w.run(time.Hour)
			w.untouched()
			w.ended(id, incident.OutcomeDenied)
		})
		t.Run(name+", there is nothing to do", func(t *testing.T) {
			t.Parallel()
			w, id := withoutEDR(t, edit...)
			w.do(time.Minute, harmless(t))
			w.run(time.Hour)
			w.untouched()
			w.ended(id, incident.OutcomeNothingToDo)
		})
	}
}

// The device becomes known, and another case acts on it: this one is merged into
// that, and has no steps of its own.
func TestWhoWaitsForTheEDRDoesNotTakeTheDeviceOfAnother(t *testing.T) {
	t.Parallel()
	for name, edit := range needs() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, memory.Flood, "high-egress-windows", edit...)
			first := w.open(alertFor("ws-042", "10.20.4.42"))
			w.do(9*time.Minute, func(e *memory.Estate) { e.Fail("endpoints", down(), -1) })
			second := w.openAs(10*time.Minute, spelled("a-2", "WS-042.corp.example"))
			w.explainOnFailure(second)
			w.do(11*time.Minute, (*memory.Estate).Mend)
			w.run(20 * time.Minute)
			if c := w.ended(second, incident.OutcomeMerged); c.MergedInto.ID != first || slices.ContainsFunc(c.Steps, func(s incident.StepState) bool { return s.Action.Containing() }) {
				t.Errorf("merged into %v, with the steps %+v", c.MergedInto, c.Steps)
			}
			if c := w.see(first); !slices.Contains(c.AlertKeys, "siem/a-2") {
				t.Errorf("the first case has the alerts %v", c.AlertKeys)
			}
			w.contained(incident.Isolate, 1, 0)
			w.contained(incident.RateLimit, 1, 0)
		})
	}
}

// What can still come is waited for only where it says something about what is
// missing.
func TestOnlyWhatIsMissingIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	w.estate.Fail("traffic", integrations.Error{Kind: integrations.Denied}, -1)
	w.estate.Fail("baseline", down(), -1)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.run(10 * time.Minute)
	// The baseline itself is waited for as long as one answer may take.
	if a := w.pending(id); a.Name != "on-call" || a.AskedAt.Sub(start) > 45*time.Second {
		t.Errorf("asked %+v", a)
	}
}

// A store that has not heard of the moment yet is asked again where it does not
// know what the policy needs; one that knows it is taken at its word.
func TestAStoreThatLagsIsAskedAgain(t *testing.T) {
	t.Parallel()
	unknown := incident.Traffic{}
	incident.Explain(&unknown, "flows: the newest record is too old")
	for _, c := range []struct {
		name    string
		lag     time.Duration
		traffic func(*incident.Traffic)
		waits   bool
	}{
		{"eight minutes, nothing is known", 8 * time.Minute, func(*incident.Traffic) {}, true},
		{"eight minutes, the volume is known", 8 * time.Minute, func(f *incident.Traffic) {
			f.BytesOut, f.Flows = incident.Known[int64](3<<30, incident.FromFlows), incident.Known[int64](900, incident.FromFlows)
		}, true},
		{"a minute, nothing is known", time.Minute, func(*incident.Traffic) {}, true},
		{"a minute, and flows were seen", time.Minute, func(f *incident.Traffic) {
			f.Flows = incident.Known[int64](900, incident.FromFlows)
		}, false},
		{"no lag", -time.Second, func(*incident.Traffic) {}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, memory.Flood, "high-egress-windows")
			traffic := unknown
			traffic.Freshness = incident.Known(start.Add(-c.lag), incident.FromFlows)
			c.traffic(&traffic)
			give(t, w.estate, traffic, incident.Baseline{})
			id := w.open(alertFor("ws-042", "10.20.4.42"))
			w.explainOnFailure(id)
			w.run(10 * time.Minute)
			a := w.pending(id)
			var waits time.Duration
			if c.waits {
				waits = 3 * time.Minute
			}
			if waited := a.AskedAt.Sub(start).Round(time.Second); a.Name != "on-call" || waited != waits {
				t.Errorf("asked %q after %s, want %s", a.Name, waited, waits)
			}
		})
	}
}
