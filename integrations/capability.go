package integrations

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Capability is one interface that an integration can implement.
type Capability struct {
	// Name is that of its interface in this package, and of its suite in package
	// contract.
	Name string
	// Unchecked is why package contract has no suite for it; empty where it has.
	Unchecked string
	// Answers is the source of facts that it is, and Carries the carrier of actions.
	Answers incident.Source
	Carries incident.Carrier

	iface reflect.Type
}

// Capabilities lists them all. Those of an integration are derived from its type: one
// that is not listed here does not exist.
func Capabilities() []Capability {
	return []Capability{
		{Name: "Answerable", iface: reflect.TypeFor[Answerable]()},
		{Name: "Breaker", iface: reflect.TypeFor[Breaker](), Unchecked: "it is how a client is, not what a product does"},
		{Name: "Census", iface: reflect.TypeFor[Census]()},
		{Name: "Collector", iface: reflect.TypeFor[Collector](), Carries: incident.ByCollector},
		{Name: "Completer", iface: reflect.TypeFor[Completer]()},
		{Name: "Connections", iface: reflect.TypeFor[Connections](), Answers: incident.ByConnections},
		{Name: "Counter", iface: reflect.TypeFor[Counter](), Unchecked: "the suite of Enforcer checks it"},
		{Name: "Endpoints", iface: reflect.TypeFor[Endpoints](), Answers: incident.ByEndpoints},
		{Name: "Enforcer", iface: reflect.TypeFor[Enforcer](), Carries: incident.ByEnforcer},
		{Name: "Excepter", iface: reflect.TypeFor[Excepter](), Unchecked: "it is a view of what Enforcer compares orders with"},
		{Name: "Executions", iface: reflect.TypeFor[Executions]()},
		{Name: "Flows", iface: reflect.TypeFor[Flows](), Answers: incident.ByFlows},
		{Name: "Follower", iface: reflect.TypeFor[Follower](), Unchecked: "the logs of a store are its own"},
		{Name: "Hunter", iface: reflect.TypeFor[Hunter]()},
		{Name: "Illustrator", iface: reflect.TypeFor[Illustrator]()},
		{Name: "Inventory", iface: reflect.TypeFor[Inventory](), Answers: incident.ByInventory},
		{Name: "Killer", iface: reflect.TypeFor[Killer](), Carries: incident.ByKiller},
		{Name: "Lister", iface: reflect.TypeFor[Lister](), Unchecked: "the suite of Enforcer checks it"},
		{Name: "Messenger", iface: reflect.TypeFor[Messenger](), Carries: incident.ByMessenger},
		{Name: "OnCall", iface: reflect.TypeFor[OnCall](), Unchecked: "each product names its escalations in its own way"},
		{Name: "Planner", iface: reflect.TypeFor[Planner](), Unchecked: "the suite of Enforcer checks it"},
		{Name: "Prober", iface: reflect.TypeFor[Prober](), Unchecked: "what it looks at is the product's own"},
		{Name: "Replier", iface: reflect.TypeFor[Replier]()},
		{Name: "Restorer", iface: reflect.TypeFor[Restorer](), Unchecked: "what is lost with a process is the product's own"},
		{Name: "RoleLister", iface: reflect.TypeFor[RoleLister](), Unchecked: "it is a view of Inventory"},
		{Name: "Runner", iface: reflect.TypeFor[Runner]()},
		{Name: "Senders", iface: reflect.TypeFor[Senders]()},
		{Name: "Sharer", iface: reflect.TypeFor[Sharer](), Unchecked: "it is how a client is, not what a product does"},
		{Name: "Surveyor", iface: reflect.TypeFor[Surveyor]()},
		{Name: "Updater", iface: reflect.TypeFor[Updater]()},
		{Name: "UseChecker", iface: reflect.TypeFor[UseChecker](), Unchecked: "what it looks at is the product's own"},
	}
}

// Capabilities lists the capabilities of the integration, sorted by name.
func (s Spec) Capabilities() []Capability {
	t := reflect.TypeOf(s.Implements)
	return slices.DeleteFunc(Capabilities(), func(c Capability) bool { return t == nil || !t.Implements(c.iface) })
}

// Can reports whether the integration has the capability of that name.
func (s Spec) Can(name string) bool {
	return slices.ContainsFunc(s.Capabilities(), func(c Capability) bool { return c.Name == name })
}

// Knows reports whether the integration answers for the fact: its Spec claims it,
// and it has the capability.
func (s Spec) Knows(fact string) bool {
	return slices.Contains(s.Facts, fact) && s.lacks(answering(fact)) == ""
}

// Does reports whether the integration carries the action out.
func (s Spec) Does(a incident.Action) bool {
	return slices.Contains(s.Actions, a) && s.lacks(carrying(a)) == ""
}

// answering and carrying report of a capability whether a fact, or an action, needs
// it.
func answering(fact string) func(Capability) bool {
	spec, registered := incident.FactSpecOf(fact)
	return func(c Capability) bool { return registered && c.Answers != "" && c.Answers == spec.By }
}

func carrying(a incident.Action) func(Capability) bool {
	return func(c Capability) bool { return c.Carries != "" && c.Carries == a.By() }
}

// lacks names the interface that is needed and that the integration lacks.
func (s Spec) lacks(needed func(Capability) bool) string {
	all := Capabilities()
	at := slices.IndexFunc(all, needed)
	switch {
	case at < 0:
		return "any capability for it"
	case s.Can(all[at].Name):
		return ""
	}
	return "integrations." + all[at].Name
}

// Lies lists what the Spec claims and its type does not do, and what its type does
// and the Spec does not claim.
func (s Spec) Lies() []string {
	t := reflect.TypeOf(s.Implements)
	if t == nil {
		return []string{fmt.Sprintf("kind %s has no Implements: what it can do is not known", s.Kind)}
	}
	lies := slices.Concat(s.badLimits(), s.badHearing())
	for _, action := range s.Actions {
		if lacks := s.lacks(carrying(action)); lacks != "" {
			lies = append(lies, fmt.Sprintf("%s: kind %s claims the action %s, but %s does not implement %s", folderOf(t), s.Kind, action, t, lacks))
		}
	}
	for _, fact := range s.Facts {
		if lacks := s.lacks(answering(fact)); lacks != "" {
			lies = append(lies, fmt.Sprintf("%s: kind %s claims the fact %s, but %s does not implement %s", folderOf(t), s.Kind, fact, t, lacks))
		}
	}
	for _, c := range s.Capabilities() {
		used := c.Answers == "" && c.Carries == "" ||
			slices.ContainsFunc(s.Facts, func(fact string) bool { return answering(fact)(c) }) ||
			slices.ContainsFunc(s.Actions, func(a incident.Action) bool { return carrying(a)(c) })
		if !used {
			lies = append(lies, fmt.Sprintf("%s: %s implements integrations.%s, but kind %s claims none of its facts and actions", folderOf(t), t, c.Name, s.Kind))
		}
	}
	return lies
}

// Folder is the folder of the package that holds the integration's type, from the
// root of the module.
func (s Spec) Folder() string { return folderOf(reflect.TypeOf(s.Implements)) }

func folderOf(t reflect.Type) string {
	if t == nil {
		return ""
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	_, below, found := strings.Cut(t.PkgPath(), "/integrations/")
	if !found {
		return t.PkgPath()
	}
	return "integrations/" + below
}

// Connect opens the integration and checks that its type is that of Implements.
func (s Spec) Connect(ctx context.Context, config any) (any, error) {
	opened, err := s.Open(ctx, config)
	if err != nil {
		return nil, err
	}
	if got, want := reflect.TypeOf(opened), reflect.TypeOf(s.Implements); got != want {
		return nil, Errorf(Invalid, "open "+s.Kind, "it is a %v, and its Spec describes a %v", got, want)
	}
	return opened, nil
}
