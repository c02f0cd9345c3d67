package integrations

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// SpeakerRole is the role of the one process that speaks to routers.
const SpeakerRole = "speaker"

// Permission is a right that an integration needs in its product, and why.
type Permission struct{ Name, Why string }

// Spec describes one kind of integration. Lint, schema, docs, metrics labels
// and doctor read it: there is no second list.
type Spec struct {
	// Kind is the name in stanch.yaml, and the folder's name.
	Kind    string
	Summary string
	// Implements is a typed nil of what Open returns, such as (*Store)(nil). The
	// capabilities of the integration are derived from it, and Actions and Facts are checked
	// against it.
	Implements any
	// Actions are what it can enforce or do.
	Actions []incident.Action
	// Facts are the enrichments that it can answer.
	Facts       []string
	Permissions []Permission
	// Limits are how often its product may be asked, as the vendor documents it. The
	// engine paces what all workers begin; a client counts its own calls.
	Limits []Limit
	// ExceptBy says who decides which addresses an isolated device still reaches, where
	// the exceptions of an order can neither be told to the product nor be compared
	// with what it has. It is a clause for people.
	ExceptBy string
	// ByAddress reports that an enforcer knows a device by its addresses alone: its
	// orders carry them.
	ByAddress bool
	// ByProgram reports that what an enforcer does is of one program of the device: its
	// orders carry the program's path.
	ByProgram bool
	// Role is the role of the only process that may carry out its operations; empty:
	// every worker may. Such an integration has a task queue of its own.
	Role string
	// Hearing is what its product tells of when it heard a device's agent; the zero
	// value is nothing, and no playbook can ask for it.
	Hearing Hearing
	// StandsFor are the names that one integration of this kind takes where
	// stanch.yaml does not configure them; empty but for a simulation.
	StandsFor []string
	// MakesFile reports that Open makes the file of the setting path, where there
	// is none.
	MakesFile bool
	// Example is a line of stanch.yaml that lints.
	Example string
	// Reference is what else its page says, in Markdown, made from the types and
	// values that it is about; nil: nothing.
	Reference func() string
	// Script is the text of what people put into a product's library by hand, for an
	// integration that has it run; nil: there is none.
	Script func() string
	// NewConfig returns a pointer to the configuration struct with its
	// defaults. Its fields carry yaml and doc tags; secrets are of type Secret. One that
	// is a [Checker] is checked when the file is read.
	NewConfig func() any
	// Open connects. It gets what NewConfig returned, filled in. It must not
	// block for long, and must not fail because the product is down: that is
	// found by Probe and reported by the first use. [OpenWith] makes it from a
	// function of the configuration's own type.
	Open func(ctx context.Context, config any) (any, error)
}

// Checker is a configuration that says what is wrong with its values, without asking anybody
// or reading a file.
type Checker interface{ Check() error }

// OpenWith returns the Open of a Spec whose NewConfig returns a *C.
func OpenWith[C any](open func(context.Context, *C) (any, error)) func(context.Context, any) (any, error) {
	return func(ctx context.Context, config any) (any, error) {
		c, ok := config.(*C)
		if !ok {
			return nil, Errorf(Invalid, "open an integration", "the configuration is a %T, not a %T", config, c)
		}
		return open(ctx, c)
	}
}

// Vendor is what one folder registers: kinds of integrations, kinds of alert
// sources, ways in which alerts are fetched.
type Vendor struct {
	Integrations []Spec
	Sources      []alerts.Spec
	Transports   []alerts.Transport
}

// Catalog is everything that the configuration can name, each list sorted by kind.
type Catalog struct {
	Integrations []Spec
	Sources      []alerts.Spec
	Transports   []alerts.Transport
}

// NewCatalog gathers what the vendors register.
func NewCatalog(vendors ...Vendor) Catalog {
	var c Catalog
	for _, v := range vendors {
		c.Integrations = append(c.Integrations, v.Integrations...)
		c.Sources = append(c.Sources, v.Sources...)
		c.Transports = append(c.Transports, v.Transports...)
	}
	slices.SortStableFunc(c.Integrations, func(a, b Spec) int { return strings.Compare(a.Kind, b.Kind) })
	slices.SortStableFunc(c.Sources, func(a, b alerts.Spec) int { return strings.Compare(a.Kind, b.Kind) })
	slices.SortStableFunc(c.Transports, func(a, b alerts.Transport) int { return strings.Compare(a.Kind, b.Kind) })
	return c
}

// Integration returns the integration of a kind.
func (c Catalog) Integration(kind string) (Spec, bool) {
	at := slices.IndexFunc(c.Integrations, func(s Spec) bool { return s.Kind == kind })
	if at < 0 {
		return Spec{}, false
	}
	return c.Integrations[at], true
}

// Source returns the alert source of a kind.
func (c Catalog) Source(kind string) (alerts.Spec, bool) {
	at := slices.IndexFunc(c.Sources, func(s alerts.Spec) bool { return s.Kind == kind })
	if at < 0 {
		return alerts.Spec{}, false
	}
	return c.Sources[at], true
}

// Transport returns the way of fetching alerts of a kind.
func (c Catalog) Transport(kind string) (alerts.Transport, bool) {
	at := slices.IndexFunc(c.Transports, func(t alerts.Transport) bool { return t.Kind == kind })
	if at < 0 {
		return alerts.Transport{}, false
	}
	return c.Transports[at], true
}

// TransportKinds lists the kinds of ways in which alerts are fetched.
func (c Catalog) TransportKinds() []string {
	kinds := make([]string, 0, len(c.Transports))
	for _, t := range c.Transports {
		kinds = append(kinds, t.Kind)
	}
	return kinds
}

// IntegrationKinds lists the kinds of integrations.
func (c Catalog) IntegrationKinds() []string {
	kinds := make([]string, 0, len(c.Integrations))
	for _, s := range c.Integrations {
		kinds = append(kinds, s.Kind)
	}
	return kinds
}

// SourceKinds lists the kinds of alert sources.
func (c Catalog) SourceKinds() []string {
	kinds := make([]string, 0, len(c.Sources))
	for _, s := range c.Sources {
		kinds = append(kinds, s.Kind)
	}
	return kinds
}

// Set is the opened integrations by the name that playbooks use.
type Set struct {
	opened map[string]opened
}

type opened struct {
	spec  Spec
	value any
}

// NewSet returns an empty set.
func NewSet() *Set { return &Set{opened: map[string]opened{}} }

// Add puts an opened integration into the set under the name that playbooks
// use.
func (s *Set) Add(name string, spec Spec, value any) { s.opened[name] = opened{spec, value} }

// Names returns the names, sorted.
func (s *Set) Names() []string {
	names := make([]string, 0, len(s.opened))
	for name := range s.opened {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Spec returns the spec behind a name.
func (s *Set) Spec(name string) (Spec, bool) {
	o, ok := s.opened[name]
	return o.spec, ok
}

// Close closes every integration that can be closed.
func (s *Set) Close() error {
	var errs []error
	for _, name := range s.Names() {
		if c, ok := s.opened[name].value.(interface{ Close() error }); ok {
			if err := c.Close(); err != nil {
				errs = append(errs, fmt.Errorf("close integration %s: %w", name, err))
			}
		}
	}
	return errors.Join(errs...)
}

// Use returns the integration called name as the capability C, or an invalid
// error that lists what is configured instead.
func Use[C any](s *Set, name string) (C, error) {
	var none C
	o, ok := s.opened[name]
	if !ok {
		return none, Errorf(Invalid, "use "+name, "no integration of that name is configured; there are %s",
			strings.Join(s.Names(), ", "))
	}
	c, ok := o.value.(C)
	if !ok {
		return none, Errorf(Invalid, "use "+name, "integration kind %s cannot do that", o.spec.Kind)
	}
	return c, nil
}
