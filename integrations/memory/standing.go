package memory

import (
	"context"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Standing implements [integrations.Lister].
func (e *Estate) Standing(ctx context.Context) ([]incident.Order, error) {
	var standing []incident.Order
	err := e.perform(ctx, use{op: "standing"}, func() error {
		now := e.now().UTC()
		for _, c := range e.containments {
			if c.Order.Key != "" && !c.Lie && c.open(now) {
				standing = append(standing, c.Order)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(standing, func(a, b incident.Order) int { return strings.Compare(a.Key, b.Key) })
	return standing, nil
}
