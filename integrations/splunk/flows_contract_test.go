package splunk

import (
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/apispec"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/integrations/splunk/splunkfake"
)

var (
	_ integrations.Flows    = (*Flows)(nil)
	_ integrations.Hunter   = (*Flows)(nil)
	_ integrations.Surveyor = (*Flows)(nil)
	_ integrations.Prober   = (*Flows)(nil)
	_ integrations.Breaker  = (*Flows)(nil)
)

// indexed is the indices that hold the traffic of tests.
func indexed() splunkfake.Options {
	return splunkfake.Options{Search: splunkfake.Search{Indexes: []string{"netfw"}, Answers: 1}}
}

// newTraffic is a search head with flows. What is sent to it, and what it answers, is judged
// by a description of the API.
func newTraffic(t testing.TB, o splunkfake.Options, how splunkfake.Logging, seen []contract.Seen) *head {
	t.Helper()
	h := newHead(t, apispec.Load(t, "splunk-search"), o)
	for _, s := range seen {
		h.AddRecords(how, recordOf(t, s))
	}
	return h
}

// recordOf is a flow as a firewall counts it.
func recordOf(t testing.TB, s contract.Seen) flowmath.Record {
	t.Helper()
	side := func(bytes, packets int64) flowmath.Side {
		return flowmath.Side{Bytes: flowmath.NotSeen, IPBytes: bytes, Packets: packets}
	}
	address := func(text string) netip.Addr {
		a, err := netip.ParseAddr(text)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	return flowmath.Record{
		Start: s.Start, Duration: s.Duration, Src: address(s.SrcIP), Dst: address(s.DstIP), SrcPort: uint16(s.SrcPort), DstPort: uint16(s.DstPort),
		Transport: s.Transport, Orig: side(s.BytesOut, max(0, s.PacketsOut)), Resp: side(s.BytesIn, min(s.BytesIn, 1)), Sampling: 1, Sensor: s.Sensor,
	}
}

func (h *head) openFlows(t testing.TB, set ...func(*FlowsConfig)) *Flows {
	t.Helper()
	return openFlowsAt(t, h.URL(), set...)
}

// openFlowsAt returns a store in the Splunk at an address.
func openFlowsAt(t testing.TB, address string, set ...func(*FlowsConfig)) *Flows {
	t.Helper()
	c := FlowsSpec().NewConfig().(*FlowsConfig)
	c.URL, c.Token, c.Stamp, c.Longest = address, integrations.Secret(splunkfake.Analyst().Text), AtStart, 2*time.Hour
	c.Access = httpx.Access{Timeout: 10 * time.Second}
	for _, f := range set {
		f(c)
	}
	records := c.Records
	c.Records = max(1, records)
	s, err := OpenFlows(*c)
	if err != nil {
		t.Fatal(err)
	}
	s.config.Records = records
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// atEnd is a store whose events are stamped with the end of their flows.
func atEnd(c *FlowsConfig) { c.Stamp = AtEnd }

// summed has Splunk sum everything, one event as well.
func summed(c *FlowsConfig) { c.Records = 0 }

func flowsHarness(how splunkfake.Logging, skip map[string]string, set ...func(*FlowsConfig)) contract.FlowsHarness {
	var mu sync.Mutex
	heads := map[integrations.Flows]*head{}
	return contract.FlowsHarness{
		Knobs: contract.Knobs{Kind: "splunkflows", Skip: skip, Secrets: []string{splunkfake.Analyst().Text}},
		OpenSeen: func(t testing.TB, seen []contract.Seen) integrations.Flows {
			h := newTraffic(t, indexed(), how, seen)
			s := h.openFlows(t, set...)
			mu.Lock()
			defer mu.Unlock()
			heads[s] = h
			return s
		},
		Break: func(f integrations.Flows, fault contract.Fault) {
			mu.Lock()
			defer mu.Unlock()
			heads[f].Break(fault)
		},
	}
}

const unsampled = "the layout's records are of all packets"

// skipped are the checks that do not apply to the data model, and others with their reasons.
func skipped(others map[string]string) map[string]string {
	all := map[string]string{"sampling is applied": unsampled, "a sampling rate of 0 is not said": unsampled}
	for name, why := range others {
		all[name] = why
	}
	return all
}

func TestFlowsContract(t *testing.T) {
	t.Run("stamped at the start", func(t *testing.T) { contract.Flows(t, flowsHarness(splunkfake.Logging{}, skipped(nil))) })
	t.Run("stamped at the end", func(t *testing.T) {
		contract.Flows(t, flowsHarness(splunkfake.Logging{Ends: true}, skipped(nil), atEnd))
	})
}

func TestHunterContract(t *testing.T) {
	contract.Hunter(t, flowsHarness(splunkfake.Logging{}, nil))
	contract.Hunter(t, flowsHarness(splunkfake.Logging{Ends: true}, nil, atEnd))
}

// skippedSurveys are of sensors of which one samples; [TestSurvey] is without.
func skippedSurveys() map[string]string {
	return map[string]string{
		"a survey counts the records and names the sensors": unsampled,
		"a survey reports the worst coverage":               unsampled,
	}
}

func TestSurveyorContract(t *testing.T) {
	contract.Surveyor(t, flowsHarness(splunkfake.Logging{}, skippedSurveys()))
}

// TestSummedFlowsContract has Splunk sum everything.
func TestSummedFlowsContract(t *testing.T) {
	const (
		whole   = "above a number of records a flow counts whole where it is stamped"
		largest = "above a number of records the largest of several sensors counts"
	)
	skip := map[string]string{
		"a flow counts for its share of the window": whole,
		"flows that different sensors saw add up":   largest,
	}
	contract.Flows(t, flowsHarness(splunkfake.Logging{}, skipped(skip), summed))
	contract.Hunter(t, flowsHarness(splunkfake.Logging{}, nil, summed))
	contract.Surveyor(t, flowsHarness(splunkfake.Logging{}, skippedSurveys(), summed))
}

func TestAFlowThatIsLongerThanLongest(t *testing.T) {
	for _, how := range []splunkfake.Logging{{}, {Ends: true}} {
		contract.LongerThanLongest(t, func(t testing.TB, longest time.Duration, records []contract.Seen) integrations.Flows {
			return flowsHarness(how, nil, func(c *FlowsConfig) {
				c.Longest = longest
				if how.Ends {
					atEnd(c)
				}
			}).OpenSeen(t, records)
		})
	}
}
