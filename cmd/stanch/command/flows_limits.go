package command

import (
	"context"
	"errors"
	"slices"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/cmd/internal/service"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

// judge selects the limits for the role of a host's traffic: those of the
// configuration for the host's asset role in its inventory, as in a case.
type judge struct {
	byRole      traffic.LimitsByRole
	roles       incident.Vocabulary
	set         *integrations.Set
	inventories []integrations.Inventory
}

// newJudge opens the inventories of a configuration; without one the limits are
// the shipped ones.
func newJudge(ctx context.Context, c *config.Config) (*judge, error) {
	j := &judge{set: integrations.NewSet()}
	if c == nil {
		return j, nil
	}
	j.byRole, j.roles = c.Traffic.ByRole, c.AssetRoles
	assets := slices.DeleteFunc(slices.Clone(c.Opened), func(i config.Integration) bool { return !i.Spec.Can("Inventory") })
	var err error
	if j.set, err = service.Open(ctx, assets); err != nil {
		return nil, errors.Join(err, j.set.Close())
	}
	for _, i := range assets {
		if inventory, err := integrations.Use[integrations.Inventory](j.set, i.Name); err == nil {
			j.inventories = append(j.inventories, inventory)
		}
	}
	return j, nil
}

// Close closes the inventories.
func (j *judge) Close() error { return j.set.Close() }

// limits returns the limits for the host. A host that is in no inventory has the
// default ones.
func (j *judge) limits(ctx context.Context, host integrations.EndpointQuery) *traffic.RoleLimits {
	role := ""
	for _, inventory := range j.inventories {
		if asset, err := inventory.Asset(ctx, host); err == nil {
			asset.InWords(j.roles)
			role, _ = asset.Role.Get()
			break
		}
	}
	limits := j.byRole.For(role)
	return &limits
}
