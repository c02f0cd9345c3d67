package wording

import (
	"testing"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Who signed in at a proxy stands beside the process, with who says so, and text that an attacker chose stays in
// its place.
func TestWhoSignedInIsToldWithWhoSaysSo(t *testing.T) {
	var c incident.Case
	find := func() string {
		for _, l := range headline(c) {
			if l.Label == "Signed in" {
				return l.Text
			}
		}
		return ""
	}
	if got := find(); got != "" {
		t.Errorf("nobody is named, and it says %q", got)
	}
	c.Facts.Traffic.Senders = []incident.Sender{
		{IP: "10.20.4.42", User: "alice", Sensor: "squid1"},
		{IP: "10.20.4.42", User: "bob@example.com", Device: "ws-042"},
		{IP: "10.20.4.42", Device: "ws-0\n42", Sensor: "zia"},
	}
	if got, want := find(), `alice, says squid1; bob@example.com on ws-042; ws-0 42, says zia`; got != want {
		t.Errorf("it says %q, want %q", got, want)
	}
}
