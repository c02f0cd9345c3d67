package incident

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// The facts that a playbook's enrich can ask for. Each is registered once, in
// [FactSpecs].
const (
	EndpointFact = "endpoint"
	ProcessFact  = "process"
	TrafficFact  = "traffic"
	BaselineFact = "baseline"
	AssetFact    = "asset"
)

// The parts of [Facts] that no integration is asked for: the alert is what a case
// begins with, the candidate comes with the process.
const (
	alertPart     = "alert"
	candidatePart = "candidate"
)

// Source is the capability of an integration that answers for a fact.
type Source string

// The closed set of sources.
const (
	ByEndpoints   Source = "endpoints"
	ByConnections Source = "connections"
	ByFlows       Source = "flows"
	ByInventory   Source = "inventory"
)

// Need is what must be known of a host before a fact can be asked for.
type Need string

// The closed set of needs.
const (
	NeedsNothing Need = "nothing"
	NeedsDevice  Need = "device"  // exactly one device was found
	NeedsAddress Need = "address" // the host has an address of its own
)

// FactSpec registers a fact. Loading, lint, schema, reference, planner,
// enrichment and tests read it from here; its values are the struct of the same
// name in [Facts], from which policies, cards and pages read them.
type FactSpec struct {
	Name string
	// Doc is what it says, for the reference.
	Doc string
	// By is who answers.
	By Source
	// With are the keys of an enrichment's with that it takes.
	With []string
	// Needs is what must be known before it can be asked for.
	Needs Need
	// Leads are the other parts of the facts that can become known with it.
	Leads []string
	// Told is what was found, a phrase each, for the timeline.
	Told func(f *Facts) []string
}

var factSpecs = sync.OnceValue(func() []FactSpec {
	return []FactSpec{
		{
			Name: EndpointFact, Doc: "Which device it is, and how the EDR sees it.", By: ByEndpoints, Needs: NeedsNothing,
			// Who the device is leads to all others.
			Leads: []string{alertPart, ProcessFact, candidatePart, TrafficFact, BaselineFact, AssetFact},
			Told: func(f *Facts) []string {
				return []string{fmt.Sprintf("endpoint %s, %s", f.Endpoint.Name, f.Endpoint.Role)}
			},
		},
		{
			Name: ProcessFact, Doc: "Which process sends, joined from the device's connections and the flows.", By: ByConnections,
			Needs: NeedsDevice, Leads: []string{TrafficFact, candidatePart},
			// Who sends is known once connections and flows are joined: it is in the
			// decision.
			Told: func(*Facts) []string { return nil },
		},
		{
			Name: TrafficFact, Doc: "What left the host.", By: ByFlows, With: []string{"window", "top"},
			Needs: NeedsAddress, Leads: []string{ProcessFact, candidatePart}, Told: tellTraffic,
		},
		{
			Name: BaselineFact, Doc: "What the host normally sends.", By: ByFlows, With: []string{"days"}, Needs: NeedsAddress,
			Told: tellBaseline,
		},
		{
			Name: AssetFact, Doc: "What the inventory knows of the host.", By: ByInventory, Needs: NeedsNothing,
			// The owner of the addresses is the owner of the traffic.
			Leads: []string{TrafficFact, ProcessFact, candidatePart},
			Told:  func(f *Facts) []string { return []string{"asset role " + f.Asset.Role.String()} },
		},
	}
})

func tellTraffic(f *Facts) []string {
	var phrases []string
	if bytes, ok := f.Traffic.BytesOut.Get(); ok {
		least, window := "", "the window"
		if len(f.Traffic.AtLeast) > 0 {
			least = "at least "
		}
		if length, ok := f.Traffic.Window.Get(); ok {
			window = FormatDuration(length)
		}
		phrases = append(phrases, fmt.Sprintf("traffic %s%s out in %s, role %s", least, FormatSize(bytes), window, f.Traffic.Role))
	} else {
		phrases = append(phrases, "traffic "+f.Traffic.BytesOut.String())
	}
	for _, c := range f.Traffic.FastClocks {
		phrases = append(phrases, c.String()+", what it recorded of the future proves nothing")
	}
	return phrases
}

func tellBaseline(f *Facts) []string {
	if p99, ok := f.Baseline.P99.Get(); ok {
		return []string{"baseline p99 " + FormatSize(p99)}
	}
	return []string{"baseline " + f.Baseline.P99.String()}
}

// FactSpecs lists the registered facts, in the order in which people are shown
// them.
func FactSpecs() []FactSpec { return slices.Clone(factSpecs()) }

// FactNames lists the facts that a playbook's enrich can ask for, in the order
// in which people are shown them. The alert is always there.
func FactNames() []string {
	specs := factSpecs()
	names := make([]string, 0, len(specs))
	for _, s := range specs {
		names = append(names, s.Name)
	}
	return names
}

// FactSpecOf returns the registration of a fact, if it has one.
func FactSpecOf(name string) (FactSpec, bool) {
	for _, s := range factSpecs() {
		if s.Name == name {
			return s, true
		}
	}
	return FactSpec{}, false
}

// Reach are the parts of the facts that may become known with a fact, itself
// included.
func Reach(fact string) []string {
	spec, _ := FactSpecOf(fact)
	return append([]string{fact}, spec.Leads...)
}

// Part returns a pointer to the part of the facts with a name, or nil.
func (f *Facts) Part(name string) any {
	if at := partIndex(reflect.TypeFor[Facts](), name); at >= 0 {
		return reflect.ValueOf(f).Elem().Field(at).Addr().Interface()
	}
	return nil
}

// partIndex is the place of a part in a struct of facts, or -1.
func partIndex(t reflect.Type, name string) int {
	for i := range t.NumField() {
		if partName(t.Field(i)) == name {
			return i
		}
	}
	return -1
}

func partName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// CheckFacts returns what registrations of facts lack, each with the place; t is
// the struct that holds them, [Facts].
func CheckFacts(specs []FactSpec, t reflect.Type) []string {
	var problems []string
	complain := func(name, format string, args ...any) {
		problems = append(problems, fmt.Sprintf("fact %s: %s (playbooks/incident/factspecs.go)", name, fmt.Sprintf(format, args...)))
	}
	for i, s := range specs {
		if slices.ContainsFunc(specs[:i], func(o FactSpec) bool { return o.Name == s.Name }) {
			complain(s.Name, "it is registered twice")
		}
		if partIndex(t, s.Name) < 0 {
			complain(s.Name, "%s has no field for it", t)
		}
		if s.Doc == "" || s.By == "" || s.Needs == "" || s.Told == nil {
			complain(s.Name, "Doc, By, Needs or Told is empty: what it says, who answers, what must be known before, what was found")
		}
		for _, lead := range s.Leads {
			if partIndex(t, lead) < 0 {
				complain(s.Name, "it leads to %q, which is no part of the facts", lead)
			}
		}
	}
	for i := range t.NumField() {
		name := partName(t.Field(i))
		if name == alertPart || name == candidatePart {
			continue
		}
		if !slices.ContainsFunc(specs, func(s FactSpec) bool { return s.Name == name }) {
			complain(name, "%s has a field for it, and it is not registered: nobody would fetch it", t)
		}
		// Who the device is leads to whatever is asked of it.
		for _, s := range specs {
			if s.By == ByEndpoints && s.Name != name && !slices.Contains(s.Leads, name) {
				complain(s.Name, "it must lead to %q: who the device is leads to all others", name)
			}
		}
	}
	return problems
}
