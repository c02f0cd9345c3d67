package workflows_test

import (
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/integrations/sqlite"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// recordOf is a flow as an exporter writes it.
func recordOf(f incident.Flow, sensor string) flowmath.Record {
	return flowmath.Record{
		Start: f.Start, Duration: f.Duration, Src: netip.MustParseAddr(f.SrcIP), Dst: netip.MustParseAddr(f.DstIP),
		SrcPort: uint16(f.SrcPort), DstPort: uint16(f.DstPort), Transport: f.Transport,
		Orig:     flowmath.Side{Bytes: flowmath.NotSeen, IPBytes: f.BytesOut, Packets: f.PacketsOut},
		Resp:     flowmath.Side{Bytes: flowmath.NotSeen, IPBytes: f.BytesIn, Packets: flowmath.NotSeen},
		Sampling: 1, Sensor: sensor,
	}
}

// The exporter that saw the flood stops when the host is cut off, and what is
// recorded from then on proves nothing: it is of another sensor's future, or has
// no packets, or does not say its sampling rate.
func TestWhatCountsNothingProvesNothing(t *testing.T) {
	t.Parallel()
	other := incident.Flow{
		Start: start.Add(8 * time.Hour), Duration: 20 * time.Second, BytesOut: 1400, PacketsOut: 1,
		Tuple: incident.Tuple{SrcIP: "10.99.0.1", SrcPort: 50000, DstIP: "198.51.100.7", DstPort: 123, Transport: "udp"},
	}
	own := other
	own.SrcIP, own.Duration = "10.20.4.42", 20*time.Minute
	own.Start = start.Add(time.Second)
	empty := own
	empty.BytesOut, empty.PacketsOut = 0, 0
	noRate := recordOf(own, "10.0.0.1")
	noRate.Sampling = 0
	var live []flowmath.Record
	for minute := range 30 {
		f := other
		f.Start = start.Add(time.Duration(minute) * time.Minute)
		live = append(live, recordOf(f, "10.0.0.1"))
	}
	for name, later := range map[string][]flowmath.Record{
		"a sensor is ahead":              {recordOf(other, "10.0.0.9")},
		"no packets are counted":         append(live, recordOf(empty, "10.0.0.1")),
		"the sampling rate is not known": append(live, noRate),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, memory.Flood, "high-egress-windows")
			store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "flows.db"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = store.Close() })
			records := slices.Clone(later)
			for _, f := range w.estate.Records(start.Add(-20*time.Minute), start) {
				records = append(records, recordOf(f, "10.0.0.1"))
			}
			if err := store.Append(t.Context(), records); err != nil {
				t.Fatal(err)
			}
			w.set.Add("flows", sqlite.Spec(), store)
			id := w.open(alertFor("ws-042", "10.20.4.42"))
			w.explainOnFailure(id)
			w.run(30 * time.Minute)
			s := step(t, w.see(id), "cut-off")
			if s.Proof != incident.CannotTell || s.AcceptedAt.IsZero() {
				t.Errorf("accepted %s, proof %q: %s", s.AcceptedAt, s.Proof, s.ProofDetail)
			}
		})
	}
}

// A sensor whose clock is ahead is named in the case.
func TestASensorThatIsAheadIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	w.estate.AddSeen("fw-02", 1, incident.Flow{
		Start: start.Add(8 * time.Hour), Duration: time.Second, BytesOut: 1400, PacketsOut: 1,
		Tuple: incident.Tuple{SrcIP: "10.99.0.1", SrcPort: 50000, DstIP: "198.51.100.7", DstPort: 123, Transport: "udp"},
	})
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	w.run(10 * time.Minute)
	told := texts(w.see(id), incident.EvEnriched, "the clock of sensor fw-02 is ahead by 8h")
	if len(told) == 0 || !strings.Contains(told[0], "proves nothing") {
		t.Errorf("the timeline says %+v", happened(w.see(id), incident.EvEnriched))
	}
}
