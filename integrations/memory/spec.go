package memory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Config is the configuration of a simulated estate in stanch.yaml.
type Config struct {
	Path     string   `yaml:"path" doc:"Journal file in which containments, kills, messages and replies outlive the process; none keeps them in memory."`
	Scenario Scenario `yaml:"scenario" enum:"flood,quiet,reflector,backup" doc:"Course of events in the estate: flood, quiet, reflector or backup."`
	// Addresses give hosts others than they have, such as one of IPv6 beside that of IPv4.
	Addresses map[string][]string `yaml:"addresses" doc:"The addresses that hosts have in the place of their own, by the host's id, such as { ws-042: [10.20.4.42, '2001:db8:20::42'] }. They send from the first."`
	// Delay and DelayAnswer make products slow, for drills: a call is cut off
	// before it had an effect, or only its answer is.
	Delay       map[string]time.Duration `yaml:"delay" doc:"How long calls of an operation take before anything is carried out, such as { apply isolate: 2s }; for drills."`
	DelayAnswer map[string]time.Duration `yaml:"delay_answer" doc:"How long calls of an operation take to answer after it was carried out; for drills."`
	// Fail makes products refuse or fail, for drills of what is watched.
	Fail map[string]string `yaml:"fail" doc:"Operations that fail before anything is carried out, each with the kind of its error, such as { undo isolate: unavailable }; for drills."`
}

// Vendor is what this folder registers.
func Vendor() integrations.Vendor {
	return integrations.Vendor{Integrations: []integrations.Spec{Spec()}}
}

// Spec describes the estate for stanch.yaml. Everything that is opened from one
// Spec is the same estate, so that what the gateway limits is what the flow
// store measures; their configurations must agree.
func Spec() integrations.Spec {
	var (
		mu     sync.Mutex
		opened *Estate
		with   Config
	)
	return describe(integrations.OpenWith(func(_ context.Context, c *Config) (any, error) {
		mu.Lock()
		defer mu.Unlock()
		if opened != nil {
			if !reflect.DeepEqual(with, *c) {
				return nil, fmt.Errorf("open memory: all integrations of kind memory are one estate, "+
					"but one says %s, another %s", with, c)
			}
			return opened, nil
		}
		e, err := c.open()
		if err != nil {
			return nil, fmt.Errorf("open memory: %w", err)
		}
		opened, with = e, *c
		return e, nil
	}))
}

func (c Config) String() string {
	return fmt.Sprintf("path %q, scenario %q, addresses %v, delay %v, delay_answer %v, fail %v", c.Path, c.Scenario, c.Addresses, c.Delay, c.DelayAnswer, c.Fail)
}

// open returns the estate that the configuration describes.
func (c *Config) open() (*Estate, error) {
	for _, op := range slices.Concat(slices.Sorted(maps.Keys(c.Delay)), slices.Sorted(maps.Keys(c.DelayAnswer))) {
		if !isOperation(op) {
			return nil, fmt.Errorf("unknown operation %q in delay", op)
		}
	}
	for _, op := range slices.Sorted(maps.Keys(c.Fail)) {
		if !isOperation(op) {
			return nil, fmt.Errorf("unknown operation %q in fail", op)
		}
		if !slices.Contains(integrations.Kinds(), integrations.Kind(c.Fail[op])) {
			return nil, fmt.Errorf("invalid kind of error %q of %s in fail: must be one of %v", c.Fail[op], op, integrations.Kinds())
		}
	}
	e, err := New(Options{Path: c.Path})
	if err != nil {
		return nil, err
	}
	for op, kind := range c.Fail {
		e.Fail(op, integrations.Error{Kind: integrations.Kind(kind)}, -1)
	}
	maps.Copy(e.delays, c.Delay)
	maps.Copy(e.answerDelays, c.DelayAnswer)
	if err := e.populate(c.Scenario, c.Addresses); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return e, nil
}

// Spec describes this estate, for tests with their own.
func (e *Estate) Spec() integrations.Spec {
	return describe(func(context.Context, any) (any, error) { return e, nil })
}

// carriesOut reports whether the estate carries an action out.
func carriesOut(a incident.Action) bool {
	switch a {
	case incident.Notify, incident.Collect, incident.RateLimit, incident.Block, incident.KillProcess, incident.Isolate:
		return true
	}
	return false
}

// Operation returns the operation by which the estate is asked for a fact, if it
// answers it; see [Estate.Fail].
func Operation(fact string) (op string, ok bool) {
	switch fact {
	case incident.EndpointFact:
		return "endpoints", true
	case incident.ProcessFact:
		return "connections", true
	case incident.TrafficFact:
		return "traffic", true
	case incident.BaselineFact:
		return "baseline", true
	case incident.AssetFact:
		return "asset", true
	}
	return "", false
}

func answered() []string {
	return slices.DeleteFunc(incident.FactNames(), func(fact string) bool {
		_, ok := Operation(fact)
		return !ok
	})
}

func describe(open func(context.Context, any) (any, error)) integrations.Spec {
	return integrations.Spec{
		Kind:       "memory",
		Summary:    "A simulated estate: hosts, processes and flows that change when they are contained. For tests and the demo.",
		Implements: (*Estate)(nil),
		Actions:    incident.ActionsWhere(carriesOut),
		Facts:      answered(),
		Hearing:    integrations.Hearing{Within: integrations.ShortestHearing, Source: "agents of the estate are heard all the time"},
		StandsFor:  []string{"edr", "flows", "gateway", "inventory", "slack"},
		MakesFile:  true,
		Reference:  reference,
		Example:    "edr: { kind: memory, scenario: flood }",
		NewConfig: func() any {
			return &Config{Scenario: Flood}
		},
		Open: open,
	}
}
