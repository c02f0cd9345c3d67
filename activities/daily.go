package activities

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Daily sends people the active leases, and returns when it is due again.
var Daily = Ref[DailyIn, DailyOut]{"standing"}

// DailyIn reports whether the digest is due; if not, only its time is asked.
type DailyIn struct {
	protocol.DailyInput
	Due bool `json:"due"`
}

// DailyOut is when the next digest is due.
type DailyOut struct {
	Next time.Time `json:"next"`
}

func (a *Activities) daily(ctx context.Context, in DailyIn) (DailyOut, error) {
	zone, err := time.LoadLocation(in.Zone)
	if err != nil {
		return DailyOut{}, ours("tell what stands", fmt.Sprintf("unknown time zone %q", in.Zone))
	}
	now := a.now().In(zone)
	next, err := nextAt(now, in.At)
	if err != nil || !in.Due {
		return DailyOut{next}, err
	}
	messenger, err := use[integrations.Messenger](a, in.Use)
	if err != nil {
		return DailyOut{}, err
	}
	leases, more, err := a.Leases(ctx)
	if err != nil {
		return DailyOut{}, err
	}
	m := a.dailyMessage(ctx, leases, now)
	if more {
		m.Lines = append(m.Lines, "and more: stanch lease list")
	}
	m.Key, m.Channel = "standing/"+in.Channel+"/"+now.Format("2006-01-02"), in.Channel
	_, err = messenger.Post(ctx, m)
	return DailyOut{next}, err
}

// nextAt is the next time at which a clock in the time's zone shows at.
func nextAt(now time.Time, at string) (time.Time, error) {
	clock, err := time.Parse("15:04", at)
	if err != nil {
		return time.Time{}, ours("tell what stands", fmt.Sprintf("invalid time of day %q", at))
	}
	next := time.Date(now.Year(), now.Month(), now.Day(), clock.Hour(), clock.Minute(), 0, 0, now.Location())
	if !next.After(now) {
		next = time.Date(now.Year(), now.Month(), now.Day()+1, clock.Hour(), clock.Minute(), 0, 0, now.Location())
	}
	return next, nil
}

// dailyMessage lists what is active, until when, what was never proven and what
// ends today.
func (a *Activities) dailyMessage(ctx context.Context, leases []incident.Lease, now time.Time) integrations.Message {
	unproven, today := 0, 0
	var lines []string
	for _, l := range leases {
		proof := a.proofOf(ctx, l)
		if proof != "verified" {
			unproven++
		}
		until := l.Until.In(now.Location())
		ends := until.Format("2006-01-02 15:04 MST")
		if len(l.Holders) > 0 && until.YearDay() == now.YearDay() && until.Year() == now.Year() {
			today++
			ends = until.Format("15:04 MST") + " today"
		}
		what := strings.ReplaceAll(string(l.Order.Action), "_", " ") + " " + l.Order.Target.Name()
		line := fmt.Sprintf("%s until %s, %s, for %s", what, ends, proof, holdersOf(l))
		if len(l.Holders) == 0 {
			line = what + " is being given back"
		}
		if !l.UndoPendingSince.IsZero() {
			line = what + ": " + l.State() + " since " + l.UndoPendingSince.In(now.Location()).Format("2006-01-02 15:04 MST")
		}
		if l.Problem != "" {
			line += "; " + l.Problem
		}
		lines = append(lines, line)
	}
	m := integrations.Message{
		Title: fmt.Sprintf("Standing: %d; never proven: %d; ending today: %d", len(leases), unproven, today),
		Lines: lines, API: a.apiAddress("/v1/leases"),
	}
	if len(leases) == 0 {
		m.Title = "Nothing stands: no host is contained."
	}
	return m
}

// proofOf is the best proof that a holder of the lease has.
func (a *Activities) proofOf(ctx context.Context, l incident.Lease) string {
	proof := "accepted, never confirmed"
	if !l.ConfirmedAt.IsZero() {
		proof = "confirmed, never proven effective"
	}
	for _, h := range l.Holders {
		c, err := a.Workflows.Case(ctx, strings.TrimPrefix(h.Case, protocol.CaseWorkflowID("")), h.Run)
		if err != nil {
			continue
		}
		for _, s := range c.Steps {
			if s.Lease != l.ID {
				continue
			}
			switch s.Proof {
			case incident.Verified:
				return string(incident.Verified)
			case incident.NotEffective:
				proof = "not effective"
			case incident.CannotTell, incident.NoProof:
			}
		}
	}
	return proof
}

func holdersOf(l incident.Lease) string {
	names := make([]string, 0, len(l.Holders))
	for _, h := range l.Holders {
		names = append(names, strings.TrimPrefix(h.Case, protocol.CaseWorkflowID("")))
	}
	return strings.Join(names, ", ")
}
