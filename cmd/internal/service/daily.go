package service

import (
	"context"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// leases selects the active leases for the daily message.
func (s *Service) leases(ctx context.Context) ([]incident.Lease, bool, error) {
	list, err := s.engine.Leases(ctx)
	return list.Leases, list.More || len(list.Unread) > 0, err
}

// tellDaily starts the daily message about active leases, as now
// configured; without a channel for it the message is stopped.
func (s *Service) tellDaily(ctx context.Context) error {
	where := s.options.Config.Daily
	if where.Use == "" {
		return s.engine.StopDaily(ctx, "stanch.yaml names no place for it")
	}
	in := protocol.DailyInput{Use: where.Use, Channel: where.Channel, At: where.At, Zone: where.Zone}
	in.Queue = s.queueOf(where.Use)
	return s.engine.TellDaily(ctx, in)
}
