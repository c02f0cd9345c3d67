package sqlite

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// goflow is one flow as goflow2 writes it.
func goflow(end time.Time, sensor string, bytes, packets, rate int) string {
	return fmt.Sprintf(`{"type":"NETFLOW_V9","sampling_rate":%d,"sampler_address":%q,"time_flow_start_ns":%d,"time_flow_end_ns":%d,`+
		`"bytes":%d,"packets":%d,"src_addr":"10.20.4.42","dst_addr":"198.51.100.7","proto":"UDP","src_port":50000,"dst_port":123}`+"\n",
		rate, sensor, end.Add(-20*time.Second).UnixNano(), end.UnixNano(), bytes, packets)
}

// An exporter that leaves the sampling rate at 0 has not reported it; the rate
// that is given when its log is imported is used instead.
func TestConfiguredRateAtTheImport(t *testing.T) {
	at := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	log := goflow(at.Add(-time.Minute), "10.0.0.1", 5000, 4, 0) + goflow(at.Add(-2*time.Minute), "10.0.0.2", 300, 2, 1)
	for _, tt := range []struct {
		said, bytes int64
		coverage    string
	}{{0, 300, "one_way"}, {1, 5300, "both"}, {1000, 5_000_300, "sampled"}} {
		s := openStore(t, time.Time{})
		if _, err := s.Import(t.Context(), strings.NewReader(log), ImportOptions{Name: "log", Sampling: tt.said}); err != nil {
			t.Fatal(err)
		}
		got, err := s.Traffic(t.Context(), integrations.TrafficQuery{IPs: []string{"10.20.4.42"}, From: at.Add(-15 * time.Minute), To: at})
		if err != nil {
			t.Fatal(err)
		}
		n, _ := got.BytesOut.Get()
		if coverage, _ := got.Coverage.Get(); n != tt.bytes || coverage != tt.coverage {
			t.Errorf("with a rate of %d, bytes_out is %v, coverage %s; want %d, %s", tt.said, got.BytesOut, coverage, tt.bytes, tt.coverage)
		}
	}
}

// Freshness for a window in the past depends on the records of about its end,
// regardless of later records and of the number of blocks.
func TestFreshnessOfThePast(t *testing.T) {
	at := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	s := openStore(t, at.Add(24*time.Hour))
	var records []flowmath.Record
	for minute := range 600 {
		// A gap of an hour, two hours after the first record.
		if minute >= 120 && minute < 180 {
			continue
		}
		for host := range 30 {
			r := recordOf(incident.Flow{
				Start: at.Add(time.Duration(minute) * time.Minute), Duration: time.Duration(host) * time.Second, BytesOut: 100, PacketsOut: 1,
				Tuple: incident.Tuple{SrcIP: fmt.Sprintf("10.0.%d.1", host), DstIP: "198.51.100.7", DstPort: 53, Transport: "udp"},
			})
			records = append(records, r)
		}
		if minute%97 == 0 {
			if err := s.Append(t.Context(), records); err != nil {
				t.Fatal(err)
			}
			records = nil
		}
	}
	if err := s.Append(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ to, newest time.Duration }{
		{100*time.Minute + 40*time.Second, 102*time.Minute + 29*time.Second},
		{150 * time.Minute, 119*time.Minute + 29*time.Second},
		{179 * time.Minute, 180*time.Minute + 29*time.Second},
		{24 * time.Hour, 599*time.Minute + 29*time.Second},
	} {
		span, err := s.SpanAt(t.Context(), at.Add(tt.to))
		if err != nil {
			t.Fatal(err)
		}
		// Once the end of the window is reached, nothing newer is looked for.
		low := min(tt.to, tt.newest)
		if got := span.Newest.Sub(at); got < low || got > tt.newest+time.Minute {
			t.Errorf("for a window that ends after %s the newest record is of %s, want %s to %s", tt.to, got, low, tt.newest)
		}
	}
}

// Doctor names the sensor whose clock is ahead: as a warning where another sensor
// has records of the present, else as a failure.
func TestTheProbeNamesASensorThatIsAhead(t *testing.T) {
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name string
		live time.Duration
		ok   bool
	}{{"another is live", time.Minute, true}, {"the other is dead", 2 * time.Hour, false}} {
		s := openStore(t, now)
		log := goflow(now.Add(-tt.live), "10.0.0.1", 5000, 4, 1) + goflow(now.Add(8*time.Hour), "10.0.0.9", 1400, 1, 1)
		if _, err := s.Import(t.Context(), strings.NewReader(log), ImportOptions{Name: "log"}); err != nil {
			t.Fatal(err)
		}
		found := s.Probe(t.Context())
		last := found[len(found)-1]
		if len(found) != 2 || last.OK != tt.ok || last.Warning != tt.ok || last.Fix == "" ||
			!strings.Contains(last.What, "the clock of sensor 10.0.0.9 is ahead by 8h") {
			t.Errorf("where %s, the probe says %+v", tt.name, found)
		}
	}
}
