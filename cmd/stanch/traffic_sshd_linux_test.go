package main_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/lab"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/servertest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// TestRealGatewaysServerIsDown stops the gateway's SSH server before a limit is given back.
// The lease says that it is not undone; a server that comes back with another key is sent
// nothing; and it is undone when the right one is there.
func TestRealGatewaysServerIsDown(t *testing.T) {
	t.Parallel()
	r := newRealSite(t, lab.Outside, "")
	sshd := r.overSSH(r.path("hold"))
	door := servertest.NewDoor(t, sshd.Port())
	r.sshAt(sshd, door.Port())
	r.start("")
	id := r.alert("a-1", "ws-042", "10.20.4.42").ID
	r.until("the limit to be in place", func() bool { return saw(r.see(id), incident.EvConfirmed, "throttle") })

	// OpenSSH leaves the connections of a server that stops.
	down := func() {
		sshd.Stop(t)
		door.Break(contract.Down)
		door.Break(contract.Works)
	}
	down()
	r.letGo(id, "throttle")
	r.patience = 3 * time.Minute
	pending := func(why string) {
		t.Helper()
		r.until("the lease to say that it is not undone: "+why, func() bool {
			l, ok := r.onlyLease()
			return ok && l.Phase == incident.Undoing && strings.HasPrefix(l.Problem, "the undo has not worked yet") && strings.HasSuffix(l.Problem, why)
		})
		if !strings.Contains(r.rules(), "10.20.4.42") {
			t.Errorf("the limit is gone, though the gateway's helper was not reached: %s", why)
		}
	}
	pending("unavailable")

	restore := sshd.Rekey(t)
	sshd.Start(t)
	pending("access denied")
	if log := sshd.Log(); strings.Contains(log, "publickey") || !strings.Contains(log, "Connection") {
		t.Errorf("a server with another key was sent more than a greeting, or nothing:\n%s", log)
	}
	down()
	restore()
	sshd.Start(t)
	r.until("the limit to be given back", func() bool { return saw(r.see(id), incident.EvGivenBack, "throttle") })
	if left := r.rules(); strings.Contains(left, "10.20.4.42") {
		t.Errorf("the gateway still has\n%s", left)
	}
	r.showTimeline(r.last)
	r.stop()
}
