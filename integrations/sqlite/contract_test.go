package sqlite

import (
	"net/netip"
	"path/filepath"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// openStore returns an empty store whose clock is fixed at now.
func openStore(tb testing.TB, now time.Time) *Store {
	tb.Helper()
	s, err := Open(tb.Context(), filepath.Join(tb.TempDir(), "flows.db"))
	if err != nil {
		tb.Fatal(err)
	}
	if !now.IsZero() {
		s.now = func() time.Time { return now }
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

func recordOf(f incident.Flow) flowmath.Record {
	return flowmath.Record{
		Start: f.Start, Duration: f.Duration,
		Src: netip.MustParseAddr(f.SrcIP), Dst: netip.MustParseAddr(f.DstIP),
		SrcPort: uint16(f.SrcPort), DstPort: uint16(f.DstPort), Transport: f.Transport,
		Orig:     flowmath.Side{Bytes: flowmath.NotSeen, IPBytes: f.BytesOut, Packets: f.PacketsOut},
		Resp:     flowmath.Side{Bytes: flowmath.NotSeen, IPBytes: f.BytesIn, Packets: flowmath.NotSeen},
		Sampling: 1, OneWay: f.BytesOut < 0, Sensor: "test",
	}
}

func flowsHarness() contract.FlowsHarness {
	seen := func(t testing.TB, flows []contract.Seen) integrations.Flows {
		s := openStore(t, time.Time{})
		records := make([]flowmath.Record, len(flows))
		for i, f := range flows {
			records[i] = recordOf(f.Flow)
			records[i].Sensor, records[i].Sampling = f.Sensor, f.Sampling
		}
		if err := s.Append(t.Context(), records); err != nil {
			t.Fatal(err)
		}
		return s
	}
	return contract.FlowsHarness{
		Knobs:    contract.Knobs{Kind: "sqlite", Unbreakable: "a local file"},
		OpenSeen: seen,
	}
}

func TestContract(t *testing.T) { contract.Flows(t, flowsHarness()) }
func TestHunter(t *testing.T)   { contract.Hunter(t, flowsHarness()) }
func TestCensus(t *testing.T)   { contract.Census(t, flowsHarness()) }
func TestSurveyor(t *testing.T) { contract.Surveyor(t, flowsHarness()) }

func TestSenders(t *testing.T) {
	contract.Senders(t, contract.SendersHarness{
		Knobs: contract.Knobs{Kind: "sqlite", Unbreakable: "a local file"},
		Open: func(t testing.TB, sent []contract.Named) integrations.Senders {
			s := openStore(t, time.Time{})
			records := make([]flowmath.Record, len(sent))
			for i, one := range sent {
				records[i] = recordOf(one.Flow)
				records[i].Sensor, records[i].Device, records[i].User = one.Sensor, one.Device, one.User
			}
			if err := s.Append(t.Context(), records); err != nil {
				t.Fatal(err)
			}
			return s
		},
	})
}
