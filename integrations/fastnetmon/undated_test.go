package fastnetmon

import (
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

// What says neither a time nor the id of an attack is known by its host alone: then an
// attack that comes later is told from a repeat by when it came.
func TestWithoutATimeTheOccurrenceIsOpen(t *testing.T) {
	t.Parallel()
	const post = `{"address":"10.20.0.42","direction":"outgoing","action":"ban","details":"IP: 10.20.0.42\nTotal outgoing traffic: 502 mbps\n"}`
	parsed, err := alerts.Source{Spec: Alerts(), Name: "net"}.Parse([]byte(post), time.Now())
	if err != nil || len(parsed) != 1 || parsed[0].Wrong != nil {
		t.Fatalf("%s is read as %+v, %v", post, parsed, err)
	}
	if a := parsed[0].Alert; a.Prints[0] != a.Fingerprint() || !strings.HasPrefix(a.ID, "10.20.0.42") {
		t.Errorf("%s is the occurrence %s of %s %s; want none of its own", post, a.Prints[0], a.ID, a.Fingerprint())
	}
}
