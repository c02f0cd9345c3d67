package splunk

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/splunk/splunkfake"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const ownHost = "192.0.2.10"

// later is an event that makes the store reach past the window.
func later() contract.Seen {
	s := contract.Second(-time.Minute, 1, 1)
	s.SrcIP = "192.0.2.99"
	return s
}

func is[T comparable](t *testing.T, what string, v incident.Value[T], want T) {
	t.Helper()
	if got, ok := v.Get(); !ok || got != want {
		t.Errorf("%s is %v, want %v", what, v, want)
	}
}

func trafficOf(t *testing.T, s *Flows, q integrations.TrafficQuery) incident.Traffic {
	t.Helper()
	got, err := s.Traffic(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// both runs a test on the events themselves, and on Splunk's sums.
func both(t *testing.T, h func(t *testing.T) *head, test func(t *testing.T, s *Flows), set ...func(*FlowsConfig)) {
	t.Helper()
	for name, records := range map[string]int{"events": defaultRecords, "sums": 0} {
		t.Run(name, func(t *testing.T) {
			test(t, h(t).openFlows(t, append(set, func(c *FlowsConfig) { c.Records = records })...))
		})
	}
}

func TestTheTotalsOfASample(t *testing.T) {
	both(t, func(t *testing.T) *head {
		h := newTraffic(t, indexed(), splunkfake.Logging{}, nil)
		f, err := os.Open("splunkfake/testdata/network_traffic.jsonl")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		h.AddEvents(splunkfake.ReadEvents(t, f, "netfw")...)
		return h
	}, func(t *testing.T, s *Flows) {
		from := time.Date(2026, 11, 28, 23, 45, 0, 0, time.UTC)
		got := trafficOf(t, s, integrations.TrafficQuery{IPs: []string{"10.20.4.42"}, From: from, To: from.Add(15 * time.Minute), Top: 3})
		is(t, "bytes_out", got.BytesOut, 300_000_000)
		is(t, "bytes_in", got.BytesIn, 5_000_000)
		is(t, "coverage", got.Coverage, string(incident.BothWays))
	})
}

// What was refused did not leave, and a sum of both directions is not what the host sent.
func TestWhatDoesNotCount(t *testing.T) {
	sent := contract.Second(5*time.Minute, 7000, 100)
	other := contract.Second(4*time.Minute, 9000, 100)
	other.DstIP = "198.51.100.2"
	for _, action := range []string{"blocked", "Dropped", "deny"} {
		both(t, func(t *testing.T) *head {
			h := newTraffic(t, indexed(), splunkfake.Logging{}, []contract.Seen{sent, later()})
			h.AddRecords(splunkfake.Logging{Action: action}, recordOf(t, other))
			return h
		}, func(t *testing.T, s *Flows) {
			got := trafficOf(t, s, contract.Quarter())
			is(t, "bytes_out", got.BytesOut, 7000)
			is(t, "destinations", got.Destinations, 1)
		})
	}
	both(t, func(t *testing.T) *head {
		return newTraffic(t, indexed(), splunkfake.Logging{Totals: true}, []contract.Seen{sent, later()})
	}, func(t *testing.T, s *Flows) {
		got := trafficOf(t, s, contract.Quarter())
		if got.BytesOut.IsKnown() || got.Rate.IsKnown() {
			t.Errorf("bytes_out is %v of an event with the sum of both directions", got.BytesOut)
		}
		is(t, "coverage", got.Coverage, string(incident.OneWay))
	})
}

// A destination whose bytes are not in the event may have sent any number.
func TestAnAnswerThatIsNotCounted(t *testing.T) {
	asked := contract.Second(5*time.Minute, 60, -1)
	asked.SrcIP, asked.DstIP = asked.DstIP, asked.SrcIP
	both(t, func(t *testing.T) *head {
		return newTraffic(t, indexed(), splunkfake.Logging{}, []contract.Seen{asked, later()})
	}, func(t *testing.T, s *Flows) {
		if got := trafficOf(t, s, contract.Quarter()); got.BytesOut.IsKnown() {
			t.Errorf("bytes_out is %v of a host whose answer is not counted", got.BytesOut)
		}
	})
}

// Add-ons write names into src, addresses with all zeros, and a session more than once.
func TestHowAddOnsWrite(t *testing.T) {
	six := contract.Second(5*time.Minute, 7000, 100)
	six.SrcIP = "2001:db8:20::42"
	q := contract.Quarter()
	q.IPs = []string{six.SrcIP}
	for name, how := range map[string]splunkfake.Logging{
		"capitals and zeros": {Capitals: true, Long: true},
		"names":              {Names: map[netip.Addr]string{netip.MustParseAddr(six.SrcIP): "ws-042"}},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T) *head {
				return newTraffic(t, indexed(), how, []contract.Seen{six, later()})
			}, func(t *testing.T, s *Flows) {
				got := trafficOf(t, s, q)
				is(t, "bytes_out", got.BytesOut, 7000)
				if top, _ := got.Top.Get(); len(top) != 1 || top[0].Transport != "tcp" {
					t.Errorf("top is %v, want one service of tcp", got.Top)
				}
			})
		})
	}
	long := contract.Second(5*time.Minute, 90_000, 900)
	long.Duration = 3 * time.Minute
	h := newTraffic(t, indexed(), splunkfake.Logging{Ends: true, Interim: 3}, []contract.Seen{long, later()})
	is(t, "bytes_out of a session that was logged four times", trafficOf(t, h.openFlows(t, atEnd), contract.Quarter()).BytesOut, 90_000)
}

func TestFewAndManyEventsTellTheSame(t *testing.T) {
	var seen []contract.Seen
	for i := range 300 {
		f := contract.Second(time.Duration(i)*7*time.Minute+time.Minute, int64(1000+i), 50)
		f.DstIP = fmt.Sprintf("198.51.100.%d", i%7)
		seen = append(seen, f)
	}
	for name, zone := range map[string]*time.Location{"UTC": time.UTC, "Kathmandu": time.FixedZone("", (5*60+45)*60)} {
		t.Run(name, func(t *testing.T) {
			o := indexed()
			o.Search.Zone = zone
			h := newTraffic(t, o, splunkfake.Logging{}, append(seen, later()))
			few, many := h.openFlows(t), h.openFlows(t, summed)
			// Windows of 50 minutes do not begin where hours and days do.
			for _, length := range []time.Duration{30 * time.Minute, 50 * time.Minute} {
				q := integrations.BaselineQuery{IPs: []string{ownHost}, To: contract.Quarter().To, Days: 1, Window: length}
				b1, err1 := few.Baseline(t.Context(), q)
				b2, err2 := many.Baseline(t.Context(), q)
				if err1 != nil || err2 != nil || fmt.Sprint(b1) != fmt.Sprint(b2) || !b1.P99.IsKnown() {
					t.Errorf("the baseline of %s is %v (%v) from events, %v (%v) summed", length, b1, err1, b2, err2)
				}
			}
			s1, err1 := few.Series(t.Context(), contract.Quarter())
			s2, err2 := many.Series(t.Context(), contract.Quarter())
			if err1 != nil || err2 != nil || fmt.Sprint(s1) != fmt.Sprint(s2) || len(s1) != 15 {
				t.Errorf("the series is %v (%v) from events, %v (%v) summed", s1, err1, s2, err2)
			}
		})
	}
}

// Bins that do not begin where windows do would be sums of other times.
func TestBinsOfAnOddZone(t *testing.T) {
	o := indexed()
	o.Search.Zone = time.FixedZone("", 7*60)
	var seen []contract.Seen
	for i := range 20 {
		seen = append(seen, contract.Second(time.Duration(i+1)*10*time.Minute, 1000, 10))
	}
	h := newTraffic(t, o, splunkfake.Logging{}, append(seen, later()))
	q := integrations.BaselineQuery{IPs: []string{ownHost}, To: contract.Quarter().To, Days: 1, Window: 30 * time.Minute}
	want, err := h.openFlows(t).Baseline(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := h.openFlows(t, summed).Baseline(t.Context(), q); err == nil && fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("the baseline is %v, want %v or an error", got, want)
	}
}

// What a host sends to itself did not leave it, and a name is no address where there is one.
func TestWhoseEventsCount(t *testing.T) {
	sent, between, named := contract.Second(5*time.Minute, 7000, 100), contract.Second(4*time.Minute, 500, 100), contract.Second(3*time.Minute, 900, 100)
	between.DstIP, named.SrcIP = "192.0.2.11", "192.0.2.77"
	both(t, func(t *testing.T) *head {
		h := newTraffic(t, indexed(), splunkfake.Logging{}, []contract.Seen{sent, between, later()})
		h.AddRecords(splunkfake.Logging{Names: map[netip.Addr]string{netip.MustParseAddr(named.SrcIP): ownHost}}, recordOf(t, named))
		return h
	}, func(t *testing.T, s *Flows) {
		q := contract.Quarter()
		q.IPs = append(q.IPs, between.DstIP)
		got := trafficOf(t, s, q)
		is(t, "bytes_out", got.BytesOut, 7000)
		is(t, "destinations", got.Destinations, 1)
	})
}

func TestEveryPageIsRead(t *testing.T) {
	o := indexed()
	o.Search.MostResults = 500
	var seen []contract.Seen
	for i := range 1200 {
		f := contract.Second(5*time.Minute, 100, 10)
		f.DstIP = fmt.Sprintf("198.18.%d.%d", i/250, i%250)
		seen = append(seen, f)
	}
	both(t, func(t *testing.T) *head { return newTraffic(t, o, splunkfake.Logging{}, append(seen, later())) }, func(t *testing.T, s *Flows) {
		got := trafficOf(t, s, contract.Quarter())
		is(t, "destinations", got.Destinations, 1200)
		is(t, "bytes_out", got.BytesOut, 120_000)
	})
}

// A search that fails, or has a part of the answer, is none; and nothing is left of it.
func TestPartOfASearchIsNone(t *testing.T) {
	for _, c := range []struct {
		how  splunkfake.Failure
		want integrations.Kind
	}{
		{splunkfake.QuotaFull, integrations.Unavailable},
		{splunkfake.PeerDown, integrations.Unavailable},
		{splunkfake.PeerDied, integrations.Unavailable},
		{splunkfake.TimeLimit, integrations.Unavailable},
		{splunkfake.DiskLimit, integrations.Unavailable},
		{splunkfake.MemoryLimit, integrations.Unavailable},
		{splunkfake.SearchFails, integrations.Unavailable},
		{splunkfake.Zombie, integrations.Unavailable},
		{splunkfake.Stuck, integrations.Unavailable},
		{splunkfake.Paused, integrations.Unavailable},
		{splunkfake.Gone, integrations.Unavailable},
	} {
		t.Run(string(c.how), func(t *testing.T) {
			h := newTraffic(t, indexed(), splunkfake.Logging{}, []contract.Seen{contract.Second(time.Minute, 10, 1), later()})
			s := h.openFlows(t, func(c *FlowsConfig) { c.Timeout = time.Second })
			h.Fail(c.how, 1000)
			_, err := s.Traffic(t.Context(), contract.Quarter())
			if e, ok := errors.AsType[*integrations.Error](err); !ok || e.Kind != c.want {
				t.Errorf("traffic: %v, want kind %s", err, c.want)
			}
			if n := h.Kept(); n != 0 {
				t.Errorf("%d searches are left", n)
			}
			if found := s.Probe(t.Context()); len(found) == 0 || found[0].OK || found[0].Fix == "" {
				t.Errorf("the probe found %+v", found)
			}
		})
	}
}

func TestACancelledSearchIsGone(t *testing.T) {
	h := newTraffic(t, indexed(), splunkfake.Logging{}, []contract.Seen{later()})
	s := h.openFlows(t)
	h.Fail(splunkfake.Stuck, 1000)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, err := s.Traffic(ctx, contract.Quarter()); done <- err }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for h.Running() == 0 {
		<-tick.C
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("traffic: %v, want cancelled", err)
	}
	if n := h.Kept(); n != 0 {
		t.Errorf("%d searches are left", n)
	}
}

// Every search reads, is bounded in time, and refuses a part of an answer.
func TestSearchesAreBounded(t *testing.T) {
	for _, set := range []func(*FlowsConfig){func(*FlowsConfig) {}, summed} {
		h := newTraffic(t, indexed(), splunkfake.Logging{}, []contract.Seen{contract.Second(time.Minute, 10, 1), contract.Second(2*time.Minute, 20, 1), later()})
		s := h.openFlows(t, set)
		q := contract.Quarter()
		_, err1 := s.Traffic(t.Context(), q)
		_, err2 := s.Hosts(t.Context(), integrations.HostsQuery{From: q.From, To: q.To, Networks: []string{"192.0.2.0/24"}, Top: 3})
		_, err3 := s.Survey(t.Context(), q.From, q.To)
		_, err4 := s.Baseline(t.Context(), integrations.BaselineQuery{IPs: q.IPs, To: q.To, Days: 1, Window: time.Hour})
		if err := errors.Join(err1, err2, err3, err4); err != nil {
			t.Fatal(err)
		}
		s.Probe(t.Context())
		sought := h.Sought()
		if len(sought) < 10 {
			t.Fatalf("there are %d searches", len(sought))
		}
		for _, x := range sought {
			if x.Earliest.IsZero() || x.Latest.IsZero() {
				t.Errorf("%s has no bounds", x.Text)
			}
			if !strings.HasPrefix(x.Text, "| tstats summariesonly=") || strings.ContainsAny(x.Text, "[`") {
				t.Errorf("%s is no sum of events", x.Text)
			}
			for name, want := range map[string]string{"allow_partial_results": "false", "max_time": "10", "auto_cancel": "60"} {
				if got := x.Form.Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
		}
		if n := h.Kept(); n != 0 {
			t.Errorf("%d searches are left", n)
		}
	}
}

func TestPropertiesAsWords(t *testing.T) {
	o := indexed()
	o.Search.Words = true
	h := newTraffic(t, o, splunkfake.Logging{}, []contract.Seen{contract.Second(time.Minute, 10, 1), later()})
	is(t, "bytes_out", trafficOf(t, h.openFlows(t), contract.Quarter()).BytesOut, 10)
	h.Fail(splunkfake.TimeLimit, 1000)
	if _, err := h.openFlows(t).Traffic(t.Context(), contract.Quarter()); integrations.KindOf(err) != integrations.Unavailable || err == nil {
		t.Errorf("traffic: %v, want unavailable", err)
	}
}

func TestSurvey(t *testing.T) {
	west, north, again, south := contract.Second(time.Hour, 1000, 10), contract.Second(5*time.Minute, 1000, 10), contract.Second(2*time.Minute, 1000, 10), contract.Second(3*time.Minute, -1, 900)
	west.Sensor, south.Sensor, south.PacketsOut = "west", "south", -1
	again.SrcIP = "192.0.2.11"
	q := contract.Quarter()
	both(t, func(t *testing.T) *head {
		return newTraffic(t, indexed(), splunkfake.Logging{Ends: true}, []contract.Seen{west, north, again, south})
	}, func(t *testing.T, s *Flows) {
		got, err := s.Survey(t.Context(), q.From, q.To)
		if err != nil || got.Records != 3 || len(got.Sensors) != 2 || got.Coverage != incident.OneWay {
			t.Fatalf("the survey is %+v (%v), want 3 records of north and south", got, err)
		}
		for i, want := range []incident.Sensor{
			{Name: "north", Records: 2, Sampling: 1, Newest: q.To.Add(-2*time.Minute + time.Second)},
			{Name: "south", Records: 1, Sampling: 1, OneWay: true, Newest: q.To.Add(-3*time.Minute + time.Second)},
		} {
			if got.Sensors[i] != want {
				t.Errorf("sensor %d is %+v, want %+v", i, got.Sensors[i], want)
			}
		}
	}, atEnd)
}
