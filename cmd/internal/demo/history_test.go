package demo

import (
	"bytes"
	"compress/gzip"
	"io"
	"math"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowlog/synthetic"
	"github.com/stanch-soar/stanch/integrations/sqlite"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// maxLog bounds the shipped flow log: it is part of the binary.
const maxLog = 300_000

// TestTheFlowLogIsWhatItsGeneratorWrites keeps the shipped log reproducible.
// UPDATE_GOLDEN=1 writes it.
func TestTheFlowLogIsWhatItsGeneratorWrites(t *testing.T) {
	want := flowHistory(t)
	file := filepath.Join("files", flowLog)
	if os.Getenv("UPDATE_GOLDEN") != "" {
		var packed bytes.Buffer
		z, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := z.Write(want); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, packed.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	packed, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("files/conn.log.gz is not what the generator writes: UPDATE_GOLDEN=1 go test ./cmd/internal/demo")
	}
	if len(packed) > maxLog {
		t.Errorf("the log has %d bytes, at most %d", len(packed), maxLog)
	}
	if !bytes.Contains(got[:500], []byte("SYNTHETIC")) {
		t.Error("the log does not say that it is synthetic")
	}
}

// TestTheFlowLogIsAnOrdinaryFortnight imports the log as the demo does. The demo's
// normal traffic must be known, and far below the flood.
func TestTheFlowLogIsAnOrdinaryFortnight(t *testing.T) {
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "flows.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	packed, err := shipped.ReadFile("files/" + flowLog)
	if err != nil {
		t.Fatal(err)
	}
	end := time.Now().Truncate(time.Second)
	done, err := store.Import(t.Context(), bytes.NewReader(packed), sqlite.ImportOptions{Name: flowLog, Sensor: sensorName, ShiftTo: end})
	if err != nil || done.Bad > 0 || done.Records < 4000 {
		t.Fatalf("imported %d flows, %d bad: %v %v", done.Records, done.Bad, done.BadLines, err)
	}
	span, err := store.Span(t.Context())
	if err != nil || !span.Newest.Equal(end) || end.Sub(span.Oldest) < historyDays*24*time.Hour-time.Hour {
		t.Errorf("it reaches from %s to %s, want a fortnight up to %s: %v", span.Oldest, span.Newest, end, err)
	}
	b, err := store.Baseline(t.Context(), integrations.BaselineQuery{
		IPs: []string{"10.20.4.42"}, To: end, Days: historyDays, Window: 15 * time.Minute,
	})
	if err != nil {
		t.Fatal(err)
	}
	median, _ := b.Median.Get()
	p99, ok := b.P99.Get()
	if !ok || median < 1<<20 || p99 < median || p99 > 64<<20 {
		t.Errorf("ws-042 usually sends %s and at most %s in 15 minutes", incident.FormatSize(median), b.P99)
	}
}

const historyDays = 14

// sender is a host of the estate as the sensor saw it.
type sender struct {
	ip string
	// perHour is how many flows it opens in an hour of work, atNight in others.
	perHour, atNight float64
	peers            []string
	port             int
	service          string
	transport        string
	// bytes is the median of what a flow sends, answer the ratio of what comes back.
	bytes, answer float64
	// spread is the deviation of the logarithm of sizes.
	spread  float64
	minutes float64
}

// senders are the hosts of the simulated estate with the peers and rates that
// it gives them.
func senders() []sender {
	return []sender{
		{
			ip: "10.20.4.42", perHour: 11, atNight: 5, peers: []string{"203.0.113.10", "203.0.113.11"}, port: 443,
			service: "ssl", transport: "tcp", bytes: 3_000_000, answer: 6, spread: 0.5, minutes: 14,
		},
		{
			ip: "10.20.4.17", perHour: 9, atNight: 4, peers: []string{"203.0.113.10", "203.0.113.11"}, port: 443,
			service: "ssl", transport: "tcp", bytes: 3_200_000, answer: 6, spread: 0.5, minutes: 14,
		},
		{
			ip: "10.20.1.5", perHour: 3, atNight: 2, peers: []string{"203.0.113.53", "203.0.113.54"}, port: 53,
			service: "dns", transport: "udp", bytes: 700_000, answer: 5, spread: 0.3, minutes: 20,
		},
		{
			ip: "10.20.1.30", perHour: 1, atNight: 1, peers: []string{"198.51.100.77"}, port: 443,
			service: "ssl", transport: "tcp", bytes: 200_000_000, answer: 0.01, spread: 0.4, minutes: 40,
		},
		{
			ip: "10.20.2.10", perHour: 6, atNight: 3, peers: []string{"203.0.113.80", "203.0.113.81", "203.0.113.82"}, port: 443,
			service: "ssl", transport: "tcp", bytes: 150_000_000, answer: 0.1, spread: 0.3, minutes: 15,
		},
	}
}

// flowHistory writes a fortnight of ordinary traffic in the form of Zeek's
// conn.log. The same seed writes the same bytes.
func flowHistory(t *testing.T) []byte {
	t.Helper()
	begin := time.Date(2026, time.January, 5, 0, 0, 0, 0, time.UTC)
	end := begin.Add(historyDays * 24 * time.Hour)
	chance := rand.New(rand.NewPCG(1434, 42))
	var flows []synthetic.Flow
	for _, s := range senders() {
		for at := begin; at.Before(end); at = at.Add(s.pause(chance, at)) {
			flows = append(flows, s.flow(chance, at, end))
		}
	}
	slices.SortStableFunc(flows, func(a, b synthetic.Flow) int { return a.At.Compare(b.At) })
	l := synthetic.Log{Note: "written by the generator in cmd/internal/demo for stanch demo, no real host", UID: "CDemo", Flows: flows}
	var out bytes.Buffer
	if err := l.WriteTSV(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// pause is how long it takes until the host opens its next flow.
func (s sender) pause(chance *rand.Rand, at time.Time) time.Duration {
	perHour := s.atNight
	weekend := at.Weekday() == time.Saturday || at.Weekday() == time.Sunday
	if at.Hour() >= 8 && at.Hour() < 18 && !weekend {
		perHour = s.perHour
	}
	return time.Duration(chance.ExpFloat64() / perHour * float64(time.Hour)).Truncate(time.Millisecond)
}

// flow draws a flow that begins at a moment and is over at the log's end.
func (s sender) flow(chance *rand.Rand, at, end time.Time) synthetic.Flow {
	const packet = 1200
	long := time.Duration(s.minutes * math.Exp(0.4*chance.NormFloat64()) * float64(time.Minute)).Truncate(time.Millisecond)
	out := s.bytes * math.Exp(s.spread*chance.NormFloat64())
	f := synthetic.Flow{
		At: at, Src: netip.MustParseAddr(s.ip), SrcPort: uint16(49152 + chance.IntN(16384)),
		Dst: netip.MustParseAddr(s.peers[chance.IntN(len(s.peers))]), DstPort: uint16(s.port),
		Transport: s.transport, Service: s.service, State: "SF", History: "ShADadFf",
		Duration: min(long, end.Sub(at)), Out: int64(out), In: int64(out * s.answer),
	}
	if s.transport == "udp" {
		f.History = "Dd"
	}
	f.PacketsOut, f.PacketsIn = f.Out/packet+1, f.In/packet+1
	return f
}
