package demo

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/integrations/sqlite"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// sensorName is the sensor of all flows of the demo: the log and later ones.
	sensorName = "berlin-edge"
	// exportEvery is how often the sensor exports its records. A measurement of
	// five seconds needs a store that is at most a quarter of that behind.
	exportEvery = 500 * time.Millisecond
	// cutEvery is the longest that a record covers, where more is exported at once.
	cutEvery = 5 * time.Second
	// meterOver is the time over which a rate is shown.
	meterOver = time.Second
	// keptRates bounds the rates that are kept for display.
	keptRates = 64
)

// meter measures egress.
type meter interface {
	// recent returns the last rates, in bits per second and oldest first, and up to when
	// there are measurements.
	recent() ([]int64, time.Time)
	// measure returns the mean rate between two times, in bits per second.
	measure(ctx context.Context, from, to time.Time) (incident.Value[int64], error)
	// broken returns where an error comes when nothing is measured any more.
	broken() <-chan error
}

// sensor plays the flow exporter at the edge of the simulated estate: it writes
// the real flows into the real flow store, and reads back from the store what a
// host sends. It has no access to cases or containments.
type sensor struct {
	estate *memory.Estate
	store  *sqlite.Store
	ips    []string
	failed chan error

	mu sync.Mutex
	// until is the time up to which the estate's traffic was written.
	until time.Time
	rates []int64
}

var _ meter = (*sensor)(nil)

func newSensor(estate *memory.Estate, store *sqlite.Store, from time.Time, ips []string) *sensor {
	return &sensor{estate: estate, store: store, ips: ips, until: from, failed: make(chan error, 1)}
}

// run exports until the context ends.
func (s *sensor) run(ctx context.Context) {
	ticker := time.NewTicker(exportEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-ticker.C:
			if err := s.export(ctx, now); err != nil && ctx.Err() == nil {
				s.failed <- fmt.Errorf("export flows: %w", err)
				return
			}
		}
	}
}

// export writes the flows since the last time, and records the host's rate.
func (s *sensor) export(ctx context.Context, now time.Time) error {
	s.mu.Lock()
	from := s.until
	s.mu.Unlock()
	var records []flowmath.Record
	for begin := from; begin.Before(now); begin = begin.Add(cutEvery) {
		end := begin.Add(cutEvery)
		if end.After(now) {
			end = now
		}
		for _, f := range s.estate.Records(begin, end) {
			both, err := recordsOf(f)
			if err != nil {
				return err
			}
			records = append(records, both...)
		}
	}
	if err := s.store.Append(ctx, records); err != nil {
		return err
	}
	rate, err := s.measure(ctx, now.Add(-meterOver), now)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until = now
	if bits, known := rate.Get(); known {
		s.rates = append(s.rates, bits)
		s.rates = s.rates[max(0, len(s.rates)-keptRates):]
	}
	return nil
}

// measure queries what the host sent in a window, in bits per second.
func (s *sensor) measure(ctx context.Context, from, to time.Time) (incident.Value[int64], error) {
	t, err := s.store.Traffic(ctx, integrations.TrafficQuery{IPs: s.ips, From: from, To: to, Top: 1})
	return t.Rate, err
}

func (s *sensor) broken() <-chan error { return s.failed }

// recent returns the last rates, oldest first, and up to when the store has records.
func (s *sensor) recent() ([]int64, time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.rates), s.until
}

// recordsOf writes a flow as exporters do: one record for each direction.
func recordsOf(f incident.Flow) ([]flowmath.Record, error) {
	src, err := netip.ParseAddr(f.SrcIP)
	if err != nil {
		return nil, fmt.Errorf("read the source of a flow: %w", err)
	}
	dst, err := netip.ParseAddr(f.DstIP)
	if err != nil {
		return nil, fmt.Errorf("read the destination of a flow: %w", err)
	}
	unseen := flowmath.Side{Bytes: flowmath.NotSeen, IPBytes: flowmath.NotSeen, Packets: flowmath.NotSeen}
	out := flowmath.Record{
		Start: f.Start, Duration: f.Duration, Src: src, Dst: dst, SrcPort: uint16(f.SrcPort), DstPort: uint16(f.DstPort),
		Transport: f.Transport, Sampling: 1, Single: true, Sensor: sensorName,
		Orig: flowmath.Side{Bytes: flowmath.NotSeen, IPBytes: f.BytesOut, Packets: f.PacketsOut}, Resp: unseen,
	}
	if f.BytesIn <= 0 {
		return []flowmath.Record{out}, nil
	}
	in := out
	in.Src, in.Dst, in.SrcPort, in.DstPort = out.Dst, out.Src, out.DstPort, out.SrcPort
	in.Orig = flowmath.Side{Bytes: flowmath.NotSeen, IPBytes: f.BytesIn, Packets: flowmath.NotSeen}
	return []flowmath.Record{out, in}, nil
}
