//go:build unix

package clustertest

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"go.temporal.io/server/common/dynamicconfig"
)

// Deployment is what docker-compose.yml says of the parts besides Stanch.
type Deployment struct {
	// database are PostgreSQL's arguments, env is the environment of Temporal's server.
	database []string
	env      map[string]string
	// dynamic is Temporal's dynamic configuration, changed what replaces values of it.
	dynamic string
	changed map[string]string
}

// ReadDeployment reads docker-compose.yml.
func ReadDeployment(ctx context.Context, compose string) (Deployment, error) {
	p, err := loader.LoadWithContext(ctx, types.ConfigDetails{
		WorkingDir:  filepath.Dir(compose),
		ConfigFiles: []types.ConfigFile{{Filename: compose}},
		Environment: types.Mapping{"POSTGRES_PASSWORD": "-", "STANCH_CONFIG": "/"},
	}, func(o *loader.Options) { o.SetProjectName("stanch", true) })
	if err != nil {
		return Deployment{}, fmt.Errorf("read %s: %w", compose, err)
	}
	d := Deployment{env: map[string]string{}, dynamic: p.Configs["temporal-dynamic"].Content}
	if command := p.Services["postgresql"].Command; len(command) > 0 {
		d.database = command[1:]
	}
	for name, value := range p.Services["temporal"].Environment {
		if value != nil {
			d.env[name] = *value
		}
	}
	if d.dynamic == "" || d.env["NUM_HISTORY_SHARDS"] == "" {
		return Deployment{}, fmt.Errorf("%s has no dynamic configuration or no number of shards", compose)
	}
	return d, nil
}

// With returns the deployment with one setting changed: a variable of Temporal's
// environment (NUM_HISTORY_SHARDS), a value of its dynamic configuration
// (history.shardIOConcurrency), or a parameter of PostgreSQL (max_connections).
func (d Deployment) With(name, value string) Deployment {
	switch {
	case name == strings.ToUpper(name):
		d.env = maps.Clone(d.env)
		d.env[name] = value
	case strings.Contains(name, "."):
		d.changed = maps.Clone(d.changed)
		if d.changed == nil {
			d.changed = map[string]string{}
		}
		d.changed[name] = value
	default:
		// The last one counts.
		d.database = append(d.database[:len(d.database):len(d.database)], "-c", name+"="+value)
	}
	return d
}

// number is a variable of Temporal's environment, or what its image takes where it is not given.
func (p placement) number(name string, otherwise int) (int, error) {
	text, given := p.Env[name]
	if !given {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, fmt.Errorf("%s of the server's environment: %w", name, err)
	}
	return n, nil
}

// settings is the dynamic configuration. A name that the server does not know is an error.
func (p placement) settings() (dynamicconfig.StaticClient, error) {
	read := dynamicconfig.LoadYamlFile([]byte(p.Dynamic))
	for name, value := range p.Changed {
		read.LoadValue(dynamicconfig.MakeKey(name), []byte("- value: "+value))
	}
	for _, wrong := range append(read.Errors, read.Warnings...) {
		return nil, fmt.Errorf("read the dynamic configuration: %w", wrong)
	}
	out := dynamicconfig.StaticClient{}
	for key, values := range read.Map {
		out[key] = values
	}
	return out, nil
}
