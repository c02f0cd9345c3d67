package integrations

import (
	"fmt"
	"slices"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Unclaimed returns the registered actions and facts that no kind of integration
// claims, each with the place.
func Unclaimed(actions []incident.ActionSpec, facts []incident.FactSpec, specs []Spec) []string {
	var problems []string
	for _, a := range actions {
		if !slices.ContainsFunc(specs, func(s Spec) bool { return slices.Contains(s.Actions, a.Action) }) {
			problems = append(problems, fmt.Sprintf("action %s: no integration carries it out (Actions of a Spec in integrations/)", a.Action))
		}
	}
	for _, f := range facts {
		if !slices.ContainsFunc(specs, func(s Spec) bool { return slices.Contains(s.Facts, f.Name) }) {
			problems = append(problems, fmt.Sprintf("fact %s: no integration answers it (Facts of a Spec in integrations/)", f.Name))
		}
	}
	return problems
}
