package memory

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Config is what stanch.yaml says of a simulated estate.
type Config struct {
	Path     string   `yaml:"path" doc:"Journal file in which containments, kills and messages outlive the process; none keeps them in memory."`
	Scenario Scenario `yaml:"scenario" enum:"flood,quiet,reflector,backup" doc:"What happens in the estate: flood, quiet, reflector or backup."`
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
	return describe(func(_ context.Context, config any) (any, error) {
		c, ok := config.(*Config)
		if !ok {
			return nil, fmt.Errorf("open memory: the configuration is a %T", config)
		}
		mu.Lock()
		defer mu.Unlock()
		if opened != nil {
			if with != *c {
				return nil, fmt.Errorf("open memory: all integrations of kind memory are one estate, "+
					"but one says path %q and scenario %q, another path %q and scenario %q", with.Path, with.Scenario, c.Path, c.Scenario)
			}
			return opened, nil
		}
		e, err := New(Options{Path: c.Path})
		if err != nil {
			return nil, err
		}
		if err := e.Populate(c.Scenario); err != nil {
			return nil, fmt.Errorf("open memory: %w", errors.Join(err, e.Close()))
		}
		opened, with = e, *c
		return e, nil
	})
}

// Spec describes this very estate, for tests that lay their own.
func (e *Estate) Spec() integrations.Spec {
	return describe(func(context.Context, any) (any, error) { return e, nil })
}

func describe(open func(context.Context, any) (any, error)) integrations.Spec {
	return integrations.Spec{
		Kind:    "memory",
		Summary: "A simulated estate: hosts, processes and flows that change when they are contained. For tests and the demo.",
		Actions: incident.Actions(),
		Facts:   incident.FactNames(),
		Example: "edr: { kind: memory, scenario: flood }",
		NewConfig: func() any {
			return &Config{Scenario: Flood}
		},
		Open: open,
	}
}
