package alerts

import (
	"testing"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// A state that people write in two words is the same however they are put together.
func TestStatusOfWords(t *testing.T) {
	t.Parallel()
	for word, want := range map[string]incident.AlertStatus{
		"In Progress": incident.Firing, "inProgress": incident.Firing, "in-progress": incident.Firing, "IN_PROGRESS": incident.Firing,
		"reopened": incident.Firing, "Re-opened": incident.Firing, "triggered": incident.Firing,
		"Not Alerting": incident.NotAlerting, "not_alerting": incident.NotAlerting, "Closed": incident.Resolved,
	} {
		if got, ok := StatusOf(word); !ok || got != want {
			t.Errorf("%q is read as %q, %v; want %q", word, got, ok, want)
		}
	}
	for _, word := range []string{"unresolved", "un-closed", "in  progress", ""} {
		if got, ok := StatusOf(word); ok {
			t.Errorf("%q is read as %q; want no state", word, got)
		}
	}
}
