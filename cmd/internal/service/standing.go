package service

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.temporal.io/api/serviceerror"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/httpapi"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// leases are those that stand, as the daily digest asks for them.
func (s *Service) leases(ctx context.Context) ([]incident.Lease, bool, error) {
	list, err := httpapi.Leases(ctx, s.client)
	return list.Leases, list.More || len(list.Unread) > 0, err
}

// tellStanding has people told once a day what stands, as the configuration
// says now; without a place for it nobody is told any more.
func (s *Service) tellStanding(ctx context.Context) error {
	const id = protocol.StandingWorkflow
	where := s.options.Config.Standing
	if where.Use == "" {
		err := s.client.TerminateWorkflow(ctx, id, "", "stanch.yaml names no place for it")
		if _, ok := errors.AsType[*serviceerror.NotFound](err); err != nil && !ok {
			return fmt.Errorf("stop telling what stands: %w", err)
		}
		return nil
	}
	in := protocol.StandingInput{Use: where.Use, Channel: where.Channel, At: where.At, Zone: where.Zone}
	if slices.Contains(s.limited(), where.Use) {
		in.Queue = protocol.QueueOf(where.Use)
	}
	return NewEngine(s.client).SignalWithStart(ctx, activities.Call{
		Workflow: protocol.StandingWorkflow, ID: id, Input: in, Attributes: map[string]string{protocol.AttrKind: protocol.StandingWorkflow},
		Signal: protocol.ConfigureSignal, Arg: in,
	})
}
