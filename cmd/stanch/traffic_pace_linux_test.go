package main_test

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/lab"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// sampling is of how many packets a sensor samples one: of the flood it sees hundreds a
// second.
const sampling = 10

// TestRealTrafficSampled has sensors that sample packets by sFlow tell the detector and the
// flow store of a flood: the samples prove the limit.
func TestRealTrafficSampled(t *testing.T) {
	t.Parallel()
	if err := lab.ReadyToSample(); err != nil {
		t.Skipf("SKIPPED: no sensor that samples: %v", err)
	}
	r := newRealSite(t, lab.Outside, "")
	r.watchedBy(lab.Sensor{Sampling: sampling})
	r.stored(r.flooder)
	r.limited(r.flooder)
	if proof := r.proofOf(r.flooder); !strings.HasPrefix(proof, "egress is ") {
		t.Errorf("it was proven by %q, want the flow store", proof)
	}
	if covered, _ := r.last.Facts.Traffic.Coverage.Get(); covered != "sampled" {
		t.Errorf("the traffic's coverage is %q, want sampled", covered)
	}
	r.release(caseOf(r.flooder), "throttle")
	r.stop()
}

// stored has a host send a little, until the flow store has some of it: the detector hears of a
// flood before a file of the store is complete, and the case would ask an empty store.
func (r *realSite) stored(host *lab.Node) {
	r.t.Helper()
	folder, err := r.lab.Folder("flows-" + lab.Outside)
	if err != nil {
		r.t.Fatal(err)
	}
	r.transfer(host, lab.Probe{UDP: true, Rate: realFlood / 20})
	r.until("the flow store to have records", func() bool {
		records, err := exec.CommandContext(r.t.Context(), "nfdump", "-q", "-R", folder, "-c", "1").Output()
		return err == nil && len(bytes.TrimSpace(records)) > 0
	})
}

// roomyPlaybook asks for less than twice the limit: of the first seconds the flow store also
// has what the limit lets through at once, and some of what flowed before it.
var roomyPlaybook = strings.Replace(realPlaybook, "egress_below: 15Mbit", "egress_below: 20Mbit", 1)

// BenchmarkFirstPacketToEffect measures the time from a flood's first packet until its
// limit is effective, by stage: the median, and of the last one the longest, too. Sensors
// report by kind, before the limit, where the gateway's counters prove it, or after it.
func BenchmarkFirstPacketToEffect(b *testing.B) {
	stages := map[incident.EventKind]string{
		incident.EvOpened: "alert-s", incident.EvDecided: "decided-s", incident.EvConfirmed: "confirmed-s", incident.EvVerified: "effective-s",
	}
	for _, bb := range []struct {
		name, side, sees string
		kind             lab.Sensor
	}{
		{"samples, after", lab.Outside, "", lab.Sensor{Sampling: sampling}},
		{"flows every second, after", lab.Outside, "", lab.Sensor{Active: time.Second}},
		{"flows every 30 s, before", lab.Inside, ", sees: { gateway: before }", lab.Sensor{Active: 30 * time.Second}},
		{"flows every 30 s, after", lab.Outside, "", lab.Sensor{Active: 30 * time.Second}},
	} {
		b.Run(bb.name, func(b *testing.B) {
			took := map[string][]float64{}
			for b.Loop() {
				b.StopTimer()
				r := newRealSite(b, bb.side, bb.sees)
				r.patience = 3 * time.Minute
				r.write("playbooks/high-egress-windows.yaml", roomyPlaybook)
				r.watchedBy(bb.kind)
				b.StartTimer()
				begun := time.Now()
				r.limited(r.flooder)
				b.StopTimer()
				for _, e := range r.last.Timeline {
					if stage, ok := stages[e.Kind]; ok {
						took[stage] = append(took[stage], e.At.Sub(begun).Seconds())
					}
				}
				r.stop()
				b.StartTimer()
			}
			for stage, all := range took {
				slices.Sort(all)
				b.ReportMetric(all[len(all)/2], stage)
			}
			b.ReportMetric(slices.Max(took["effective-s"]), "effective-max-s")
		})
	}
}
