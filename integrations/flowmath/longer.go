package flowmath

import (
	"fmt"
	"sync"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Longer knows whether a store holds flows that last longer than it looks for:
// those are missing in a window that begins later than that after their start.
type Longer struct {
	// Limit is the setting longest.
	Limit time.Duration

	mu    sync.Mutex
	asked time.Time
	found time.Duration
}

// askedAgain is how long what was found holds: to look costs more than a
// question.
const askedAgain = time.Hour

// Find returns how long a flow is that lasts longer than the limit, or 0. Measure
// looks for one; where it fails, what was known before stands.
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

// why says that a store looks for shorter flows than it has, or nothing.
func (s Span) why() string {
	if s.Longer == 0 {
		return ""
	}
	return fmt.Sprintf("flows last up to %s, and longest is %s: of longer ones the rest is missing",
		incident.FormatDuration(s.Longer), incident.FormatDuration(s.Limit))
}

// longer is what doctor says of it.
func (s Span) longer(store string) []integrations.Finding {
	if s.Longer == 0 {
		return nil
	}
	return []integrations.Finding{{
		What: store + ": " + s.why(), OK: true, Warning: true,
		Fix: "raise longest beyond " + incident.FormatDuration(s.Longer) + ", or have the exporters write a flow more often",
	}}
}
