package command

import (
	"context"
	"strings"

	"github.com/stanch-soar/stanch/cmd/internal/config"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// checkExceptions looks whether hosts that are isolated would still reach the
// infrastructure, where that is not a matter of the order alone.
func checkExceptions(ctx context.Context, c *config.Config, about string, spec integrations.Spec, opened any) []finding {
	addresses := c.Exempt.Addresses()
	if len(addresses) == 0 || !spec.Does(incident.Isolate) {
		return nil
	}
	if spec.ExceptBy != "" {
		return []finding{warn(about, "see to it in the product, then isolate a machine that nobody needs and try",
			"cannot tell whether %s in infrastructure stay reachable for isolated hosts: %s", strings.Join(addresses, ", "), spec.ExceptBy)}
	}
	x, ok := opened.(integrations.Excepter)
	if !ok {
		return nil
	}
	missing, err := x.Unexcepted(ctx, addresses)
	switch {
	case err != nil:
		return []finding{bad(about, permissions(spec), "%v", err)}
	case len(missing) > 0:
		return []finding{bad(about, "add them to the exceptions of the product, or take them out of infrastructure in stanch.yaml",
			"no host is isolated: the product has no exception for %s", strings.Join(missing, ", "))}
	}
	return []finding{fine(about, "isolated hosts still reach %s", strings.Join(addresses, ", "))}
}
