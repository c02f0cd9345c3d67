package workflows_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// blinded is a flood that the flow store does not see: whether the rule for
// amplification holds is not known, and the one that is known to hold contains
// nothing.
func blinded(t *testing.T, edit ...string) (*world, string) {
	t.Helper()
	w := newWorld(t, memory.Flood, "high-egress-windows", edit...)
	blind(w.estate)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	return w, id
}

// blind leaves the flow store as all that is down.
func blind(e *memory.Estate) {
	e.Mend()
	e.Fail("traffic", down(), -1)
}

func sees(w *world) { w.do(time.Minute, (*memory.Estate).Mend) }

func TestABlindedFlowStoreHasPeopleAsked(t *testing.T) {
	t.Parallel()
	w, id := blinded(t)
	first := w.snap(time.Minute, id)
	during := w.snap(4*time.Minute, id)
	w.vote(5*time.Minute, id, &ballot{who: alice()})
	w.run(6 * time.Hour)

	if first.Status != incident.Working || len(first.Approvals) != 0 {
		t.Errorf("after a minute: %s, asked %+v", first.Status, first.Approvals)
	}
	d := first.Decision
	if d.Outcome != incident.Undecided || d.Unknown.Rule != "amplification-from-a-workstation" || strings.Contains(d.Because, "not shown to be abnormal") {
		t.Errorf("the decision is %s, %+v, because %q", d.Outcome, d.Unknown, d.Because)
	}
	if notices := w.told("/notice/", "Not decided", "traffic.role (flows: unavailable)"); len(notices) == 0 || notices[0].At.Sub(start) > 20*time.Second {
		t.Errorf("people were not told at once: %+v", w.told("/notice/"))
	}
	if len(w.told("not shown to be abnormal")) != 0 {
		t.Error("people were told what is not known to be true")
	}
	if len(during.Approvals) != 1 || during.Status != incident.Awaiting {
		t.Fatalf("after four minutes: %s, asked %+v", during.Status, during.Approvals)
	}
	a := during.Approvals[0]
	if a.Name != "on-call" || a.AskedAt.Sub(start) > 4*time.Minute ||
		!slices.ContainsFunc(a.Missing, func(m incident.Missing) bool { return m.Path == "traffic.role" && m.Why == "flows: unavailable" }) {
		t.Errorf("the question is %+v", a)
	}
	if want := []string{"evidence (collect)", "throttle (rate_limit to 2 Mbit/s)", "cut-off (isolate)", "tell (notify)"}; !slices.Equal(a.Gates, want) {
		t.Errorf("it lets %q run, want %q", a.Gates, want)
	}
	w.contained(incident.RateLimit, 1, 1)
	w.contained(incident.Isolate, 1, 1)
	for _, e := range w.estate.Effects() {
		if e.Action.Containing() && e.At.Before(start.Add(5*time.Minute)) {
			t.Errorf("%s was done before anybody said so", e.Action)
		}
	}
	w.ended(id, incident.OutcomeGivenBack)
}

func TestWhatPeopleSayOfAnUndecidedCase(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		votes   []*ballot
		outcome incident.CaseOutcome
	}{
		"no":      {[]*ballot{{who: alice(), deny: true}}, incident.OutcomeRefused},
		"nothing": {nil, incident.OutcomeUndecided},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := blinded(t)
			for _, b := range c.votes {
				w.vote(5*time.Minute, id, b)
			}
			w.run(time.Hour)
			w.contained(incident.RateLimit, 0, 0)
			w.contained(incident.Isolate, 0, 0)
			w.ended(id, c.outcome)
		})
	}
}

// Facts that come while they are asked for again decide, and nobody is asked.
func TestFactsThatComeLateDecide(t *testing.T) {
	t.Parallel()
	t.Run("and the host is contained", func(t *testing.T) {
		t.Parallel()
		w, id := blinded(t)
		sees(w)
		w.run(6 * time.Hour)
		w.contained(incident.Isolate, 1, 1)
		c := w.ended(id, incident.OutcomeGivenBack)
		if c.Decision.Rule != "amplification-from-a-workstation" || len(c.Approvals) != 0 {
			t.Errorf("rule %s, asked %+v", c.Decision.Rule, c.Approvals)
		}
	})
	t.Run("and there is nothing to do", func(t *testing.T) {
		t.Parallel()
		w, id := blinded(t)
		w.do(time.Minute, harmless(t))
		w.run(time.Hour)
		w.contained(incident.RateLimit, 0, 0)
		w.contained(incident.Isolate, 0, 0)
		c := w.ended(id, incident.OutcomeNothingToDo)
		if c.Decision.Rule != "otherwise" || len(c.Approvals) != 0 || len(w.told("/notice/", "not shown to be abnormal")) == 0 {
			t.Errorf("rule %s, asked %+v", c.Decision.Rule, c.Approvals)
		}
	})
	t.Run("and a guardrail forbids", func(t *testing.T) {
		t.Parallel()
		w, id := blinded(t)
		w.estate.Fail("asset", down(), -1)
		w.do(time.Minute, func(e *memory.Estate) {
			blind(e)
			set(t, e, incident.Asset{Role: incident.Known("domain_controller", incident.FromInventory)})
		})
		w.run(time.Hour)
		w.untouched()
		if c := w.ended(id, incident.OutcomeDenied); len(c.Approvals) != 0 {
			t.Errorf("asked %+v", c.Approvals)
		}
	})
	t.Run("from a store that lags", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, memory.Flood, "high-egress-windows")
		lagging := incident.Traffic{Freshness: incident.Known(start.Add(-8*time.Minute), incident.FromFlows)}
		incident.Explain(&lagging, "flows: newest record is 8m old")
		give(t, w.estate, lagging, incident.Baseline{})
		id := w.open(alertFor("ws-042", "10.20.4.42"))
		w.explainOnFailure(id)
		w.do(2*time.Minute, func(e *memory.Estate) { give(t, e, incident.Traffic{}, incident.Baseline{}) })
		w.run(time.Hour)
		if c := w.see(id); c.Decision.Rule != "amplification-from-a-workstation" || len(c.Approvals) != 0 {
			t.Errorf("rule %s, asked %+v", c.Decision.Rule, c.Approvals)
		}
		w.contained(incident.Isolate, 1, 0)
	})
}

func give(t *testing.T, e *memory.Estate, traffic incident.Traffic, baseline incident.Baseline) {
	t.Helper()
	if err := e.SetFacts("ws-042", incident.Facts{Traffic: traffic, Baseline: baseline}); err != nil {
		t.Error(err)
	}
}

// harmless mends the estate, and has the host send not much more than it does on
// other days.
func harmless(t *testing.T) func(*memory.Estate) {
	return func(e *memory.Estate) {
		e.Mend()
		give(t, e, incident.Traffic{
			BytesOut: incident.Known[int64](30<<20, incident.Assumed), Role: incident.Known("unknown", incident.Assumed),
		}, incident.Baseline{P99: incident.Known[int64](20<<20, incident.Assumed)})
	}
}

// A fact that comes while another does not leaves less unknown: people are told
// once, and asked about what is left.
func TestPartOfTheFactsMayCome(t *testing.T) {
	t.Parallel()
	w, id := blinded(t)
	w.estate.Fail("asset", down(), -1)
	w.do(time.Minute, blind)
	w.run(10 * time.Minute)
	a := w.pending(id)
	if a.Name != "on-call" || a.AskedAt.Sub(start) > 4*time.Minute || slices.ContainsFunc(a.Missing, func(m incident.Missing) bool { return m.Path == "asset.role" }) {
		t.Errorf("asked %+v", a)
	}
	if told := w.told("/notice/"); len(told) != 1 {
		t.Errorf("people were told %d times", len(told))
	}
	// What is told after a containment is no repeat of what was told before it.
	if !slices.Contains(a.Gates, "tell (notify)") {
		t.Errorf("it lets %q run", a.Gates)
	}
}

// What can never come is not waited for.
func TestWhatCannotComeIsAskedAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	w.estate.Fail("traffic", integrations.Error{Kind: integrations.Denied}, -1)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.run(time.Hour)
	c := w.ended(id, incident.OutcomeUndecided)
	if len(c.Approvals) != 1 || c.Approvals[0].AskedAt.Sub(start) > 5*time.Second {
		t.Errorf("asked %+v", c.Approvals)
	}
	w.untouched()
}

// Closing the case, or a new alert, does not wait for the facts.
func TestWaitingForFactsIsInterrupted(t *testing.T) {
	t.Parallel()
	t.Run("by closing", func(t *testing.T) {
		t.Parallel()
		w, id := blinded(t)
		refused := closeAt(w, 45*time.Second, id)
		w.run(time.Hour)
		if *refused != nil {
			t.Error(*refused)
		}
		c := w.ended(id, incident.OutcomeClosedByHand)
		if took := c.ClosedAt.Sub(start); took > time.Minute || len(c.Approvals) != 0 {
			t.Errorf("closed after %s, asked %+v", took, c.Approvals)
		}
	})
	t.Run("by an alert", func(t *testing.T) {
		t.Parallel()
		w, id := blinded(t)
		// Between two of the case's own looks the store answers truly only
		// a question about now.
		w.later(75*time.Second, id, another("a-2", incident.Firing))
		w.do(74*time.Second, (*memory.Estate).Mend)
		after := w.snap(80*time.Second, id)
		w.run(time.Hour)
		if after.Decision.Outcome != incident.Decided {
			t.Errorf("after the alert: %s", after.Decision.Outcome)
		}
		w.contained(incident.Isolate, 1, 0)
	})
	t.Run("and alerts do not put the question off", func(t *testing.T) {
		t.Parallel()
		w, id := blinded(t)
		for i := range 20 {
			w.later(time.Duration(i+1)*20*time.Second, id, another("storm-"+string(rune('a'+i)), incident.Firing))
		}
		w.run(10 * time.Minute)
		if c := w.see(id); len(c.Approvals) != 1 || c.Approvals[0].AskedAt.Sub(start) > 4*time.Minute {
			t.Errorf("asked %+v", c.Approvals)
		}
	})
	t.Run("by a new run of the engine, and goes on there", func(t *testing.T) {
		t.Parallel()
		w, id := blinded(t)
		w.yield(50*time.Second, protocol.CaseWorkflowID(id))
		w.do(100*time.Second, (*memory.Estate).Mend)
		w.run(10 * time.Minute)
		c := w.see(id)
		if c.Decision.Outcome != incident.Decided || len(c.Approvals) != 0 {
			t.Errorf("%s, asked %+v", c.Decision.Outcome, c.Approvals)
		}
		w.contained(incident.Isolate, 1, 0)
	})
}

// An alert that decides while people are asked makes the question void.
func TestAnAlertDecidesWhilePeopleAreAsked(t *testing.T) {
	t.Parallel()
	w, id := blinded(t)
	w.do(5*time.Minute, (*memory.Estate).Mend)
	w.later(6*time.Minute, id, another("a-2", incident.Firing))
	w.run(10 * time.Minute)
	c := w.see(id)
	if len(c.Approvals) != 1 || c.Approvals[0].State != incident.Superseded || c.Decision.Outcome != incident.Decided {
		t.Errorf("asked %+v, %s", c.Approvals, c.Decision.Outcome)
	}
	w.contained(incident.Isolate, 1, 0)
}

// In shadow mode nobody is asked, and people are told what would be.
func TestShadowAsksNobodyOfAnUndecidedCase(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	w.pin.Mode = playbooks.Shadow
	w.estate.Fail("traffic", down(), -1)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.run(time.Hour)
	w.untouched()
	c := w.ended(id, incident.OutcomeShadow)
	if len(c.Approvals) != 0 || len(w.told("/question/")) != 0 || len(w.told("/notice/", "Would be undecided")) != 1 || len(w.told("/notice/")) != 1 {
		t.Errorf("asked %+v, told %+v", c.Approvals, w.told("/notice/"))
	}
	if shadowed := happened(c, incident.EvShadowed); len(shadowed) != 1 || !strings.HasPrefix(shadowed[0].Text, "Would be undecided") {
		t.Errorf("%+v", shadowed)
	}
}

// The yes to an undecided case answers neither the rule's own gates nor the
// checks before an action.
func TestTheYesToAnUndecidedCaseIsNoBlankCheque(t *testing.T) {
	t.Parallel()
	const does = "do: [evidence, throttle, cut-off, tell]"
	t.Run("the rule's own gates ask", func(t *testing.T) {
		t.Parallel()
		w, id := blinded(t, does, "do: [throttle, approve: two-people, cut-off, tell]")
		w.vote(4*time.Minute, id, &ballot{who: alice()})
		during := w.snap(5*time.Minute, id)
		w.run(40 * time.Minute)
		if len(during.Approvals) != 2 || during.Approvals[1].Name != "two-people" || during.Approvals[1].State != incident.Pending {
			t.Errorf("asked %+v", during.Approvals)
		}
		w.contained(incident.RateLimit, 1, 0)
		w.contained(incident.Isolate, 0, 0)
	})
	t.Run("the same people are not asked twice", func(t *testing.T) {
		t.Parallel()
		w, id := blinded(t, does, "do: [evidence, { approve: on-call, if_denied: [tell] }, throttle, cut-off, tell]")
		w.vote(4*time.Minute, id, &ballot{who: alice()})
		w.run(10 * time.Minute)
		if c := w.see(id); len(c.Approvals) != 1 {
			t.Errorf("asked %+v", c.Approvals)
		}
		w.contained(incident.Isolate, 1, 0)
	})
	t.Run("a guardrail that holds by now", func(t *testing.T) {
		t.Parallel()
		w, id := blinded(t)
		w.do(4*time.Minute, func(e *memory.Estate) {
			set(t, e, incident.Asset{Role: incident.Known("domain_controller", incident.FromInventory)})
		})
		w.vote(5*time.Minute, id, &ballot{who: alice()})
		w.run(time.Hour)
		w.contained(incident.RateLimit, 0, 0)
		w.contained(incident.Isolate, 0, 0)
		w.ended(id, incident.OutcomeDenied)
	})
	t.Run("no exact target", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, memory.Flood, "high-egress-windows", "timeout: 20s, required: true }", "timeout: 20s }")
		w.estate.Fail("traffic", integrations.Error{Kind: integrations.Denied}, -1)
		id := w.open(alertFor("ws-042", "10.20.4.17")) // the address is another device's
		w.explainOnFailure(id)
		during := w.snap(time.Minute, id)
		w.vote(2*time.Minute, id, &ballot{who: alice()})
		w.run(time.Hour)
		w.contained(incident.RateLimit, 0, 0)
		w.contained(incident.Isolate, 0, 0)
		w.ended(id, incident.OutcomeNoTarget)
		if card := activities.CardOf(*during, 0); !strings.HasPrefix(card.Effect[0], "Nothing can be done to the host: no exact target, 2 devices match") {
			t.Errorf("the card says %q", card.Effect)
		}
	})
}

// A case whose playbook text names no approver any more ends undecided, and says so.
func TestAnUndecidedCaseThatCanAskNobodySaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	w.pin.Approvals = nil
	w.estate.Fail("traffic", integrations.Error{Kind: integrations.Denied}, -1)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.run(time.Hour)
	w.untouched()
	c := w.ended(id, incident.OutcomeUndecided)
	if failed := happened(c, incident.EvFailed); len(failed) != 1 || !strings.Contains(failed[0].Text, "Nobody could be asked") {
		t.Errorf("%+v", failed)
	}
}
