package activities

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/evidence/casetest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// A network that is not given back is called the same wherever people read of it.
func TestAnUndoThatIsPendingIsSaid(t *testing.T) {
	c := casetest.Waiting(t)
	c.Steps[1].UndoPending, c.Steps[1].Problem = true, "the lease expired; still trying"
	steps := CardOf(c, -1).Steps
	at := slices.IndexFunc(steps, func(s integrations.CardStep) bool { return s.Word == "undo pending" })
	if at != 1 || steps[at].Problem != c.Steps[1].Problem {
		t.Errorf("the card's steps are %+v", steps)
	}

	target, err := incident.DeviceTarget("ws-042", "ws-042")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	l := incident.Lease{Use: "gateway", Order: incident.Order{Action: incident.RateLimit, Target: target}, Phase: incident.Undoing}
	for want, since := range map[string]time.Time{
		"rate limit ws-042 is being given back":                           {},
		"rate limit ws-042: undo pending since 2026-03-02 08:30 UTC; why": now.Add(-30 * time.Minute),
	} {
		l.UndoPendingSince = since
		if !since.IsZero() {
			l.Problem = "why"
		}
		if lines := (&Activities{}).dailyMessage(t.Context(), []incident.Lease{l}, now).Lines; !slices.Contains(lines, want) {
			t.Errorf("the daily digest says %q, want %q", strings.Join(lines, "\n"), want)
		}
		l.Problem = ""
	}
}
