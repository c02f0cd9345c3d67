package service

import (
	"context"
	"slices"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// leases are those that stand, as the daily message asks for them.
func (s *Service) leases(ctx context.Context) ([]incident.Lease, bool, error) {
	list, err := s.engine.Leases(ctx)
	return list.Leases, list.More || len(list.Unread) > 0, err
}

// tellDaily has people told once a day what stands, as the configuration says
// now; without a place for it nobody is told any more.
func (s *Service) tellDaily(ctx context.Context) error {
	where := s.options.Config.Daily
	if where.Use == "" {
		return s.engine.StopDaily(ctx, "stanch.yaml names no place for it")
	}
	in := protocol.DailyInput{Use: where.Use, Channel: where.Channel, At: where.At, Zone: where.Zone}
	if slices.Contains(s.limited(), where.Use) {
		in.Queue = protocol.QueueOf(where.Use)
	}
	return s.engine.TellDaily(ctx, in)
}
