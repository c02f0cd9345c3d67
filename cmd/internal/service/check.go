package service

import (
	"context"
	"fmt"
	"log/slog"

	"go.temporal.io/sdk/client"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/engine"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks"
)

// Playbooks loads the playbooks that a configuration names, as Start does, and
// compares them with its integrations.
func Playbooks(c *config.Config, set *integrations.Set) ([]*playbooks.Playbook, error) {
	s, err := newShelf(folders(c), set, slog.New(slog.DiscardHandler), playbooks.WithRoles(c.AssetRoles))
	if err != nil {
		return nil, err
	}
	return s.playbooks(), nil
}

// Open opens the configured integrations; one that acts through another must come after it.
func Open(ctx context.Context, all []config.Integration) (*integrations.Set, error) {
	set := integrations.NewSet()
	for _, i := range all {
		opened, err := i.Spec.Connect(ctx, i.Config)
		if err != nil {
			return set, fmt.Errorf("open integration %s: %w", i.Name, err)
		}
		if err := integrations.Join(set, opened); err != nil {
			return set, fmt.Errorf("join integration %s with the one that it acts through: %w", i.Name, err)
		}
		set.Add(i.Name, i.Spec, opened)
	}
	return set, nil
}

// Reach connects to the team's own engine, as Start does.
func Reach(ctx context.Context, c *config.Config) (client.Client, error) {
	reach, err := reachOf(c, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	return engine.Dial(ctx, reach)
}

func folders(c *config.Config) []string {
	dirs := make([]string, 0, len(c.Playbooks))
	for _, dir := range c.Playbooks {
		dirs = append(dirs, c.Path(dir))
	}
	return dirs
}

// reachOf describes how the engine is reached: where, with which keys and
// certificates.
func reachOf(c *config.Config, log *slog.Logger) (engine.Config, error) {
	reach := engine.Config{Address: c.Temporal.Address, Namespace: c.Temporal.Namespace, Logger: log}
	var err error
	if c.Temporal.Keys != "" {
		if reach.Keys, err = engine.ParseKeys(c.Temporal.Keys); err != nil {
			return reach, fmt.Errorf("read the encryption keys: %w", err)
		}
	}
	if c.Temporal.TLS != nil && c.Temporal.Address != config.Embedded {
		reach.TLS, err = c.Temporal.TLS.Load()
	}
	return reach, err
}
