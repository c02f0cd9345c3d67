package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// The demos' steps, as their playbooks name them.
const (
	throttle  = "throttle"
	cutOff    = "cut-off"
	stopFlood = "stop-flood"
)

const (
	// promptly is the limit of steps without a time limit of their own.
	promptly = 30 * time.Second
	// settled is how long after a change the flow store is queried about it.
	settled = 3 * time.Second
)

// step returns a step of the case in its present state.
func (s *show) step(name string) (incident.StepState, bool) {
	at := slices.IndexFunc(s.c.Steps, func(step incident.StepState) bool { return step.Name == name })
	if at < 0 {
		return incident.StepState{}, false
	}
	return s.c.Steps[at], true
}

// firstResponse follows the case up to the proof of the first containment.
func (s *show) firstResponse(ctx context.Context) error {
	return s.proven(ctx, throttle)
}

// proven follows the case until the flow store has answered whether a step is
// effective. Any answer but yes is an error.
func (s *show) proven(ctx context.Context, name string) error {
	err := s.follow(ctx, time.Minute, "the proof of "+name, func() bool {
		step, ok := s.step(name)
		over := []incident.StepStatus{incident.StepFailed, incident.StepSkipped, incident.StepEnded}
		return ok && (step.Proof != incident.NoProof || slices.Contains(over, step.Status))
	})
	if err != nil {
		return err
	}
	step, _ := s.step(name)
	if step.Proof != incident.Verified {
		return fmt.Errorf("%w: %s is not proven effective: %s", errSurprise, name, cmp.Or(step.ProofDetail, step.Problem, string(step.Status)))
	}
	return s.hold(ctx)
}

// hold records the active leases, to have their contents when they have ended.
func (s *show) hold(ctx context.Context) error {
	standing, err := s.api.Leases(ctx)
	if err != nil {
		return err
	}
	for _, l := range standing.Leases {
		for _, h := range l.Holders {
			s.held[h.Step] = l
		}
	}
	return nil
}

// approved reports whether people approved.
func (s *show) approved() bool {
	return slices.ContainsFunc(s.c.Approvals, func(a incident.Approval) bool { return a.State == incident.Approved })
}

// containment follows the approved steps: the host is isolated and its process
// ended, until the lease expires.
func (s *show) containment(ctx context.Context) error {
	if !s.approved() {
		return nil
	}
	if err := s.proven(ctx, cutOff); err != nil {
		return err
	}
	step, _ := s.step(cutOff)
	err := errors.Join(
		s.p.Say(""),
		s.p.Aside(fmt.Sprintf("The playbook lends %s for %s only, so that you can see it end; yours would say hours. Nobody needs to be there:", cutOff, incident.FormatDuration(step.TTL))),
	)
	if err != nil {
		return err
	}
	if err := s.ended(ctx, cutOff, step.TTL+promptly); err != nil {
		return err
	}
	rate, err := s.afterRelease(ctx, cutOff)
	if err != nil {
		return err
	}
	if rate <= step.Verify.EgressBelow {
		return fmt.Errorf("%w: the host was given back and still sends only %s", errSurprise, incident.FormatRate(rate))
	}
	limit, _ := s.step(throttle)
	if rate >= limit.Rate/2 {
		return fmt.Errorf("%w: the process was ended and the host still sends %s", errSurprise, incident.FormatRate(rate))
	}
	return nil
}

// ended follows the case until the lease of a step was given back.
func (s *show) ended(ctx context.Context, name string, within time.Duration) error {
	return s.follow(ctx, within, "the end of "+name, func() bool {
		step, _ := s.step(name)
		return step.Status == incident.StepEnded
	})
}

// afterRelease shows the proof of a release: the device's state, and what the flow
// store has measured since. It returns the rate.
func (s *show) afterRelease(ctx context.Context, name string) (int64, error) {
	lease, ok := s.held[name]
	if !ok {
		return 0, fmt.Errorf("%w: no lease of %s was seen", errSurprise, name)
	}
	device, err := integrations.Use[integrations.Enforcer](s.service.Integrations(), lease.Use)
	if err != nil {
		return 0, err
	}
	standing, err := device.Read(ctx, lease.Order)
	if err != nil {
		return 0, err
	}
	if standing.Stands || standing.Pending {
		return 0, fmt.Errorf("%w: %s was given back and is still active", errSurprise, name)
	}
	step, _ := s.step(name)
	from := step.EndedAt
	if err := s.measuredSince(ctx, from); err != nil {
		return 0, err
	}
	_, until := s.meter.recent()
	measured, err := s.meter.measure(ctx, from, until)
	if err != nil {
		return 0, err
	}
	rate, known := measured.Get()
	if !known {
		return 0, fmt.Errorf("%w: egress after %s is unknown: %s", errSurprise, name, measured.Why())
	}
	return rate, errors.Join(
		s.p.Field("device", fmt.Sprintf("%s is no longer active on %s", lease.Order.Action, lease.Order.Target.Name()), "read from "+lease.Use+" just now"),
		s.p.Field("egress", incident.FormatRate(rate)+s.against(rate), s.measured+", since then"),
	)
}

// watch follows the case for a while in which nothing needs to happen.
func (s *show) watch(ctx context.Context, d time.Duration) error {
	over := time.Now().Add(d)
	return s.follow(ctx, d+promptly, "the clock", func() bool { return time.Now().After(over) })
}

// measuredSince follows the case until the flow store has measured for a while
// since then.
func (s *show) measuredSince(ctx context.Context, then time.Time) error {
	return s.follow(ctx, promptly, "a measurement", func() bool {
		_, until := s.meter.recent()
		return until.Sub(then) >= settled
	})
}

// against compares a rate with what is usual: the rate of the case, or what another host
// of the network sends.
func (s *show) against(rate int64) string {
	if s.network != nil && rate <= 2*works {
		return ", which is what ws-017 sends"
	}
	if usual, ok := s.usual(); ok && rate <= 2*usual {
		return ", as usual for this host (p99 is " + incident.FormatRate(usual) + ")"
	}
	return ""
}

// usual is the host's p99 as a rate.
func (s *show) usual() (int64, bool) {
	p99, ok := s.c.Facts.Baseline.P99.Get()
	window, known := s.c.Facts.Traffic.Window.Get()
	if !ok || !known || window <= 0 {
		return 0, false
	}
	return int64(float64(p99) * 8 / window.Seconds()), true
}

// givenBack has the person release the remaining lease before its time.
func (s *show) givenBack(ctx context.Context) error {
	step, ok := s.step(throttle)
	if !ok || step.Status != incident.StepStanding {
		return nil
	}
	why, reason := "The flood has ended with its process. The limit would stay for another", "the process was ended, egress is as usual"
	if !s.approved() {
		why, reason = "No host was cut off, and the limit holds. It would stay for another", "end of the demo"
		if err := s.watch(ctx, settled); err != nil {
			return err
		}
	}
	left := incident.FormatDuration(time.Until(step.Until).Truncate(time.Second))
	err := errors.Join(s.p.Say(""), s.p.Aside(why+" "+left+"; the analyst shortens its lease and gives it back now:"))
	if err != nil {
		return err
	}
	if _, err := s.api.ReleaseLease(ctx, api.LeaseRequest{ID: step.Lease, Reason: reason}); err != nil {
		return err
	}
	if err := s.ended(ctx, throttle, promptly); err != nil {
		return err
	}
	rate, err := s.afterRelease(ctx, throttle)
	if err != nil {
		return err
	}
	if s.approved() {
		return nil
	}
	if rate <= step.Verify.EgressBelow {
		return fmt.Errorf("%w: the limit is gone and the host sends only %s", errSurprise, incident.FormatRate(rate))
	}
	return s.p.Aside("The flood is back: the process was not ended, as the answer asked. The next alert opens a new case.")
}

// closed follows the case to its end, and shows a summary.
func (s *show) closed(ctx context.Context) error {
	s.last = true
	if err := s.follow(ctx, promptly, "the end of the case", func() bool { return s.c.Status == incident.Closed }); err != nil {
		return err
	}
	if s.c.EvidenceDir == "" {
		return fmt.Errorf("%w: the case is closed without an evidence bundle", errSurprise)
	}
	return s.p.Outcome(s.c)
}
