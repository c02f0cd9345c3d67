package service

import (
	"context"
	"errors"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

// followAgain is when what could not be followed is tried again.
const followAgain = 10 * time.Second

// follow has the flow stores read their logs, until the context ends.
func (s *Service) follow(ctx context.Context) {
	if !s.has(RoleWorker) {
		return
	}
	for _, name := range s.set.Names() {
		if follower, err := integrations.Use[integrations.Follower](s.set, name); err == nil {
			s.running.Go(func() { s.followOne(ctx, name, follower) })
		}
	}
}

func (s *Service) followOne(ctx context.Context, name string, follower integrations.Follower) {
	log := s.options.Log.With("integration", name)
	for {
		err := follower.Follow(ctx, func(f integrations.Followed) {
			switch {
			case f.Err != nil:
				log.Warn("a log cannot be read", "file", f.File, "error", f.Err)
			case f.Bad > 0:
				log.Warn("some lines of a log cannot be read", "file", f.File, "lines", f.Bad, "first", f.Why, "flows", f.Records)
			default:
				log.Debug("flows were added", "file", f.File, "flows", f.Records)
			}
		})
		if err == nil || errors.Is(err, context.Canceled) {
			return
		}
		log.Error("logs are not followed", "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(followAgain):
		}
	}
}
