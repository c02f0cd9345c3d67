package workflows_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// untouched asserts that nothing was done except to notify people.
func (w *world) untouched() {
	w.t.Helper()
	for _, e := range w.estate.Effects() {
		if e.Action != incident.Notify {
			w.t.Errorf("%s %s of %s was done", e.Op, e.Action, e.Target)
		}
	}
	if len(w.estate.Messages()) == 0 {
		w.t.Error("nobody was told")
	}
}

func TestNothingIsDoneWithoutAnExactTarget(t *testing.T) {
	t.Parallel()
	t.Run("two devices match", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, memory.Flood, "high-egress-windows")
		a := alertFor("ws-042", "10.20.4.17") // the address is another device's
		id := w.open(a)
		w.explainOnFailure(id)
		w.run(time.Hour)
		w.untouched()
		c := w.see(id)
		if c.Target != nil || len(c.Candidates) != 2 || c.TargetProblem != "2 devices match" {
			t.Errorf("target %v, candidates %d, problem %q", c.Target, len(c.Candidates), c.TargetProblem)
		}
		w.ended(id, incident.OutcomeNoTarget)
		if len(w.told("2 devices match")) == 0 {
			t.Error("the message does not say why")
		}
	})
	t.Run("only one identifier agrees", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, memory.Flood, "high-egress-windows")
		a := alertFor("ws-042", "192.0.2.9")
		a.Host.Name = incident.NotKnown[string]("the alert does not say")
		id := w.open(a)
		w.run(time.Hour)
		w.untouched()
		w.ended(id, incident.OutcomeExpired)
	})
	t.Run("only one identifier agrees, and the name is another", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, memory.Flood, "high-egress-windows")
		a := alertFor("ws-042", "192.0.2.9")
		a.Host.Name = incident.Known("laptop-7", incident.FromAlert)
		id := w.open(a)
		w.run(time.Hour)
		w.untouched()
		w.ended(id, incident.OutcomeNoTarget)
	})
	t.Run("the device changes while people are asked", func(t *testing.T) {
		t.Parallel()
		w, id := asked(t)
		w.vote(2*time.Minute, id, &ballot{who: alice()})
		w.do(time.Minute, func(e *memory.Estate) {
			// Another device takes the address: the alert's host is ambiguous now.
			err := e.AddHost(memory.Host{ID: "ws-900", Name: "ws-900.corp.example", IPs: []string{"10.20.4.42"}, OS: "windows"})
			if err != nil {
				t.Error(err)
			}
		})
		w.run(3 * time.Hour)
		w.contained(incident.Isolate, 0, 0)
		c := w.ended(id, incident.OutcomeNoTarget)
		if held := happened(c, incident.EvHeldBack); len(held) != 1 || !strings.Contains(held[0].Text, "2 devices match") {
			t.Errorf("held back: %+v", held)
		}
		if len(w.told("/notice/")) != 1 {
			t.Error("people were not told")
		}
	})
}

// A later look at the EDR that fails does not remove the plan's target: the
// approval is for that device, and it is looked up again before the action.
func TestThePlanKeepsItsTarget(t *testing.T) {
	t.Parallel()
	w, id := asked(t)
	w.do(time.Minute, func(e *memory.Estate) { e.Fail("endpoints", down(), -1) })
	w.later(2*time.Minute, id, another("a-2", incident.Firing))
	w.do(4*time.Minute, (*memory.Estate).Mend)
	w.vote(5*time.Minute, id, &ballot{who: alice()})
	w.run(10 * time.Minute)
	w.contained(incident.Isolate, 1, 0)
}

func TestADenyingGuardrailForbids(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	set(t, w.estate, incident.Asset{Role: incident.Known("domain_controller", incident.FromInventory)})
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.run(time.Hour)
	w.untouched()
	c := w.ended(id, incident.OutcomeDenied)
	if c.Decision.DeniedBy != "infrastructure" {
		t.Errorf("denied by %q", c.Decision.DeniedBy)
	}
}

// set gives the inventory an answer for ws-042.
func set(t *testing.T, e *memory.Estate, asset incident.Asset) {
	t.Helper()
	if err := e.SetFacts("ws-042", incident.Facts{Asset: asset}); err != nil {
		t.Error(err)
	}
}

// With the inventory down the guardrail is unknown: the reversible throttle is
// done, isolation is asked for, and the card says what is missing and why.
func TestAnInventoryThatIsDownAsks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	w.estate.Fail("asset", down(), -1)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	during := w.snap(5*time.Minute, id)
	w.run(20 * time.Minute)
	w.contained(incident.RateLimit, 1, 0)
	w.contained(incident.Isolate, 0, 0)
	if len(during.Decision.Unsure) == 0 || during.Decision.Unsure[0].Why != "inventory: unavailable" {
		t.Errorf("unsure of %+v", during.Decision.Unsure)
	}
	if during.Status != incident.Awaiting {
		t.Errorf("status %s", during.Status)
	}
}

func TestARequiredFactThatIsMissingDecidesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows", "timeout: 20s, with: { window", "timeout: 20s, required: true, with: { window")
	w.estate.Fail("traffic", integrations.Error{Kind: integrations.Denied}, -1)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.run(time.Hour)
	w.untouched()
	c := w.ended(id, incident.OutcomeCannotDecide)
	if len(c.Decision.Unsure) != 1 || c.Decision.Unsure[0] != (incident.Missing{Path: "traffic", Why: "flows: access denied"}) {
		t.Errorf("unsure of %+v", c.Decision.Unsure)
	}
}

func TestAPolicyThatFailsDoesNothing(t *testing.T) {
	t.Parallel()
	const sanctioned = `when: |
      process.path == r'C:\Program Files\Veeam\VeeamAgent.exe'
      && process.signed
      && vouched
`
	w := newWorld(t, memory.Flood, "high-egress-windows", sanctioned, "when: 1 / (traffic.flows - traffic.flows) > 0\n")
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	w.run(time.Hour)
	w.untouched()
	c := w.ended(id, incident.OutcomeError)
	if c.Decision.Error == "" || !strings.Contains(c.Decision.Error, "sanctioned-transfer") {
		t.Errorf("the error is %q, want one that names the rule", c.Decision.Error)
	}
}

// A playbook that this engine cannot read any more acts for nobody.
func TestAPlaybookThatDoesNotLoadDoesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	w.pin.Text = append(slices.Clone(w.pin.Text), "\nsurprise: true\n"...)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.run(time.Hour)
	w.untouched()
	c := w.ended(id, incident.OutcomeError)
	if strings.Contains(c.Decision.Error, "temporal") || c.Decision.Error == "" {
		t.Errorf("people read %q", c.Decision.Error)
	}
	if len(w.told("page/")) != 1 {
		t.Error("nobody was paged")
	}
}

// While people are asked, the host turns out to be a domain controller.
func TestGuardrailsAreAskedAgainRightBeforeTheAction(t *testing.T) {
	t.Parallel()
	w, id := asked(t)
	w.do(time.Minute, func(e *memory.Estate) {
		set(t, e, incident.Asset{Role: incident.Known("domain_controller", incident.FromInventory)})
	})
	yes := &ballot{who: alice()}
	w.vote(2*time.Minute, id, yes)
	w.run(3 * time.Hour)
	w.contained(incident.Isolate, 0, 0)
	c := w.ended(id, incident.OutcomeDenied)
	if held := happened(c, incident.EvHeldBack); !yes.counted || len(held) != 1 || !strings.Contains(held[0].Text, "infrastructure") {
		t.Errorf("vote %v, held back: %+v", yes.refused, held)
	}
}

func TestShadowTellsAndDoesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows", "mode: enforce", "mode: shadow")
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.run(time.Hour)
	w.untouched()
	c := w.ended(id, incident.OutcomeShadow)
	if c.Decision.Rule != "amplification-from-a-workstation" || len(happened(c, incident.EvShadowed)) != 3 {
		t.Errorf("rule %s, %d steps would have run", c.Decision.Rule, len(happened(c, incident.EvShadowed)))
	}
	if len(w.told("Shadow mode")) == 0 {
		t.Error("the message does not say that nothing was done")
	}
}

// Shadow mode asks nobody: an answer could do nothing.
func TestShadowAsksNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows", "mode: enforce", "mode: shadow")
	roleUnknown(t, w.estate)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.run(time.Hour)
	w.untouched()
	if c := w.ended(id, incident.OutcomeShadow); len(c.Approvals) != 0 {
		t.Errorf("asked %+v", c.Approvals)
	}
}

// A domain controller that reflects is closed at the edge, never isolated.
func TestAReflectingControllerIsNeverIsolated(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Reflecting, "reflecting-server")
	a := alertFor("srv-dc-01", "10.20.1.5")
	a.Category = incident.Known("reflection", incident.FromAlert)
	id := w.open(a)
	w.explainOnFailure(id)
	during := w.snap(10*time.Minute, id)
	w.run(30 * time.Hour)
	w.contained(incident.Isolate, 0, 0)
	w.contained(incident.Block, 1, 1)
	w.contained(incident.RateLimit, 1, 1)
	if s := step(t, *during, "close-port"); s.Filter == nil || s.Filter.LocalPort != 53 || s.Filter.Direction != incident.Inbound || s.Proof != incident.Verified {
		t.Errorf("after ten minutes close-port is %+v, %s %s", s.Filter, s.Proof, s.ProofDetail)
	}
	w.ended(id, incident.OutcomeGivenBack)
}

func TestKillProcessEndsTheProcessOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows",
		"do: [evidence, throttle, cut-off, tell]", "do: [end-it, tell]",
		"  evidence: {", "  end-it: { action: kill_process, use: edr }\n  evidence: {")
	w.estate.FailAfter("kill", integrations.Error{Kind: integrations.Ambiguous}, 1)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	w.run(time.Hour)
	if n := w.count("kill", incident.KillProcess); n != 1 {
		t.Errorf("the process was ended %d times", n)
	}
	if w.estate.Runs("ws-042", 7316, `C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe`) {
		t.Error("the process still runs")
	}
	w.ended(id, incident.OutcomeGivenBack)
}

// Who sends is not known, so there is no process to end, whatever the answer: the
// step fails with that word, and what comes after it is left out.
func TestAProcessThatIsNotKnownIsNotEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows", "do: [evidence, throttle, cut-off, tell]", "do: [end-it, cut-off, tell]",
		"&& traffic.attribution == 'exact'", "", "  evidence: {", "  end-it: { action: kill_process, use: edr }\n  evidence: {")
	w.estate.Fail("connections", integrations.Error{Kind: integrations.Denied}, -1)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	w.vote(time.Minute, id, &ballot{who: alice()})
	w.run(time.Hour)
	c := w.ended(id, incident.OutcomeFailed)
	if s := step(t, c, "end-it"); s.Status != incident.StepFailed || s.Problem != "process.pid is unknown (edr: access denied)" {
		t.Errorf("end-it is %s: %q", s.Status, s.Problem)
	}
	w.contained(incident.Isolate, 0, 0)
	if w.count("kill", incident.KillProcess) > 0 {
		t.Error("a process was ended")
	}
}
