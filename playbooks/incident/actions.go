package incident

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Carrier is the capability of an integration that carries an action out. What
// the action does to a host, and how it is undone, follows from it.
type Carrier string

// The closed set of carriers.
const (
	ByMessenger Carrier = "messenger" // people are told; nothing happens to the host
	ByCollector Carrier = "collector" // evidence is read off the host
	ByEnforcer  Carrier = "enforcer"  // it lasts until it is undone: a lease
	ByKiller    Carrier = "killer"    // one process ends, and stays ended
)

// Carriers lists the carriers.
func Carriers() []Carrier { return []Carrier{ByMessenger, ByCollector, ByEnforcer, ByKiller} }

// ActionSpec registers an action. Loading, lint, schema, reference, planner, the
// steps of a case and the words of cards and pages read it from here.
type ActionSpec struct {
	Action Action
	// Doc is what it does, for the reference.
	Doc string
	// By is who carries it out.
	By Carrier
	// With is the key of a step's with that it takes and needs; empty for none.
	With string
	// May are the keys that it takes and does not need.
	May []string
	// ActsUnsure reports whether a step may run though its decision is unsure.
	ActsUnsure bool
	// Needs are the facts without which it has nothing to act on.
	Needs []NeededFact
	// Does says what a step does to a host, as an imperative: isolate web-1.
	Does func(s PlannedStep, host string) string
	// Detail is what distinguishes one step of the action from another, for a plan: to
	// 2Mbit. It is nil for an action that has none.
	Detail func(s PlannedStep) string
	// Undone says what becomes of it: how it is given back, or that it stays. It
	// is empty for an action that changes nothing on the host.
	Undone string
	// MayHave is what an attempt may have done of which nothing is known, of an
	// action that cannot be undone: ended the process.
	MayHave string
}

// NeededFact is a fact that an action needs, and what for.
type NeededFact struct{ Fact, Why string }

const (
	needsDevice = "only a device that the EDR has named is touched"
	givenBack   = "Given back when the time is up, or earlier with stanch lease release."
)

var actionSpecs = sync.OnceValue(func() []ActionSpec {
	device := NeededFact{EndpointFact, needsDevice}
	return []ActionSpec{
		{
			Action: Notify, Doc: "Tells people.", By: ByMessenger, With: "channel", ActsUnsure: true,
			Does: func(s PlannedStep, _ string) string { return "notify " + s.Channel },
		},
		{
			Action: Collect, Doc: "Takes evidence of the host.", By: ByCollector, With: "what", ActsUnsure: true,
			Needs: []NeededFact{device},
			Does: func(s PlannedStep, host string) string {
				return "collect " + strings.Join(s.What, ", ") + " of " + host
			},
		},
		{
			Action: RateLimit, Doc: "Bounds what the host may send, or a part of it.", By: ByEnforcer, With: "rate", May: []string{"match"}, ActsUnsure: true,
			Needs: []NeededFact{device}, Undone: givenBack,
			Does: func(s PlannedStep, host string) string {
				if s.Filter != nil {
					host = s.Filter.String() + " of " + host
				}
				return "limit " + host + " to " + FormatRate(s.Rate)
			},
			Detail: func(s PlannedStep) string {
				if s.Filter != nil {
					return s.Filter.String() + " to " + FormatRate(s.Rate)
				}
				return "to " + FormatRate(s.Rate)
			},
		},
		{
			Action: Block, Doc: "Stops a part of the host's traffic.", By: ByEnforcer, With: "match",
			Needs: []NeededFact{device, {TrafficFact, "what is blocked comes from it"}}, Undone: givenBack,
			Does: func(s PlannedStep, host string) string {
				if s.Filter == nil {
					return "block what leaves " + host
				}
				return "block " + s.Filter.String() + " of " + host
			},
			Detail: func(s PlannedStep) string {
				if s.Filter == nil {
					return ""
				}
				return s.Filter.String()
			},
		},
		{
			Action: KillProcess, Doc: "Ends the process that sends.", By: ByKiller,
			Needs: []NeededFact{device, {ProcessFact, "it is the one whose process ends"}},
			Does: func(s PlannedStep, host string) string {
				return fmt.Sprintf("end process %d, %s, of %s", s.PID, s.Path, host)
			},
			Undone: "An ended process stays ended: it cannot be undone.", MayHave: "ended the process",
		},
		{
			Action: Isolate, Doc: "Cuts the host off the network.", By: ByEnforcer,
			Needs: []NeededFact{device}, Undone: givenBack,
			Does:   func(s PlannedStep, host string) string { return strings.TrimSuffix("isolate "+host+" "+butFor(s), " ") },
			Detail: butFor,
		},
	}
})

// butFor says what an isolation leaves open.
func butFor(s PlannedStep) string {
	if len(s.Except) == 0 || s.ExceptBy != "" {
		return ""
	}
	return "but for " + few(s.Except)
}

// ActionSpecs lists the registered actions, mildest first. That order is the
// ladder by reversibility.
func ActionSpecs() []ActionSpec { return slices.Clone(actionSpecs()) }

// Actions lists all actions, mildest first.
func Actions() []Action { return ActionsWhere(func(Action) bool { return true }) }

// ActionsWhere lists the actions for which a condition holds, mildest first.
func ActionsWhere(holds func(Action) bool) []Action {
	var out []Action
	for _, s := range actionSpecs() {
		if holds(s.Action) {
			out = append(out, s.Action)
		}
	}
	return out
}

// Spec returns the action's registration; that of an unknown action has no
// carrier.
func (a Action) Spec() ActionSpec {
	for _, s := range actionSpecs() {
		if s.Action == a {
			return s
		}
	}
	return ActionSpec{Action: a}
}

// Rung is the action's place on the ladder by reversibility: 0 does nothing to
// the host, higher is harsher.
func (a Action) Rung() int {
	rung := 0
	for _, s := range actionSpecs() {
		if s.By.Contains() {
			rung++
		}
		if s.Action == a && s.By.Contains() {
			return rung
		}
	}
	return 0
}

// Rung is the step's place on that ladder, between those of actions where it is milder
// than its action can be: a limit of a part of the traffic is milder than one of all of
// it.
func (s PlannedStep) Rung() int {
	rung := 2 * s.Action.Rung()
	if s.Action == RateLimit && s.Filter != nil {
		rung--
	}
	return rung
}

// Contains reports whether what a carrier does restricts a host.
func (c Carrier) Contains() bool {
	switch c {
	case ByEnforcer, ByKiller:
		return true
	case ByMessenger, ByCollector:
	}
	return false
}

// Takes reports whether a step of the action takes a key of with, which it may also
// need.
func (s ActionSpec) Takes(key string) bool {
	return s.With != "" && s.With == key || slices.Contains(s.May, key)
}

// By is who carries the action out; empty for an unknown action.
func (a Action) By() Carrier { return a.Spec().By }

// Tells reports whether the action only tells people: it needs no device.
func (a Action) Tells() bool { return a.By() == ByMessenger }

// Containing reports whether the action restricts a host. Such a step needs an
// exact target, passes the guardrails and counts against the budget.
func (a Action) Containing() bool { return a.By().Contains() }

// Leased reports whether the action lasts until it is undone. Such a step needs
// a ttl and a verify, and is held as a lease.
func (a Action) Leased() bool { return a.By() == ByEnforcer }

// Reversible reports whether a step may opt out of asking when the decision is
// unsure.
func (a Action) Reversible() bool { return a.Spec().ActsUnsure }

// Does says what the step does to a host, as an imperative: isolate web-1.
func (s PlannedStep) Does(host string) string {
	does := s.Action.Spec().Does
	switch {
	case s.Approve != "":
		return "ask " + s.Approve + " before what follows"
	case s.Release:
		return "give back what this case holds"
	case does == nil:
		return string(s.Action)
	}
	if len(s.Addresses) > 0 {
		host += " (" + few(s.Addresses) + ")"
	}
	return does(s, host)
}

// CheckActions returns what registrations of actions lack, each with the place.
func CheckActions(specs []ActionSpec) []string {
	var problems []string
	var harsh Action
	for i, s := range specs {
		complain := func(format string, args ...any) {
			problems = append(problems, fmt.Sprintf("action %s: %s (playbooks/incident/actions.go)", s.Action, fmt.Sprintf(format, args...)))
		}
		if slices.ContainsFunc(specs[:i], func(o ActionSpec) bool { return o.Action == s.Action }) {
			complain("it is registered twice")
		}
		if !slices.Contains(Carriers(), s.By) {
			complain("By names nobody who carries it out: %q", s.By)
		}
		if s.Doc == "" || s.Does == nil {
			complain("it has no Doc or no words for what it does")
		}
		if s.By.Contains() != (s.Undone != "") {
			complain("Undone must say what becomes of an action that contains, and of no other")
		}
		if (s.By == ByKiller) != (s.MayHave != "") {
			complain("MayHave must say what an attempt may have done that cannot be undone, and of no other action")
		}
		if s.By.Contains() {
			harsh = s.Action
		} else if harsh != "" {
			complain("it does nothing to the host and must be listed before %s: the order is the ladder", harsh)
		}
		for _, n := range s.Needs {
			if !slices.Contains(FactNames(), n.Fact) || n.Why == "" {
				complain("it needs %q, which is no registered fact, or does not say why", n.Fact)
			}
		}
	}
	return problems
}
