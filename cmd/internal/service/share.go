package service

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
)

const (
	// sharesEvery is how often the engine is asked how many workers there are, and
	// sharesWithin how long it may take.
	sharesEvery  = 10 * time.Second
	sharesWithin = 5 * time.Second
)

// shareLimits keeps each integration that counts its calls to this process's share of its
// product's limits, until the context ends.
func (s *Service) shareLimits(ctx context.Context) {
	tick := time.NewTicker(sharesEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.share(ctx)
		}
	}
}

// share asks the engine who works for each integration. While it does not answer, shares
// stay what they were. Only workers are counted: each from before its first call until the
// engine forgets it, minutes after it was stopped or lost.
func (s *Service) share(ctx context.Context) {
	if !s.has(RoleWorker) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, sharesWithin)
	defer cancel()
	for _, use := range s.set.Names() {
		sharer, err := integrations.Use[integrations.Sharer](s.set, use)
		if err != nil {
			continue
		}
		workers, err := s.workersOf(ctx, protocol.QueueOf(use))
		if err != nil {
			s.options.Log.Warn("the engine does not say how many workers share the limits of a product", "integration", use, "error", err)
			continue
		}
		sharer.Share(workers)
	}
}

// workersOf is how many processes work for a task queue, this one among them. Of a queue in
// several partitions the engine tells who came to the first within the last minutes.
func (s *Service) workersOf(ctx context.Context, queue string) (int, error) {
	answer, err := s.client.DescribeTaskQueue(ctx, queue, enumspb.TASK_QUEUE_TYPE_ACTIVITY)
	if err != nil {
		return 0, err
	}
	workers := map[string]bool{s.identity: true}
	for _, p := range answer.GetPollers() {
		workers[p.GetIdentity()] = true
	}
	return len(workers), nil
}

// identity is a name for this process that no other has: number and host alone are those of
// several containers.
func identity() string {
	host, _ := os.Hostname() // It is for people.
	return fmt.Sprintf("%d@%s@%s", os.Getpid(), host, rand.Text())
}
