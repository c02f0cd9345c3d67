package activities

import (
	"fmt"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Carrying returns the name of the activity that carries an action out, if there
// is one. A case runs no other for it, and the activities of containing actions
// refuse what is not theirs.
func Carrying(s incident.ActionSpec) (name string, ok bool) {
	switch s.By {
	case incident.ByMessenger:
		return Show.Name, true
	case incident.ByCollector:
		return Collect.Name, true
	case incident.ByEnforcer:
		return Contain.Name, true
	case incident.ByKiller:
		// It ends processes; what else could not be undone would need its own.
		return Kill.Name, s.Action == incident.KillProcess
	}
	return "", false
}

// Uncarried returns the actions of a registration that no activity carries out,
// each with the place.
func Uncarried(specs []incident.ActionSpec) []string {
	var problems []string
	for _, s := range specs {
		if name, ok := Carrying(s); !ok {
			problems = append(problems, fmt.Sprintf("action %s: no activity carries it out; %q does not (activities/carry.go)", s.Action, name))
		}
	}
	return problems
}

// carries refuses an action that is not carried out by the activity.
func carries(ref Ref[ContainIn, ContainOut], action incident.Action) error {
	if name, ok := Carrying(action.Spec()); !ok || name != ref.Name {
		return ours(ref.Name, fmt.Sprintf("%q is not carried out this way", action))
	}
	return nil
}

// Unfetched returns the facts of a registration that no activity fetches, each
// with the place.
func Unfetched(specs []incident.FactSpec) []string {
	var problems []string
	for _, s := range specs {
		if !Fetches(s.Name) {
			problems = append(problems, fmt.Sprintf("fact %s: no activity of that name fetches it (activities/enrich.go, fetches)", s.Name))
		}
	}
	return problems
}

// Fetches reports whether an activity fetches a fact. It has the fact's name.
func Fetches(fact string) bool {
	for _, f := range new(Activities).fetches() {
		if f.fact == fact {
			return true
		}
	}
	return false
}
