package workflows_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// adviser is an enforcer of the estate that tells beforehand whether it can, and notes
// what it was asked.
type adviser struct {
	*memory.Estate
	mu     sync.Mutex
	says   func(incident.Order) error
	asked  []incident.Order
	orders []incident.Order
}

func (a *adviser) Plan(_ context.Context, o incident.Order) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asked = append(a.asked, o)
	return a.says(o)
}

func (a *adviser) Apply(ctx context.Context, o incident.Order) (incident.Receipt, error) {
	a.mu.Lock()
	a.orders = append(a.orders, o)
	a.mu.Unlock()
	return a.Estate.Apply(ctx, o)
}

// adviser adds one to the world; edit changes what is said of it.
func (w *world) adviser(name string, says error, edit ...func(*integrations.Spec)) *adviser {
	a := &adviser{Estate: w.estate, says: func(incident.Order) error { return says }}
	spec := w.estate.Spec()
	for _, e := range edit {
		e(&spec)
	}
	w.set.Add(name, spec, a)
	return a
}

func ofAddress(s *integrations.Spec) { s.ByAddress = true }

func ofProgram(s *integrations.Spec) { s.ByProgram = true }

// full says that a product cannot, silent that it does not tell.
func full() error {
	return &integrations.Error{Kind: integrations.Invalid, Op: "plan", Words: "it is full", Err: errors.New("full")}
}

func silent() error {
	return &integrations.Error{Kind: integrations.Unavailable, Op: "plan", Err: errors.New("connection refused")}
}

// preferring has the limits name integrations by preference.
func preferring(list string) []string {
	return []string{"throttle: { action: rate_limit, use: gateway,", "throttle: { action: rate_limit, use: [" + list + "],"}
}

// The first that can carries a limit out: the plan, and so what people approve, names
// it, and the case says why it is not the one that the playbook prefers.
func TestTheFirstThatCanActs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		qos, gateway, flowspec error
		program, nowhere       bool
		want, says             string
		asked                  string
	}{
		"the preferred one":                             {program: true, want: "host-qos", asked: "host-qos"},
		"the preferred one, where the others could not": {program: true, nowhere: true, want: "host-qos", asked: "host-qos"},
		"without the program": {
			want: "gateway", asked: "gateway",
			says: "gateway: host-qos cannot, process.path is unknown (the EDR does not say)",
		},
		"the first cannot": {
			qos: full(), program: true, want: "gateway", asked: "host-qos gateway",
			says: "gateway: host-qos cannot, it is full",
		},
		"the first two cannot": {
			qos: full(), gateway: full(), program: true, want: "flowspec", asked: "host-qos gateway flowspec",
			says: "flowspec: host-qos cannot, it is full; gateway cannot, it is full",
		},
		"one does not tell": {
			qos: full(), gateway: silent(), program: true, want: "flowspec", asked: "host-qos gateway flowspec",
			says: "flowspec: host-qos cannot, it is full; gateway cannot, unavailable",
		},
		"none can, and one does not tell": {
			qos: full(), gateway: silent(), flowspec: full(), program: true, want: "gateway", asked: "host-qos gateway flowspec",
			says: "gateway: host-qos cannot, it is full; it did not tell whether it can, unavailable; flowspec cannot, it is full",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, memory.Flood, "high-egress-windows", append(preferring("host-qos, gateway, flowspec"), throttleAfterAsking()...)...)
			facts := incident.Facts{Asset: incident.Asset{Role: incident.NotKnown[string]("the inventory does not say")}}
			if !c.program {
				facts.Process.Path = incident.NotKnown[string]("the EDR does not say")
			}
			if c.nowhere {
				facts.Endpoint.IP = incident.NotKnown[[]string]("the device does not say")
			}
			if err := w.estate.SetFacts("ws-042", facts); err != nil {
				t.Fatal(err)
			}
			all := map[string]*adviser{
				"host-qos": w.adviser("host-qos", c.qos, ofProgram), "gateway": w.adviser("gateway", c.gateway, ofAddress), "flowspec": w.adviser("flowspec", c.flowspec, ofAddress),
			}
			id := w.open(alertFor("ws-042", "10.20.4.42"))
			w.explainOnFailure(id)
			soon := w.snap(2*time.Minute, id)
			yes := &ballot{who: alice()}
			w.vote(3*time.Minute, id, yes)
			// By its turn the preferred one could: the chosen one stays chosen.
			w.At(150*time.Second, func() {
				for _, a := range all {
					a.says = func(incident.Order) error { return nil }
				}
			})
			w.run(5 * time.Hour)
			planned := step(t, *soon, "throttle")
			if planned.Use != c.want || planned.Chosen() != c.says || planned.Problem != "" || len(planned.Candidates) != 0 {
				t.Errorf("the plan has %s carry it out (%s; %s), want %s (%s)", planned.Use, planned.Chosen(), planned.Problem, c.want, c.says)
			}
			if got := texts(*soon, incident.EvDecided, "throttle is carried out by "+c.says); c.says != "" && len(got) != 1 {
				t.Errorf("the case does not say why: %v", happened(*soon, incident.EvDecided))
			}
			if gates := soon.Approvals[0].Gates; c.says != "" && (len(gates) == 0 || !strings.Contains(gates[0], "through "+c.says)) {
				t.Errorf("people are asked about %q, want it to say why %s", gates, c.want)
			}
			var asked []string
			for _, name := range []string{"host-qos", "gateway", "flowspec"} {
				a := all[name]
				if len(a.asked) > 0 {
					asked = append(asked, name)
				}
				if want := name == c.want; len(a.orders) > 0 != want {
					t.Errorf("%s was ordered %+v, want something: %t", name, a.orders, want)
				}
				for _, o := range append(a.asked, a.orders...) {
					byAddress, byProgram := name != "host-qos", name == "host-qos"
					if (len(o.Addresses) > 0) != byAddress || (o.Program != "") != byProgram {
						t.Errorf("%s was asked for %v and the program %q", name, o.Addresses, o.Program)
					}
				}
			}
			if got := strings.Join(asked, " "); got != c.asked {
				t.Errorf("%q were asked, want %q", got, c.asked)
			}
			if !yes.counted {
				t.Fatalf("the answer does not count: %v", yes.refused)
			}
			w.ended(id, incident.OutcomeGivenBack)
		})
	}
}

// Where none can, the step's problem is each one's reason, known before people are asked.
// One that a playbook names alone is asked, too.
func TestWhereNoneCanActPeopleKnowBefore(t *testing.T) {
	t.Parallel()
	for list, want := range map[string]string{
		"flowspec":          "endpoint.ip is unknown (the device does not say)",
		"gateway":           "it is full",
		"gateway, flowspec": "gateway cannot, it is full; flowspec cannot, endpoint.ip is unknown (the device does not say)",
	} {
		t.Run(list, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, memory.Flood, "high-egress-windows", append(preferring(list), throttleAfterAsking()...)...)
			roleUnknown(t, w.estate)
			facts := incident.Facts{Asset: incident.Asset{Role: incident.NotKnown[string]("the inventory does not say")}}
			facts.Endpoint.IP = incident.NotKnown[[]string]("the device does not say")
			if err := w.estate.SetFacts("ws-042", facts); err != nil {
				t.Fatal(err)
			}
			gateway := w.adviser("gateway", full())
			w.adviser("flowspec", nil, ofAddress)
			id := w.open(alertFor("ws-042", "10.20.4.42"))
			w.explainOnFailure(id)
			soon := w.snap(2*time.Minute, id)
			w.vote(3*time.Minute, id, &ballot{who: alice()})
			w.run(5 * time.Hour)
			s := step(t, *soon, "throttle")
			if s.Problem != want || len(s.Passed) != 0 || s.Use != strings.Split(list, ", ")[0] {
				t.Errorf("the problem is %q, by %s (%v), want %q by the first", s.Problem, s.Use, s.Passed, want)
			}
			if gates := soon.Approvals[0].Gates; len(gates) == 0 || !strings.Contains(gates[0], "which cannot be carried out: "+want) {
				t.Errorf("people are asked about %q", gates)
			}
			if len(gateway.orders) != 0 {
				t.Errorf("the gateway was ordered %+v", gateway.orders)
			}
		})
	}
}

// What runs in place of another step is chosen as well.
func TestWhatRunsInsteadIsChosenToo(t *testing.T) {
	t.Parallel()
	list := "use: [gateway, flowspec], with: { rate: 256kbit }"
	w := newWorld(t, memory.Flood, "high-egress-windows", "use: gateway, with: { rate: 256kbit }", list,
		"      - throttle\n      - approve: on-call\n      - cut-off\n", "      - approve: on-call\n        if_denied: [narrow]\n        if_expired: [narrow]\n      - cut-off\n")
	roleUnknown(t, w.estate)
	w.adviser("gateway", full())
	flowspec := w.adviser("flowspec", nil)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	soon := w.snap(2*time.Minute, id)
	w.run(5 * time.Hour)
	narrow := 0
	incident.EachStep(soon.Plan.Steps, func(s *incident.PlannedStep) {
		if s.Name != "narrow" {
			return
		}
		if narrow++; s.Use != "flowspec" || len(s.Candidates) != 0 {
			t.Errorf("narrow is carried out by %s, candidates %v", s.Use, s.Candidates)
		}
	})
	if narrow != 3 {
		t.Errorf("the plan has narrow %d times, want as the fallback and for both answers", narrow)
	}
	if len(flowspec.orders) != 1 {
		t.Errorf("flowspec was ordered %+v, want one limit", flowspec.orders)
	}
}

// What stays reachable for an isolated host is the chosen EDR's to say; people are asked
// as if the least certain were chosen.
func TestAnIsolationThroughTheSecondIsAsCertainAsThat(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows", "cut-off:  { action: isolate,    use: edr, ", "cut-off:  { action: isolate,    use: [edr-a, edr-b], ")
	w.activities.Infrastructure = incident.Infrastructure{Networks: networks("10.1.0.5/32")}
	w.activities.ExceptBy = map[string]string{"edr-b": "its policy decides"}
	if err := w.estate.SetFacts("ws-042", incident.Facts{Endpoint: incident.Endpoint{Route: incident.Known("proxy", incident.FromInventory)}}); err != nil {
		t.Fatal(err)
	}
	w.adviser("edr-a", nil)
	w.adviser("edr-b", nil)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	soon := w.snap(2*time.Minute, id)
	w.run(5 * time.Minute)
	if len(texts(*soon, incident.EvDecided, "the way back is unknown")) != 1 {
		t.Errorf("people are not asked about the way back: %v", happened(*soon, incident.EvDecided))
	}
	if s := step(t, *soon, "cut-off"); s.Use != "edr-a" || s.ExceptBy != "" || !slices.Equal(s.Except, []string{"10.1.0.5"}) {
		t.Errorf("cut-off is by %s, except %v by %q; want edr-a, which is told", s.Use, s.Except, s.ExceptBy)
	}
}
