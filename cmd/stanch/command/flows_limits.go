package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// judge says by which limits the role of a host's traffic is told: those of the
// configuration for what its inventory takes the host for, as in a case.
type judge struct {
	byRole      incident.LimitsByRole
	inventories []integrations.Inventory
	opened      []any
}

// newJudge opens the inventories of a configuration; without one the limits are
// the shipped ones.
func newJudge(ctx context.Context, c *config.Config) (*judge, error) {
	j := &judge{}
	if c == nil {
		return j, nil
	}
	j.byRole = c.Traffic.ByRole
	for _, i := range c.Opened {
		if !slices.Contains(i.Spec.Facts, "asset") {
			continue
		}
		opened, err := i.Spec.Open(ctx, i.Config)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("open integration %s: %w", i.Name, err), j.Close())
		}
		j.opened = append(j.opened, opened)
		if inventory, ok := opened.(integrations.Inventory); ok {
			j.inventories = append(j.inventories, inventory)
		}
	}
	return j, nil
}

// Close closes the inventories.
func (j *judge) Close() error {
	var errs []error
	for _, opened := range j.opened {
		if closer, ok := opened.(io.Closer); ok {
			errs = append(errs, closer.Close())
		}
	}
	return errors.Join(errs...)
}

// limits returns the limits for the host. One that no inventory knows has the
// default ones.
func (j *judge) limits(ctx context.Context, host integrations.EndpointQuery) *incident.RoleLimits {
	role := ""
	for _, inventory := range j.inventories {
		if asset, err := inventory.Asset(ctx, host); err == nil {
			role, _ = asset.Role.Get()
			break
		}
	}
	limits := j.byRole.For(role)
	return &limits
}
