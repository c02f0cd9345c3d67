package flowmath

import (
	"cmp"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func at() time.Time { return time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC) }

func own() Host { return Host{Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.5")}} }

// half is a record of one direction, of a second that began so long ago.
func half(ago time.Duration, out bool, port uint16, bytes int64) Record {
	r := Record{
		Start: at().Add(-ago), Duration: time.Second, Transport: "udp", Sampling: 1, Single: true,
		Src: own().Addrs[0], SrcPort: 50000, Dst: netip.MustParseAddr("198.51.100.1"), DstPort: port,
		Orig: Side{NotSeen, bytes, 2}, Resp: Unseen(),
	}
	if !out {
		r.Src, r.Dst, r.SrcPort, r.DstPort = r.Dst, r.Src, r.DstPort, r.SrcPort
	}
	return r
}

func query() integrations.TrafficQuery {
	return integrations.TrafficQuery{IPs: own().Strings(), From: at().Add(-15 * time.Minute), To: at(), Top: 5}
}

func present() Span {
	return Span{Oldest: at().AddDate(0, 0, -7), Newest: at().Add(time.Hour), Records: 1}
}

func is[T comparable](t *testing.T, what string, v incident.Value[T], want T) {
	t.Helper()
	if got, ok := v.Get(); !ok || got != want {
		t.Errorf("%s is %v, want %v", what, v, want)
	}
}

func TestTwoHalvesAreOneFlow(t *testing.T) {
	asked, answered := half(time.Minute, true, 53, 60), half(time.Minute, false, 53, 900)
	views := Distinct([]View{ViewOf(&asked, true, 1), ViewOf(&answered, false, 1)})
	got := Traffic(own(), query(), present(), views)
	is(t, "flows", got.Flows, 1)
	is(t, "bytes_out", got.BytesOut, 60)
	is(t, "bytes_in", got.BytesIn, 900)
	want := []incident.TopFlow{{IP: "198.51.100.1", Port: 53, Transport: "udp", Bytes: 60, Packets: 2, Flows: 1}}
	if top, _ := got.Top.Get(); !slices.Equal(top, want) {
		t.Errorf("top is %v, want %v", top, want)
	}
}

func TestOpens(t *testing.T) {
	for _, tt := range []struct {
		local, remote uint16
		want          bool
	}{
		{50000, 53, true}, {53, 50000, false}, // a service that amplifies
		{1024, 11211, true}, {11211, 1024, false}, // regardless of the lower port
		{50000, 8443, true}, {8443, 50000, false}, // the lower port
		{123, 123, true},
	} {
		if got := Opens(tt.local, tt.remote, "udp"); got != tt.want {
			t.Errorf("from port %d to %d the host opened it: %v, want %v", tt.local, tt.remote, got, tt.want)
		}
	}
	ports := AskedPorts()
	if !slices.IsSorted(ports) || !slices.Contains(ports, 53) || !slices.Contains(ports, 11211) {
		t.Errorf("the ports with an exception are %v", ports)
	}
}

func TestSilenceNeedsSensorsThatHear(t *testing.T) {
	answered := half(time.Minute, false, 53, 900)
	for _, deaf := range []bool{false, true} {
		s := NewSummary(query())
		v := ViewOf(&answered, false, 1)
		s.View(&v)
		if !s.Unheard() {
			t.Fatal("a flow of which only the answer was seen is heard")
		}
		if deaf {
			s.Deaf()
		}
		got := s.Traffic(own(), present())
		if got.BytesOut.IsKnown() == deaf {
			t.Errorf("with sensors that are deaf (%v) bytes_out is %v", deaf, got.BytesOut)
		}
	}
}

func TestTotalsBesideTheLargest(t *testing.T) {
	s := NewSummary(query())
	peer := Service{Peer: netip.MustParseAddr("198.51.100.1"), Port: 443, Transport: "tcp", Opened: true}
	s.Exchange(Exchange{Service: peer, PeerPort: 443, Sent: 900, Low: 900, High: 900, Packets: 9, Flows: 1, Measured: 1, SentFlows: 1})
	s.Total(Exchange{Sent: 1000, Low: 1000, High: 1000, Packets: 20, Flows: 50, Measured: 50, SentFlows: 50, Sampled: true}, 40)
	got := s.Traffic(own(), present())
	is(t, "bytes_out", got.BytesOut, 1000)
	is(t, "flows", got.Flows, 50)
	is(t, "destinations", got.Destinations, 40)
	is(t, "coverage", got.Coverage, string(incident.Sampled))
	if top, _ := got.Top.Get(); len(top) != 1 || top[0].Bytes != 900 {
		t.Errorf("top is %v, want the one that was listed", top)
	}
}

func TestPacketsThatNobodyCountedAreUnknown(t *testing.T) {
	r := half(time.Minute, true, 443, 5000)
	r.Orig.Packets = NotSeen
	got := Traffic(own(), query(), present(), []View{ViewOf(&r, true, 1)})
	is(t, "bytes_out", got.BytesOut, 5000)
	if got.PacketsOut.IsKnown() {
		t.Errorf("packets_out is %v, want unknown", got.PacketsOut)
	}
	if got.Sample[0].PacketsOut != -1 {
		t.Errorf("the sample has %d packets, want -1", got.Sample[0].PacketsOut)
	}
}

// TestSharesAddUp divides flows over minutes: none is lost, none counts twice.
func TestSharesAddUp(t *testing.T) {
	q := query()
	for _, v := range []View{
		{Start: at().Add(-14 * time.Minute).UnixNano(), End: at().Add(-3*time.Minute + 17*time.Second).UnixNano(), Sent: 1_000_003, Measured: true},
		{Start: at().Add(-5 * time.Minute).UnixNano(), End: at().Add(-4 * time.Minute).UnixNano(), Sent: 7, Measured: true},
		{Start: at().Add(-time.Minute).UnixNano(), End: at().Add(-time.Minute).UnixNano(), Sent: 11, Measured: true},
	} {
		w, err := SeriesWindows("test", q)
		if err != nil {
			t.Fatal(err)
		}
		w.View(&v)
		var sum int64
		for _, p := range w.Points(present()) {
			sum += p.BytesOut
		}
		if sum != v.Sent {
			t.Errorf("the minutes of a flow of %d bytes add up to %d", v.Sent, sum)
		}
	}
}

func TestBounds(t *testing.T) {
	baseline := func(change func(*integrations.BaselineQuery)) error {
		q := integrations.BaselineQuery{To: at(), Days: 14, Window: 15 * time.Minute}
		change(&q)
		_, err := BaselineWindows("test", q)
		return err
	}
	hosts := func(change func(*integrations.HostsQuery)) error {
		q := integrations.HostsQuery{From: at().Add(-time.Hour), To: at(), Top: 10}
		change(&q)
		_, _, err := HostsBounds("test", q)
		return err
	}
	for name, err := range map[string]error{
		"seconds":       baseline(func(q *integrations.BaselineQuery) { q.Window = 90 * time.Second }),
		"no day":        baseline(func(q *integrations.BaselineQuery) { q.Days = 0 }),
		"all days":      baseline(func(q *integrations.BaselineQuery) { q.Days = math.MaxInt }),
		"a long window": baseline(func(q *integrations.BaselineQuery) { q.Days, q.Window = 1, 48*time.Hour }),
		"all peers":     baseline(func(q *integrations.BaselineQuery) { q.Peers = make([][]string, 100_000) }),
		"all hosts":     hosts(func(q *integrations.HostsQuery) { q.Top = MaxHosts + 1 }),
		"no network":    hosts(func(q *integrations.HostsQuery) { q.Networks = []string{"10.0.0.0"} }),
		"no window":     hosts(func(q *integrations.HostsQuery) { q.To = q.From }),
	} {
		if integrations.KindOf(err) != integrations.Invalid || err == nil {
			t.Errorf("a query of %s gives %v, want an invalid error", name, err)
		}
	}
	networks, most, err := HostsBounds("test", integrations.HostsQuery{From: at().Add(-time.Hour), To: at()})
	if err != nil || most != DefaultHosts || !networks.Has(netip.MustParseAddr("172.31.0.1")) || networks.Has(netip.MustParseAddr("172.32.0.1")) {
		t.Errorf("without a number or a network it is %d hosts of %v (%v)", most, networks, err)
	}
}

func TestSurveyNamesTheWorst(t *testing.T) {
	plain, sampled, blind := incident.Sensor{Name: "b", Records: 2, Sampling: 1}, incident.Sensor{Name: "a", Records: 1, Sampling: 100},
		incident.Sensor{Name: "c", Records: 1, OneWay: true}
	for _, tt := range []struct {
		want      incident.Coverage
		low, high int64
		sensors   []incident.Sensor
	}{
		{"", 0, 0, nil},
		{incident.BothWays, 10, 20, []incident.Sensor{plain}},
		{incident.Sampled, 10, 20, []incident.Sensor{plain, sampled}},
		{incident.Disagree, 10, 30, []incident.Sensor{plain, sampled}},
		{incident.OneWay, 10, 30, []incident.Sensor{plain, sampled, blind}},
	} {
		got := Survey(Span{Newest: at(), Records: 1}, tt.sensors, tt.low, tt.high)
		if got.Coverage != tt.want {
			t.Errorf("the coverage of %v is %q, want %q", tt.sensors, got.Coverage, tt.want)
		}
		if !slices.IsSortedFunc(got.Sensors, func(a, b incident.Sensor) int { return int(a.Name[0]) - int(b.Name[0]) }) {
			t.Errorf("the sensors are not sorted: %v", got.Sensors)
		}
	}
}

func TestSumsDoNotWrapAround(t *testing.T) {
	s := NewSummary(query())
	for range 3 {
		s.Exchange(Exchange{Sent: math.MaxInt64 / 2, Low: 1, High: math.MaxInt64 / 2, Packets: 1, Flows: 1, Measured: 1, SentFlows: 1})
	}
	got := s.Traffic(own(), present())
	is(t, "bytes_out", got.BytesOut, int64(math.MaxInt64))
	if rate, ok := got.Rate.Get(); !ok || rate < 0 {
		t.Errorf("rate is %v, want one that is not negative", got.Rate)
	}
}

func TestTheFirstAreThoseOfAFullSort(t *testing.T) {
	g := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		list := make([]int, g.IntN(60))
		for i := range list {
			list[i] = g.IntN(40)
		}
		n := g.IntN(70)
		want := slices.Sorted(slices.Values(list))
		if n > 0 {
			want = want[:min(n, len(want))]
		}
		if got := first(slices.Clone(list), n, cmp.Compare[int]); !slices.Equal(got, want) {
			t.Fatalf("the first %d of %v are %v, want %v", n, list, got, want)
		}
	}
}
