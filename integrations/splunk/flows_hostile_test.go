package splunk

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/splunk/splunkfake"
)

// TestHeadsThatDiffer: whatever a search head is like, an answer is the right one.
func TestHeadsThatDiffer(t *testing.T) {
	for name, change := range map[string]func(*splunkfake.Options){
		"properties as texts":       func(o *splunkfake.Options) { o.Search.Words = true },
		"many states":               func(o *splunkfake.Options) { o.Search.Answers = 6 },
		"one page of ten":           func(o *splunkfake.Options) { o.Search.MostResults = 10 },
		"another zone":              func(o *splunkfake.Options) { o.Search.Zone = time.FixedZone("", -9*3600-1800) },
		"not accelerated":           func(o *splunkfake.Options) { o.Search.Unaccelerated = true },
		"no index by default":       func(o *splunkfake.Options) { o.Search.Indexes = []string{} },
		"three searches are enough": func(o *splunkfake.Options) { o.Search.Concurrent = concurrent },
	} {
		t.Run(name, func(t *testing.T) {
			o := indexed()
			change(&o)
			both(t, func(t *testing.T) *head {
				var seen []contract.Seen
				for i := range 40 {
					f := contract.Second(time.Duration(i+1)*20*time.Second, int64(1000+i), 10)
					f.DstIP = fmt.Sprintf("198.51.100.%d", i)
					seen = append(seen, f)
				}
				return newTraffic(t, o, splunkfake.Logging{}, append(seen, later()))
			}, func(t *testing.T, s *Flows) {
				got := trafficOf(t, s, contract.Quarter())
				is(t, "bytes_out", got.BytesOut, 40*1000+39*20)
				is(t, "destinations", got.Destinations, 40)
			})
		})
	}
}

// TestHeadsThatAnswerLess: where less is searched or kept than was asked for, there is no
// answer rather than a smaller one.
func TestHeadsThatAnswerLess(t *testing.T) {
	bounded := splunkfake.Analyst()
	bounded.Window = 5 * time.Minute
	old := indexed()
	old.Search.Old = true
	narrow := indexed()
	narrow.Tokens = []splunkfake.Token{bounded}
	idle := indexed()
	idle.Tokens = []splunkfake.Token{{Text: bounded.Text, User: "u", Capabilities: []string{splunkfake.EditNotables}}}
	for name, c := range map[string]struct {
		o    splunkfake.Options
		kind integrations.Kind
	}{
		"a role with a bound of time": {narrow, integrations.Denied},
		"a role that does not search": {idle, integrations.Denied},
		"a version before 9":          {old, integrations.Unavailable},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(t *testing.T) *head {
				return newTraffic(t, c.o, splunkfake.Logging{}, []contract.Seen{contract.Second(10*time.Minute, 7000, 10), contract.Second(time.Minute, 50, 10), later()})
			}, func(t *testing.T, s *Flows) {
				if got, err := s.Traffic(t.Context(), contract.Quarter()); integrations.KindOf(err) != c.kind || err == nil {
					t.Errorf("traffic: bytes_out %v, %v, want an error of kind %s", got.BytesOut, err, c.kind)
				}
			})
		})
	}
}

// TestTwoSensorsInDifferentSpellings: a flow that two firewalls logged, each in its own way,
// counts once.
func TestTwoSensorsInDifferentSpellings(t *testing.T) {
	north := contract.Second(5*time.Minute, 7000, 100)
	north.SrcIP, north.DstIP = "2001:db8:20::42", "2001:db8::1"
	south := north
	south.Sensor = "south"
	h := newTraffic(t, indexed(), splunkfake.Logging{}, []contract.Seen{north, later()})
	h.AddRecords(splunkfake.Logging{Capitals: true, Long: true, Names: map[netip.Addr]string{netip.MustParseAddr(north.DstIP): "www.example"}}, recordOf(t, south))
	q := contract.Quarter()
	q.IPs = []string{north.SrcIP}
	for _, s := range []*Flows{h.openFlows(t), h.openFlows(t, summed)} {
		got := trafficOf(t, s, q)
		is(t, "bytes_out", got.BytesOut, 7000)
		is(t, "flows", got.Flows, 1)
		is(t, "destinations", got.Destinations, 1)
	}
}

// TestASearchThatAPersonEnds: nothing but its state tells that it is a part.
func TestASearchThatAPersonEnds(t *testing.T) {
	h := newTraffic(t, indexed(), splunkfake.Logging{}, []contract.Seen{contract.Second(time.Minute, 10, 1), later()})
	s := h.openFlows(t)
	h.Fail(splunkfake.EndedByHand, 1000)
	if got, err := s.Traffic(t.Context(), contract.Quarter()); integrations.KindOf(err) != integrations.Unavailable || err == nil {
		t.Errorf("traffic: bytes_out %v, %v, want an error", got.BytesOut, err)
	}
}
