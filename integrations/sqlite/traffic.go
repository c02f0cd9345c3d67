package sqlite

import (
	"context"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Traffic implements [integrations.Flows]. A flow counts with its share of the
// window, by time. Where some flows were seen one way only, the sums are of the
// others and coverage says one_way; where all were, the sums are unknown.
func (s *Store) Traffic(ctx context.Context, q integrations.TrafficQuery) (incident.Traffic, error) {
	const op = "read traffic"
	h, err := flowmath.TrafficHost(op, q)
	if err != nil {
		return incident.Traffic{}, err
	}
	dbs, err := s.dbs(ctx)
	if err != nil {
		return incident.Traffic{}, err
	}
	span, err := readSpan(ctx, dbs.read)
	if err != nil {
		return incident.Traffic{}, err
	}
	views, err := dbs.views(ctx, hostOf(h), q.From.UnixNano(), q.To.UnixNano())
	if err != nil {
		return incident.Traffic{}, failed(op, err)
	}
	return flowmath.Traffic(h, q, span, views), nil
}
