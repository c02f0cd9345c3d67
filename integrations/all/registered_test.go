package all_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/all"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func TestEveryActionAndFactHasAnIntegration(t *testing.T) {
	actions, facts, kinds := incident.ActionSpecs(), incident.FactSpecs(), all.Catalog().Integrations
	for _, problem := range integrations.Unclaimed(actions, facts, kinds) {
		t.Error(problem)
	}
	planted := strings.Join(integrations.Unclaimed(
		append(actions, incident.ActionSpec{Action: "planted_action"}), append(facts, incident.FactSpec{Name: "planted_fact"}), kinds,
	), "\n")
	for _, want := range []string{"action planted_action: no integration carries it out", "fact planted_fact: no integration answers it"} {
		if !strings.Contains(planted, want) {
			t.Errorf("a planted one is not found: %q lacks %q", planted, want)
		}
	}
	// The simulated estate is where playbooks are rehearsed: it can do all.
	at := slices.IndexFunc(kinds, func(s integrations.Spec) bool { return s.Kind == "memory" })
	for _, problem := range integrations.Unclaimed(actions, facts, kinds[at:at+1]) {
		t.Error("integrations/memory: " + problem)
	}
}
