package flowmath

import (
	"fmt"
	"sync"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Longer records whether a store has flows that are longer than its limit: those
// are missing from a window that begins later than the limit after their start.
type Longer struct {
	// Limit is the setting longest.
	Limit time.Duration

	mu    sync.Mutex
	asked time.Time
	found time.Duration
}

// askedAgain is how long a result is kept: to look costs more than a query.
const askedAgain = time.Hour

// Find returns the length of a flow that is longer than the limit, or 0. Measure
// looks for one; where it fails, the earlier result is returned.
func (l *Longer) Find(now time.Time, measure func() (time.Duration, error)) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.asked.IsZero() || now.Sub(l.asked) > askedAgain {
		l.asked = now
		if found, err := measure(); err == nil {
			l.found = found
		}
	}
	if l.found <= l.Limit {
		return 0
	}
	return l.found
}

// why says that a store has flows longer than its limit, or is empty.
func (s Span) why() string {
	if s.Longer == 0 {
		return ""
	}
	return fmt.Sprintf("flows last up to %s, and longest is %s: of longer ones the rest is missing",
		incident.FormatDuration(s.Longer), incident.FormatDuration(s.Limit))
}

// longer is doctor's finding about it.
func (s Span) longer(store string) []integrations.Finding {
	if s.Longer == 0 {
		return nil
	}
	return []integrations.Finding{{
		What: store + ": " + s.why(), OK: true, Warning: true,
		Fix: "raise longest above " + incident.FormatDuration(s.Longer) + ", or have the exporters write a flow more often",
	}}
}
