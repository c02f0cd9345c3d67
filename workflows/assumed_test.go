package workflows_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/workflows"
)

// addDevice adds a flooding workstation of which the EDR's id is not its name.
func (w *world) addDevice(id, name, ip string) {
	w.t.Helper()
	known := func(s string) incident.Value[string] { return incident.Known(s, incident.FromInventory) }
	if err := w.estate.AddHost(memory.Host{
		ID: id, Name: name, IPs: []string{ip}, OS: "windows", Role: "workstation",
		Asset: incident.Asset{Role: known("workstation"), Site: known("berlin")},
	}); err != nil {
		w.t.Fatal(err)
	}
	if err := w.estate.SetFacts(id, incident.Facts{Traffic: incident.Traffic{
		BytesOut: incident.Known(int64(4<<30), incident.FromFlows),
		Role:     incident.Known(string(incident.Requester), incident.FromFlows), Attribution: incident.Known("exact", incident.FromFlows),
	}}); err != nil {
		w.t.Fatal(err)
	}
}

// nameOnly is the alert of a SIEM that knows no more than the host's name.
func nameOnly(id, name string) incident.Alert {
	a := alertFor(name, "")
	a.ID = id
	a.Host.IP = incident.NotKnown[[]string]("the alert does not say")
	return a
}

// named returns a world with one device d-7, and its case, opened by its name.
func named(t *testing.T, edit ...string) (*world, string) {
	t.Helper()
	w := newWorld(t, memory.Quiet, "high-egress-windows", edit...)
	w.addDevice("d-7", "ws-777", "10.20.9.77")
	id := w.openAs(time.Second, nameOnly("a-1", "ws-777"))
	w.explainOnFailure(id)
	return w, id
}

// nothing asserts that nothing was done to a device, not even collected.
func (w *world) nothing(c incident.Case) {
	w.t.Helper()
	for _, e := range w.estate.Effects() {
		if e.Action != incident.Notify {
			w.t.Errorf("done to the world: %+v", e)
		}
	}
	for _, s := range c.Steps {
		if s.Action == incident.Collect && s.Status == incident.StepDone {
			w.t.Errorf("%s was carried out", s.Name)
		}
	}
}

// People are asked about the one device that agrees by its name alone, before
// anything is done to it, regardless of what may act unsure.
func TestADeviceKnownByItsNameAloneIsAsked(t *testing.T) {
	t.Parallel()
	w, id := named(t)
	asked := w.snap(2*time.Minute, id)
	w.At(150*time.Second, func() { w.nothing(w.see(id)) })
	w.vote(3*time.Minute, id, &ballot{who: alice()})
	w.run(30 * time.Minute)

	if asked.Status != incident.Awaiting || len(asked.Approvals) != 1 {
		t.Fatalf("the case is %s with %d questions", asked.Status, len(asked.Approvals))
	}
	if !slices.ContainsFunc(asked.Approvals[0].Missing, func(m incident.Missing) bool {
		return m.Path == "endpoint.id" && m.Why == "only the name agrees with device ws-777 (d-7)"
	}) {
		t.Errorf("asked with %+v", asked.Approvals[0].Missing)
	}
	if from := asked.Facts.Endpoint.ID.From(); from != incident.Assumed {
		t.Errorf("the device's id is %s", from)
	}
	device := ""
	for _, f := range activities.CardOf(*asked, 0).Facts {
		if f.Label == "Device" {
			device = f.Value
		}
	}
	for _, want := range []string{"ws-777 (id d-7)", "10.20.9.77", "last seen 2026-03-02T03:0", "only the name agrees"} {
		if !strings.Contains(device, want) {
			t.Errorf("the card says %q, want %q in it", device, want)
		}
	}
	if n := w.isolates("d-7"); n != 1 {
		t.Errorf("after the approval d-7 was isolated %d times", n)
	}
	if n := len(w.see(id).Approvals); n != 1 {
		t.Errorf("%d questions were asked", n)
	}
}

// The vote is for the device, and for how much is known of it.
func TestTheVoteBindsTheDevice(t *testing.T) {
	t.Parallel()
	digest := func(target string) string {
		var plan incident.Plan
		if err := json.Unmarshal([]byte(`{"playbook_digest": "d", "rule": "r", "target": `+target+`}`), &plan); err != nil {
			t.Fatal(err)
		}
		return plan.Digest()
	}
	digests := map[string]bool{}
	for _, target := range []string{
		`{"id": "d-7", "name": "ws"}`, `{"id": "d-8", "name": "ws"}`, `{"id": "d-7", "name": "ws", "only_by": "name"}`,
		`{"id": "d-7", "name": "ws", "only_by": "id"}`, `{"id": "d-8", "name": "ws", "only_by": "name"}`,
	} {
		digests[digest(target)] = true
	}
	if len(digests) != 5 {
		t.Errorf("5 plans have %d digests", len(digests))
	}
}

// Without people nothing is done to the device: nobody answers, they deny, what
// the playbook does instead of an answer, or it only rehearses.
func TestNothingIsDoneToADeviceThatNobodyChose(t *testing.T) {
	t.Parallel()
	gated := []string{"do: [evidence, throttle, cut-off, tell]", "do: [{ approve: on-call, if_denied: [throttle, tell], if_expired: [throttle, tell] }, cut-off]"}
	other := []string{"do: [evidence, throttle, cut-off, tell]", "do: [{ approve: two-people, if_denied: [throttle], if_expired: [throttle] }, cut-off]"}
	for name, test := range map[string]struct {
		edit    []string
		answer  *ballot
		outcome incident.CaseOutcome
	}{
		"nobody answers":             {nil, nil, incident.OutcomeExpired},
		"people say no":              {nil, &ballot{who: alice(), deny: true, reason: "another host"}, incident.OutcomeRefused},
		"instead of an answer":       {gated, nil, incident.OutcomeExpired},
		"instead of a no":            {gated, &ballot{who: alice(), deny: true, reason: "another host"}, incident.OutcomeRefused},
		"instead of another's":       {other, nil, incident.OutcomeExpired},
		"one of two people for more": {other, &ballot{who: person("bob", "sec-leads"), reason: "seen"}, incident.OutcomeExpired},
		"shadow":                     {[]string{"mode: enforce", "mode: shadow"}, nil, incident.OutcomeShadow},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := named(t, test.edit...)
			if test.answer != nil {
				w.vote(3*time.Minute, id, test.answer)
			}
			w.run(3 * time.Hour)
			c := w.ended(id, test.outcome)
			w.nothing(c)
			if test.outcome == incident.OutcomeShadow && len(c.Approvals) != 0 {
				t.Error("the rehearsal asked people")
			}
		})
	}
}

// What people chose must be the one device still when it is acted on.
func TestAnAssumedDeviceIsLookedUpAgain(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*memory.Estate) error{
		"another has the name as well": func(e *memory.Estate) error {
			return e.AddHost(memory.Host{ID: "d-8", Name: "ws-777", IPs: []string{"10.20.9.78"}, OS: "windows", Role: "workstation"})
		},
		"another has the name": func(e *memory.Estate) error {
			known := func(s string) incident.Value[string] { return incident.Known(s, incident.FromEDR) }
			return e.SetFacts("d-7", incident.Facts{Endpoint: incident.Endpoint{ID: known("d-9"), Name: known("ws-777")}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, id := named(t)
			w.do(2*time.Minute, func(e *memory.Estate) {
				if err := change(e); err != nil {
					t.Error(err)
				}
			})
			w.vote(3*time.Minute, id, &ballot{who: alice()})
			w.run(time.Hour)
			w.contained(incident.Isolate, 0, 0)
			w.contained(incident.RateLimit, 0, 0)
			w.ended(id, incident.OutcomeNoTarget)
		})
	}
}

// A plan for an exact device does not act when only one identifier agrees any
// more, and a question about an assumed one is void when two agree.
func TestHowMuchIsKnownOfADeviceMayChange(t *testing.T) {
	t.Parallel()
	t.Run("less", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, memory.Quiet, "high-egress-windows", "do: [evidence, throttle, cut-off, tell]", "do: [approve: on-call, cut-off]")
		w.addDevice("d-7", "ws-777", "10.20.9.77")
		a := alertFor("ws-777", "10.20.9.77")
		id := w.openAs(time.Second, a)
		w.explainOnFailure(id)
		w.do(time.Minute, func(e *memory.Estate) {
			moved := incident.Endpoint{IP: incident.Known([]string{"10.20.9.200"}, incident.FromEDR)}
			if err := e.SetFacts("d-7", incident.Facts{Endpoint: moved}); err != nil {
				t.Error(err)
			}
		})
		w.vote(2*time.Minute, id, &ballot{who: alice()})
		w.run(time.Hour)
		w.contained(incident.Isolate, 0, 0)
		if c := w.ended(id, incident.OutcomeNoTarget); !strings.Contains(happened(c, incident.EvHeldBack)[0].Text, "only the name agrees") {
			t.Errorf("held back: %+v", happened(c, incident.EvHeldBack))
		}
	})
	t.Run("more", func(t *testing.T) {
		t.Parallel()
		w, id := named(t)
		exact := alertFor("ws-777", "10.20.9.77")
		exact.ID = "a-2"
		w.later(2*time.Minute, id, exact)
		w.run(10 * time.Minute)
		if n := w.isolates("d-7"); n != 1 {
			t.Errorf("d-7 was isolated %d times", n)
		}
		if c := w.see(id); c.Approvals[0].State != incident.Superseded || c.Target.OnlyBy() != "" {
			t.Errorf("the question is %s, the target agrees by %q only", c.Approvals[0].State, c.Target.OnlyBy())
		}
	})
}

// Two devices of one name, or none, are no target, as before.
func TestTwoDevicesOfANameAreNoTarget(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Quiet, "high-egress-windows")
	w.addDevice("d-7", "ws-777", "10.20.9.77")
	w.addDevice("d-8", "ws-777", "10.20.9.78")
	id := w.openAs(time.Second, nameOnly("a-1", "ws-777"))
	none := w.openAs(time.Second, nameOnly("a-2", "ws-778"))
	w.run(time.Hour)
	for _, id := range []string{id, none} {
		c := w.ended(id, incident.OutcomeNoTarget)
		w.nothing(c)
		if len(c.Approvals) != 0 {
			t.Errorf("people were asked about %s", id)
		}
	}
}

// Where it is neither certain which device it is nor what it does, people are
// asked once about both, and their answer is for that device.
func TestAnAssumedDeviceMayBeUndecidedToo(t *testing.T) {
	t.Parallel()
	elsewhere := func(e *memory.Estate) error {
		known := func(s string) incident.Value[string] { return incident.Known(s, incident.FromEDR) }
		return e.SetFacts("d-7", incident.Facts{Endpoint: incident.Endpoint{ID: known("d-9"), Name: known("ws-777")}})
	}
	for name, test := range map[string]struct {
		edit    []string
		answer  *ballot
		change  func(*memory.Estate) error
		outcome incident.CaseOutcome
		done    int
	}{
		"people say yes":             {nil, &ballot{who: alice()}, nil, incident.OutcomeGivenBack, 1},
		"people say no":              {nil, &ballot{who: alice(), deny: true, reason: "another host"}, nil, incident.OutcomeRefused, 0},
		"nobody answers":             {nil, nil, nil, incident.OutcomeUndecided, 0},
		"yes to another device":      {nil, &ballot{who: alice(), plan: "sha256:of-d-8", approval: "on-call"}, nil, incident.OutcomeUndecided, 0},
		"yes, and it is another now": {nil, &ballot{who: alice()}, elsewhere, incident.OutcomeNoTarget, 0},
		"shadow":                     {[]string{"mode: enforce", "mode: shadow"}, nil, nil, incident.OutcomeShadow, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, memory.Quiet, "high-egress-windows", test.edit...)
			w.addDevice("d-7", "ws-777", "10.20.9.77")
			w.estate.Fail("traffic", integrations.Error{Kind: integrations.Denied}, -1)
			id := w.openAs(time.Second, nameOnly("a-1", "ws-777"))
			w.explainOnFailure(id)
			asked := w.snap(2*time.Minute, id)
			w.At(2*time.Minute+time.Second, func() { w.nothing(w.see(id)) })
			if test.change != nil {
				w.do(150*time.Second, func(e *memory.Estate) {
					if err := test.change(e); err != nil {
						t.Error(err)
					}
				})
			}
			if test.answer != nil {
				w.vote(3*time.Minute, id, test.answer)
			}
			w.run(6 * time.Hour)
			c := w.ended(id, test.outcome)
			if test.outcome == incident.OutcomeShadow {
				w.nothing(c)
				return
			}
			if len(asked.Approvals) != 1 || len(c.Approvals) != 1 || asked.Decision.Outcome != incident.Undecided || asked.Plan.Target.OnlyBy() != "name" {
				t.Fatalf("%s: asked %+v", asked.Decision.Outcome, c.Approvals)
			}
			for _, path := range []string{"endpoint.id", "traffic.role"} {
				if !slices.ContainsFunc(asked.Approvals[0].Missing, func(m incident.Missing) bool { return m.Path == path }) {
					t.Errorf("the question does not name %s: %+v", path, asked.Approvals[0].Missing)
				}
			}
			if n := w.isolates("d-7"); n != test.done {
				t.Errorf("d-7 was isolated %d times, want %d", n, test.done)
			}
			if test.answer != nil && test.answer.plan != "" {
				isRefused(t, test.answer.refused, workflows.RefusedPlan)
			}
			w.contained(incident.RateLimit, test.done, test.done)
		})
	}
}
