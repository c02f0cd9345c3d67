package flowmath

import (
	"fmt"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// String says the gap for people.
func (g Gap) String() string {
	clock := func(at time.Time) string { return at.UTC().Format(time.RFC3339) }
	return fmt.Sprintf("sensor %q says that it has no records from %s to %s: %s", g.Sensor, clock(g.From), clock(g.To), g.Why)
}

// shownGaps bounds the gaps that an answer names.
const shownGaps = 3

// GapTexts says gaps for people, the first of them.
func GapTexts(gaps []Gap) []string {
	var why []string
	for _, g := range gaps[:min(len(gaps), shownGaps)] {
		why = append(why, g.String())
	}
	if more := len(gaps) - shownGaps; more > 0 {
		why = append(why, fmt.Sprintf("and %d more gaps", more))
	}
	return why
}

// LackingSurvey adds to a survey that there are times without records.
func LackingSurvey(s *incident.Survey, gaps []Gap) {
	why := GapTexts(gaps)
	if s.AtLeast != "" {
		why = append(why, s.AtLeast)
	}
	s.AtLeast = strings.Join(why, ", ")
}

// Lacking adds to an answer that some of what the host sent may not be in the records. What is
// known is the least that it sent then, and nothing is not known to be nothing.
func Lacking(t *incident.Traffic, gaps []Gap) {
	if len(gaps) == 0 {
		return
	}
	why := GapTexts(gaps)
	t.AtLeast = append(t.AtLeast, why...)
	if sent, ok := t.BytesOut.Get(); ok && sent == 0 {
		reason := "flows: " + why[0]
		t.BytesOut, t.PacketsOut = incident.NotKnown[int64](reason), incident.NotKnown[int64](reason)
		t.Rate, t.Role = incident.NotKnown[int64](reason), incident.NotKnown[string](reason)
	}
}

// Lack makes the windows in which there are no records unknown, unless some are known to have sent.
func (w *Windows) Lack(g Gap) {
	from, to := max(g.From.UnixNano(), w.from), min(g.To.UnixNano(), w.To().UnixNano())
	for at := from; at < to; at += w.length - (at-w.from)%w.length {
		w.windows[(at-w.from)/w.length].lacking = true
	}
}
