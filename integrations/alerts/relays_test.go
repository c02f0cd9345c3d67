package alerts_test

import (
	"strings"
	"testing"
)

// A tool on the way writes fewer digits of a fraction, or the indexer's envelope around the
// alert: it is the same occurrence, and no more than it.
func TestRelaysMakeNoOccurrence(t *testing.T) {
	const (
		incident  = `{"name":"i","properties":{"title":"T","createdTimeUtc":"2026-03-01T03:00:00.1234567Z"}}`
		graph     = `{"id":"d","title":"T","createdDateTime":"2026-03-01T03:00:00.1234567Z"}`
		manager   = `{"id":"1.2","timestamp":"2026-03-01T03:00:00.123+0000","rule":{"level":3}}`
		millis    = "00.123Z"
		digits    = "00.1234567Z"
		otherTime = "00.124Z"
	)
	for _, c := range []struct {
		kind, body, other string
		same              bool
	}{
		{"sentinel", incident, strings.Replace(incident, digits, millis, 1), true},
		{"sentinel", incident, strings.Replace(incident, digits, otherTime, 1), false},
		{"defender", graph, strings.Replace(graph, digits, millis, 1), true},
		{"defender", graph, strings.Replace(graph, digits, otherTime, 1), false},
		{"wazuh", manager, `{"_index":"wazuh-alerts","_id":"h","_source":` + manager + `}`, true},
	} {
		if a, b := one(t, c.kind, c.body), one(t, c.kind, c.other); (a.Prints[0] == b.Prints[0]) != c.same {
			t.Errorf("%s: %s and %s are %v and %v; want one occurrence: %v", c.kind, c.body, c.other, a.Prints, b.Prints, c.same)
		}
	}
}
