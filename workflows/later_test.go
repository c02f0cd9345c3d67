package workflows_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func TestARepeatChangesNothing(t *testing.T) {
	t.Parallel()
	w, id := asked(t)
	before := w.snap(2*time.Minute, id)
	w.later(3*time.Minute, id, another("a-1", incident.Firing))
	after := w.snap(6*time.Minute, id)
	w.run(10 * time.Minute)
	if len(after.AlertKeys) != 1 || len(after.Timeline) != len(before.Timeline)+1 { // the reminder
		t.Errorf("the repeat left %+v", after.Timeline[len(before.Timeline):])
	}
}

// A storm of alerts is decided at most once a minute.
func TestAStormIsDecidedOnceAMinute(t *testing.T) {
	t.Parallel()
	w, id := asked(t)
	for i := range 60 {
		w.later(2*time.Minute+time.Duration(i)*2*time.Second, id, another(fmt.Sprintf("storm-%d", i), incident.Firing))
	}
	w.run(8 * time.Minute)
	c := w.see(id)
	decided := happened(c, incident.EvDecided)
	if len(c.AlertKeys) != 61 || len(decided) < 2 || len(decided) > 4 {
		t.Errorf("%d alerts were decided %d times", len(c.AlertKeys), len(decided))
	}
	for i := range decided[1:] {
		if pause := decided[i+1].At.Sub(decided[i].At); pause < time.Minute {
			t.Errorf("decided again after %s", pause)
		}
	}
	w.contained(incident.RateLimit, 1, 0)
}

// Of a later decision only what is stricter is carried out.
func TestALaterDecisionMayOnlyGetStricter(t *testing.T) {
	t.Parallel()
	t.Run("stricter is carried out at once", func(t *testing.T) {
		t.Parallel()
		// At first the flow store does not answer: nobody knows what flows, and
		// the host is throttled only.
		w := newWorld(t, memory.Flood, "high-egress-windows", "not shown to be abnormal.\n    do: [tell]", "not shown to be abnormal.\n    do: [throttle]")
		w.estate.Fail("traffic", down(), -1)
		id := w.open(alertFor("ws-042", "10.20.4.42"))
		w.explainOnFailure(id)
		first := w.snap(2*time.Minute, id)
		w.do(3*time.Minute, (*memory.Estate).Mend)
		w.later(4*time.Minute, id, another("a-2", incident.Firing))
		then := w.snap(6*time.Minute, id)
		w.run(5 * time.Hour)
		if first.Decision.Rule != "otherwise" || first.Status != incident.Contained {
			t.Errorf("at first: %s", first.Decision.Rule)
		}
		if then.Decision.Rule != "amplification-from-a-workstation" {
			t.Errorf("then: %s", then.Decision.Rule)
		}
		w.contained(incident.Isolate, 1, 1)
		w.contained(incident.RateLimit, 1, 1)
		w.ended(id, incident.OutcomeGivenBack)
	})
	t.Run("a question about the old plan is void", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, memory.Flood, "high-egress-windows", "    severity: high\n    because: Far above what this host ever sent, by a process that nobody vouched for.\n    do:\n      - throttle\n      - approve: on-call\n      - cut-off\n      - tell\n",
			"    severity: high\n    because: Far above.\n    do: [tell, approve: on-call, throttle]\n")
		roleUnknown(t, w.estate)
		id := w.open(alertFor("ws-042", "10.20.4.42"))
		w.explainOnFailure(id)
		late := &ballot{who: alice()}
		w.At(time.Minute, func() { late.plan = w.pending(id).PlanDigest })
		w.do(2*time.Minute, func(e *memory.Estate) {
			set(t, e, incident.Asset{Role: incident.Known("workstation", incident.FromInventory)})
		})
		w.later(3*time.Minute, id, another("a-2", incident.Firing))
		w.vote(5*time.Minute, id, late)
		w.run(10 * time.Minute)
		w.contained(incident.Isolate, 1, 0)
		c := w.see(id)
		if c.Approvals[0].State != incident.Superseded || late.counted {
			t.Errorf("the old question is %s, the late answer was counted: %v", c.Approvals[0].State, late.counted)
		}
		isRefused(t, late.refused, "not_pending")
	})
	t.Run("milder changes nothing", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, memory.Flood, "high-egress-windows")
		id := w.open(alertFor("ws-042", "10.20.4.42"))
		// Contained, the host sends little: the policy would only tell.
		w.later(30*time.Minute, id, another("a-2", incident.Firing))
		w.run(40 * time.Minute)
		c := w.see(id)
		if c.Decision.Rule != "amplification-from-a-workstation" || len(happened(c, incident.EvDecided)) != 2 {
			t.Errorf("decided %s, %d times", c.Decision.Rule, len(happened(c, incident.EvDecided)))
		}
		w.contained(incident.Isolate, 1, 0)
		w.contained(incident.RateLimit, 1, 0)
	})
}

// A milder decision does not take the place of a question that waits: a person who is
// asked about an isolation decides about the isolation.
func TestAMilderDecisionLeavesTheQuestion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows", "do: [evidence, throttle, cut-off, tell]", "do: [approve: on-call, cut-off, tell]",
		"  - rule: amplification-from-a-workstation\n", "  - rule: milder\n    when: alert.rule == 'Backup'\n    severity: low\n"+
			"    because: The backup says so.\n    do: [throttle]\n\n  - rule: amplification-from-a-workstation\n")
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	yes := &ballot{who: alice()}
	w.At(time.Minute, func() { yes.plan = w.pending(id).PlanDigest })
	milder := another("a-2", incident.Firing)
	milder.Rule = incident.Known("Backup", incident.FromAlert)
	w.later(2*time.Minute, id, milder)
	w.vote(5*time.Minute, id, yes)
	w.run(10 * time.Minute)
	c := w.see(id)
	if !yes.counted || len(happened(c, incident.EvDecided)) != 2 || c.Decision.Rule != "amplification-from-a-workstation" {
		t.Errorf("approved (%v), decided %d times, now by rule %s", yes.refused, len(happened(c, incident.EvDecided)), c.Decision.Rule)
	}
	w.contained(incident.RateLimit, 0, 0)
	w.contained(incident.Isolate, 1, 0)
}

func TestResolvedNeverLifts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.later(30*time.Minute, id, another("a-2", incident.Resolved))
	w.run(45 * time.Minute)
	c := w.see(id)
	if c.Status != incident.Contained || len(happened(c, incident.EvDecided)) != 1 || len(c.AlertKeys) != 2 {
		t.Errorf("status %s, decided %d times, %d alerts", c.Status, len(happened(c, incident.EvDecided)), len(c.AlertKeys))
	}
	w.contained(incident.Isolate, 1, 0)
}

// What a case keeps stays small, however many and however large the alerts are
// that join it.
func TestAStormDoesNotOutgrowTheCase(t *testing.T) {
	t.Parallel()
	w, id := asked(t)
	for batch := range 5 {
		var alerts []incident.Alert
		for i := range 500 {
			a := another(fmt.Sprintf("storm-%d-%d", batch, i), incident.Firing)
			if batch == 0 && i < 30 {
				a.Process.CommandLine = incident.Known(strings.Repeat("x", 20_000), incident.FromAlert)
			}
			alerts = append(alerts, a)
		}
		w.later(time.Minute+time.Duration(batch)*time.Second, id, alerts...)
	}
	w.run(5 * time.Minute)
	c := w.see(id)
	size := 0
	for _, a := range c.Alerts {
		command, _ := a.Process.CommandLine.Get()
		size += len(command)
	}
	if len(c.Alerts) > 20 || size > 256<<10 || len(c.AlertKeys) > 2000 {
		t.Errorf("the case keeps %d alerts with %d bytes, and %d keys", len(c.Alerts), size, len(c.AlertKeys))
	}
	if c.AlertCount != 2501 {
		t.Errorf("the case counts %d alerts of 2501", c.AlertCount)
	}
}

// The attacker's text is data: bounded, on one line, without control.
func TestForeignTextIsHarmless(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	a := alertFor("ws-042", "10.20.4.42")
	a.Rule = incident.Known("\x1b[31mred\u202e\n%s<!channel> "+strings.Repeat("long ", 2000), incident.FromAlert)
	id := w.open(a)
	w.run(10 * time.Minute)
	for _, e := range w.see(id).Timeline {
		if strings.ContainsAny(e.Text, "\x1b\n\u202e") || len(e.Text) > 1200 || strings.Contains(e.Text, "%!") {
			t.Errorf("the timeline holds %q", e.Text)
		}
	}
	for _, sent := range w.estate.Messages() {
		for _, line := range append(sent.Message.Lines, sent.Message.Title) {
			if strings.ContainsAny(line, "\x1b\n\u202e") || len(line) > 2100 {
				t.Errorf("a message holds %q", line)
			}
		}
	}
}

// What an earlier plan made and is over is made again where a later one wants it.
func TestWhatIsOverIsMadeAgainForAStricterPlan(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows",
		"not shown to be abnormal.\n    do: [tell]", "not shown to be abnormal.\n    do: [throttle, approve: on-call, evidence]")
	w.estate.Fail("traffic", down(), -1)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	released := w.change(2*time.Minute, leaseOf(incident.RateLimit, "ws-042"), protocol.ReleaseUpdate,
		protocol.ReleaseRequest{By: "bob", Reason: "the wrong host"})
	w.do(3*time.Minute, (*memory.Estate).Mend)
	w.later(4*time.Minute, id, another("a-2", incident.Firing))
	w.run(10 * time.Minute)
	if c := w.see(id); *released != nil || c.Decision.Rule != "amplification-from-a-workstation" {
		t.Errorf("released (%v), then rule %s", *released, c.Decision.Rule)
	}
	w.contained(incident.RateLimit, 2, 1)
	w.contained(incident.Isolate, 1, 0)
}

// What people approved though it was unknown, they approved for that plan: where
// it is unknown again they are asked again.
func TestWhatWasAnsweredForThePlanBeforeIsAskedAgain(t *testing.T) {
	t.Parallel()
	w, id := asked(t,
		"      traffic.role == 'requester'\n      && traffic.attribution == 'exact'\n      && asset.role == 'workstation'\n", "      alert.rule == 'Flood'\n",
		"do: [evidence, throttle, cut-off, tell]", "do: [approve: two-people, cut-off, tell]",
		"      - throttle\n      - approve: on-call\n      - cut-off\n      - tell\n", "      - throttle\n", "ttl: 1h, unsure: act,", "ttl: 1h,")
	yes := &ballot{who: alice()}
	w.vote(time.Minute, id, yes)
	role := func(after time.Duration, is incident.Value[string]) {
		w.do(after, func(e *memory.Estate) { set(t, e, incident.Asset{Role: is}) })
	}
	role(2*time.Minute, incident.Known("workstation", incident.FromInventory))
	flood := another("a-2", incident.Firing)
	flood.Rule = incident.Known("Flood", incident.FromAlert)
	w.later(3*time.Minute, id, flood)
	role(5*time.Minute, incident.NotKnown[string]("the inventory does not say"))
	w.leads(6*time.Minute, id)
	w.run(10 * time.Minute)
	if c := w.see(id); !yes.counted || c.Decision.Rule != "amplification-from-a-workstation" || w.pending(id).Name != "on-call" {
		t.Errorf("approved (%v), then rule %s, and the case asks %q", yes.refused, c.Decision.Rule, w.pending(id).Name)
	}
	w.contained(incident.RateLimit, 1, 0)
	w.contained(incident.Isolate, 0, 0)
}
