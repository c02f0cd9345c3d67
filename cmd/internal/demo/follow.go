package demo

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// look is how often the case is read.
	look = 200 * time.Millisecond
	// beatEvery is how often a progress line is printed, where lines cannot be
	// overwritten.
	beatEvery = 5 * time.Second
)

// follow shows the case as it happens until done, for at most limit.
func (s *show) follow(ctx context.Context, limit time.Duration, what string, done func() bool) error {
	return s.await(ctx, limit, what, func(ctx context.Context) (bool, error) {
		if err := s.refresh(ctx); err != nil {
			return false, err
		}
		return done(), s.showEvents()
	})
}

// await shows progress until done, for at most limit.
func (s *show) await(ctx context.Context, limit time.Duration, what string, done func(context.Context) (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w: %s did not come within %s", errSurprise, what, incident.FormatDuration(limit)))
	defer cancel()
	ticker := time.NewTicker(look)
	defer ticker.Stop()
	for {
		over, err := done(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil || over:
			return err
		}
		if err := s.pass(); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case err := <-s.service.Failed():
			return err
		case err := <-s.meter.broken():
			return err
		case <-ticker.C:
		}
	}
}

// refresh reads the state of the case.
func (s *show) refresh(ctx context.Context) error {
	c, err := s.api.Case(ctx, s.ref.ID, s.ref.Run)
	if err != nil {
		return err
	}
	s.c = c
	return nil
}

// showEvents shows the events that were not shown yet, and with the decision why
// it was made and why no other.
func (s *show) showEvents() error {
	var errs []error
	for ; s.told < len(s.c.Timeline); s.told++ {
		e := s.c.Timeline[s.told]
		if e.Kind == incident.EvClosed && !s.last {
			break
		}
		errs = append(errs, s.p.Event(s.c.OpenedAt, e))
		s.beat = time.Now()
		if d := s.c.Decision; e.Kind == incident.EvDecided && d != nil {
			errs = append(errs, s.p.Trace(*d), s.p.Say(""))
		}
	}
	return errors.Join(errs...)
}

// pass shows progress while nothing happens: egress, and how long the leases are
// active.
func (s *show) pass() error {
	rates, _ := s.meter.recent()
	if s.Overwrites {
		return s.p.Live(rates, s.passing(rates))
	}
	if time.Since(s.beat) < beatEvery {
		return nil
	}
	s.beat = time.Now()
	return s.p.Aside("  … " + s.passing(rates))
}

func (s *show) passing(rates []int64) string {
	parts := []string{"egress not measured"}
	if len(rates) > 0 {
		parts[0] = "egress " + incident.FormatRate(rates[len(rates)-1])
	}
	standing := slices.DeleteFunc(slices.Clone(s.c.Steps), func(step incident.StepState) bool { return step.Status != incident.StepStanding })
	slices.SortStableFunc(standing, func(a, b incident.StepState) int { return a.Until.Compare(b.Until) })
	for _, step := range standing {
		parts = append(parts, step.Name+" "+s.p.Countdown(step.Until))
	}
	return strings.Join(parts, ", ")
}
