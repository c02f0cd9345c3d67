package wording_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/playbooks/evidence/casetest"
	"github.com/stanch-soar/stanch/playbooks/evidence/wording"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// A containment that may be held again is told with its bound, its round and until when the
// host is watched; another has no more words than before.
func TestAContainmentThatIsHeldAgainIsTold(t *testing.T) {
	c := casetest.Flood(t)
	at := slices.IndexFunc(c.Steps, func(s incident.StepState) bool { return s.Name == "throttle" })
	told := func() wording.Step {
		all := wording.Of(c).Steps
		return all[slices.IndexFunc(all, func(s wording.Step) bool { return s.Name == "throttle" })]
	}
	if s := told(); s.Lasts != "" || s.Held != "" {
		t.Errorf("it is told %q, %q", s.Lasts, s.Held)
	}
	s := &c.Steps[at]
	s.Hold = &incident.Hold{AtMost: 8 * time.Hour, Watch: 15 * time.Minute}
	s.Held = &incident.Held{Round: 2, Above: 20e6, Of: "again_above", WatchUntil: time.Date(2026, 3, 2, 14, 15, 0, 0, time.UTC)}
	if s := told(); s.Lasts != "for 1h, at most 8h while it still sends" ||
		s.Held != "round 2; it counts as still sending from 20 Mbit/s on (again_above); watched until 14:15 UTC" {
		t.Errorf("it is told %q, %q", s.Lasts, s.Held)
	}
	c.Status = incident.Watching
	if standing := wording.Of(c).Standing; !strings.Contains(standing, "watched until") || !strings.Contains(standing, "14:15") {
		t.Errorf("the case is %q", standing)
	}
}
