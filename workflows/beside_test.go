package workflows_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// beside adds traffic of an address of which the EDR knows nothing, which ends after a
// time, 0 for never, and has the alert name it as one of the host's.
func (w *world) beside(ip string, until time.Duration) incident.Alert {
	w.t.Helper()
	hidden := memory.Host{ID: "nobody", IPs: []string{ip}, Processes: []memory.Process{{
		Path: "/flood", PID: 1, Streams: []memory.Stream{{
			Destinations: []string{"2001:db8:ffff::1"}, DstPort: 53, Transport: "udp", BitsOut: 50_000_000, From: -10 * time.Minute, To: until,
		}},
	}}}
	var facts incident.Facts
	incident.Explain(&facts.Endpoint, "the EDR has no such device")
	if err := w.estate.AddHost(hidden); err != nil {
		w.t.Fatal(err)
	}
	if err := w.estate.SetFacts(hidden.ID, facts); err != nil {
		w.t.Fatal(err)
	}
	alert := alertFor("ws-042", "10.20.4.42")
	alert.Host.IP = incident.Known([]string{"10.20.4.42", ip}, incident.FromAlert)
	return alert
}

// An isolation of a device that has gone quiet is no proof while an address by which the
// alert names it, and the EDR does not, goes on sending. Once that is quiet, it is.
func TestWhatLeavesBesideADeviceIsNoProof(t *testing.T) {
	t.Parallel()
	const ip = "10.20.9.9"
	for name, tt := range map[string]struct {
		until time.Duration
		proof incident.Proof
	}{
		"it goes on":            {0, incident.CannotTell},
		"it ends in good time":  {45 * time.Second, incident.Verified},
		"it had ended long ago": {-9 * time.Minute, incident.Verified},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, memory.Flood, "high-egress-windows", "do: [evidence, throttle, cut-off, tell]", "do: [evidence, cut-off, tell]")
			id := w.open(w.beside(ip, tt.until))
			w.explainOnFailure(id)
			during := w.snap(10*time.Minute, id)
			w.run(5 * time.Hour)
			s := step(t, *during, "cut-off")
			if s.ConfirmedAt.IsZero() || s.Proof != tt.proof {
				t.Errorf("confirmed %s, proof %q: %s", s.ConfirmedAt, s.Proof, s.ProofDetail)
			}
			if says := strings.Contains(s.ProofDetail, "the alert names "+ip+", which the EDR does not know as the device's, and 50 Mbit/s leave there"); says != (tt.proof == incident.CannotTell) {
				t.Errorf("the proof says: %s", s.ProofDetail)
			}
		})
	}
}

// A device that is quiet in the family in which its EDR knows it, and floods in the other,
// is not taken for quiet: people are asked, and told why.
func TestAFloodInAFamilyThatTheEDRDoesNotKnowIsAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Quiet, "high-egress-windows")
	id := w.open(w.beside("2001:db8:20::42", 0))
	w.explainOnFailure(id)
	during := w.snap(10*time.Minute, id)
	w.run(5 * time.Hour)
	why := during.Facts.Traffic.BytesOut.Why()
	if len(during.Approvals) == 0 || !strings.Contains(why, "the alert names 2001:db8:20::42, which the EDR does not know as the device's, and") {
		t.Errorf("%d approvals were asked for, and the volume is unknown for %q", len(during.Approvals), why)
	}
}

// What leaves an address that many send through says nothing of a device that an alert
// names by it.
func TestAnAddressOfManyIsNotBesideADevice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows", "do: [evidence, throttle, cut-off, tell]", "do: [evidence, cut-off, tell]")
	alert := w.beside("2001:db8:20::42", 0)
	nat := incident.Facts{Asset: incident.Asset{Tags: incident.Known([]string{"nat"}, incident.FromInventory)}}
	incident.Explain(&nat.Endpoint, "the EDR has no such device")
	if err := w.estate.SetFacts("nobody", nat); err != nil {
		t.Fatal(err)
	}
	id := w.open(alert)
	w.explainOnFailure(id)
	during := w.snap(10*time.Minute, id)
	w.run(5 * time.Hour)
	if !during.Facts.Traffic.BytesOut.IsKnown() {
		t.Errorf("the device's volume is %s", during.Facts.Traffic.BytesOut)
	}
	if s := step(t, *during, "cut-off"); s.Proof != incident.Verified {
		t.Errorf("proof %q: %s", s.Proof, s.ProofDetail)
	}
}
