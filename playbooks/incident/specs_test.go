package incident_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

func TestActionsAndFactsAreRegisteredWhole(t *testing.T) {
	for _, problem := range slices.Concat(
		incident.CheckActions(incident.ActionSpecs()),
		incident.CheckFacts(incident.FactSpecs(), reflect.TypeFor[incident.Facts]()),
	) {
		t.Error(problem)
	}
}

// TestHalfRegisteredActionsAreFound plants an action without each part that it
// must have.
func TestHalfRegisteredActionsAreFound(t *testing.T) {
	whole := incident.ActionSpec{
		Action: "planted_action", Doc: "Locks the user out.", By: incident.ByEnforcer, Undone: "Given back.",
		Does:  func(incident.PlannedStep, string) string { return "lock the user out" },
		Needs: []incident.NeededFact{{Fact: incident.EndpointFact, Why: "it names the user"}},
	}
	if problems := incident.CheckActions(append(incident.ActionSpecs(), whole)); len(problems) > 0 {
		t.Fatalf("an action that lacks nothing: %q", problems)
	}
	for want, spoil := range map[string]func(*incident.ActionSpec){
		"By names nobody who carries it out": func(s *incident.ActionSpec) { s.By = "" },
		"no Doc or no words":                 func(s *incident.ActionSpec) { s.Does = nil },
		"Undone must say":                    func(s *incident.ActionSpec) { s.Undone = "" },
		"MayHave must say":                   func(s *incident.ActionSpec) { s.By = incident.ByKiller },
		"registered twice":                   func(s *incident.ActionSpec) { s.Action = incident.Isolate },
		"must be listed before isolate": func(s *incident.ActionSpec) {
			s.By, s.Undone = incident.ByCollector, ""
		},
		`it needs "user"`: func(s *incident.ActionSpec) {
			s.Needs = []incident.NeededFact{{Fact: "user", Why: "it is locked out"}}
		},
	} {
		half := whole
		spoil(&half)
		problems := strings.Join(incident.CheckActions(append(incident.ActionSpecs(), half)), "\n")
		if !strings.Contains(problems, want) || !strings.Contains(problems, "action "+string(half.Action)) ||
			!strings.Contains(problems, "playbooks/incident/actions.go") {
			t.Errorf("want %q of the action, with the place; got %q", want, problems)
		}
	}
}

// TestHalfRegisteredFactsAreFound plants a fact without each part that it must
// have, and a field that is no fact.
func TestHalfRegisteredFactsAreFound(t *testing.T) {
	told := func(*incident.Facts) []string { return nil }
	endpoint := func(leads ...string) []incident.FactSpec {
		return []incident.FactSpec{
			{Name: "endpoint", Doc: "d", By: incident.ByEndpoints, Needs: incident.NeedsNothing, Leads: leads, Told: told},
		}
	}
	type one struct {
		Endpoint incident.Endpoint `json:"endpoint"`
		Planted  incident.Endpoint `json:"planted_fact"`
	}
	whole := incident.FactSpec{Name: "planted_fact", Doc: "d", By: "planted_fact", Needs: incident.NeedsNothing, Told: told}
	if problems := incident.CheckFacts(append(endpoint("planted_fact"), whole), reflect.TypeFor[one]()); len(problems) > 0 {
		t.Fatalf("a fact that lacks nothing: %q", problems)
	}
	for want, specs := range map[string][]incident.FactSpec{
		"fact planted_fact: incident_test.one has a field for it, and it is not registered": endpoint("planted_fact"),
		"fact endpoint: it must lead to \"planted_fact\"":                                   append(endpoint(), whole),
		"fact planted_fact: Doc, By, Needs or Told is empty":                                append(endpoint("planted_fact"), incident.FactSpec{Name: "planted_fact"}),
		"fact age: incident_test.one has no field for it":                                   append(endpoint("planted_fact"), whole, incident.FactSpec{Name: "age"}),
		"fact planted_fact: it is registered twice":                                         append(endpoint("planted_fact"), whole, whole),
		"fact endpoint: it leads to \"age\", which is no part":                              append(endpoint("planted_fact", "age"), whole),
	} {
		if problems := strings.Join(incident.CheckFacts(specs, reflect.TypeFor[one]()), "\n"); !strings.Contains(problems, want) {
			t.Errorf("want %q; got %q", want, problems)
		}
	}
}

func TestPartsOfFactsHaveTheirNames(t *testing.T) {
	var facts incident.Facts
	if facts.Part(incident.TrafficFact) != any(&facts.Traffic) || facts.Part("planted_fact") != nil {
		t.Error("a part is not the field of its name, or one that is not there is")
	}
}

func TestEveryActionIsPutIntoWords(t *testing.T) {
	filter := &incident.Filter{Direction: incident.Outbound, RemoteIP: "192.0.2.1"}
	said := map[string]incident.Action{}
	for _, a := range incident.Actions() {
		s := incident.PlannedStep{Name: "do", Action: a, Rate: 2_000_000, Filter: filter, PID: 7, What: []string{"processes"}, Channel: "#soc"}
		words := s.Does("web-1")
		if other, taken := said[words]; taken || words == string(a) || words == "" {
			t.Errorf("%s is said as %q, as %s is", a, words, other)
		}
		said[words] = a
	}
	for _, c := range []struct {
		step incident.PlannedStep
		want string
	}{
		{incident.PlannedStep{Name: "slow", Action: incident.RateLimit, Rate: 2_000_000}, "slow (rate_limit to 2 Mbit/s)"},
		{incident.PlannedStep{Name: "stop", Action: incident.Block, Filter: filter}, "stop (block outbound 192.0.2.1)"},
		{incident.PlannedStep{Name: "cut", Action: incident.Isolate}, "cut (isolate)"},
		{incident.PlannedStep{Approve: "oncall"}, "approve: oncall"},
	} {
		if got := c.step.String(); got != c.want {
			t.Errorf("String() is %q, want %q", got, c.want)
		}
	}
}
