package elastic

import (
	"maps"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/httpx/faulty"
)

// documentOf is a flow as a writer of the layout stores it.
func documentOf(l Layout, seen contract.Seen) document {
	end := seen.Start.Add(seen.Duration)
	d := document{
		timeField: end, dataset: layouts()[l].datasets[0], "observer.name": seen.Sensor, transport: seen.Transport,
		sourceIP: seen.SrcIP, sourcePort: int64(seen.SrcPort), destinationIP: seen.DstIP, destinationPort: int64(seen.DstPort),
		eventDuration: seen.Duration.Nanoseconds(), destinationBytes: seen.BytesIn, destinationPackets: min(seen.BytesIn, 1),
		sourcePackets: max(0, seen.PacketsOut),
	}
	if seen.BytesOut >= 0 {
		d[sourceBytes] = seen.BytesOut
	}
	switch l {
	case Zeek:
		d[timeField] = seen.Start
	case Packetbeat:
		d[eventStart], d[eventEnd], d[flowFinal] = seen.Start, end, true
		d[flowID] = seen.SrcIP + seen.DstIP + seen.Start.String()
	case NetFlow:
		d[eventStart], d[eventEnd] = seen.Start, end
		if seen.Sampling != 1 {
			d[samplingInterval] = seen.Sampling
		}
	}
	return d
}

// cluster is a double behind a server that can be broken, and the store that
// queries it.
type cluster struct {
	*double
	*faulty.Server
}

func start(tb testing.TB, docs []document) cluster {
	tb.Helper()
	d := &double{tb: tb, index: "flows-2026", docs: docs}
	return cluster{d, faulty.New(tb, d)}
}

func (c cluster) open(l Layout, set ...func(*Config)) *Store {
	c.tb.Helper()
	config := Spec().NewConfig().(*Config)
	config.URL, config.Indices, config.Layout = c.URL(), []string{"flows-*"}, l
	config.APIKey, config.Longest = testKey, 2*time.Hour
	if l == NetFlow || l == Packetbeat {
		config.SensorField = "observer.name"
	}
	for _, f := range set {
		f(config)
	}
	s, err := Open(*config)
	if err != nil {
		c.tb.Fatal(err)
	}
	c.tb.Cleanup(func() { _ = s.Close() })
	return s
}

func harness(l Layout, skip map[string]string, set ...func(*Config)) contract.FlowsHarness {
	var mu sync.Mutex
	servers := map[integrations.Flows]cluster{}
	open := func(t testing.TB, seen []contract.Seen) integrations.Flows {
		var docs []document
		for _, s := range seen {
			docs = append(docs, documentsOf(l, s)...)
		}
		c := start(t, docs)
		s := c.open(l, set...)
		mu.Lock()
		defer mu.Unlock()
		servers[s] = c
		return s
	}
	return contract.FlowsHarness{
		Halves:   l == AWSVPC || l == GCPVPC,
		Knobs:    contract.Knobs{Kind: "elasticflows", Skip: skip, Secrets: []string{testKey}},
		OpenSeen: open,
		Break: func(f integrations.Flows, fault contract.Fault) {
			mu.Lock()
			defer mu.Unlock()
			servers[f].Break(fault)
		},
	}
}

// noSampling are the checks for stores that can hold sampled records.
func noSampling() map[string]string {
	const why = "the layout's records are of all packets"
	return map[string]string{"sampling is applied": why, "a sampling rate of 0 is not said": why}
}

// skipsOf are the checks that do not apply to a layout: only NetFlow has sampled records.
func skipsOf(l Layout) map[string]string {
	if l == NetFlow {
		return nil
	}
	return noSampling()
}

// eachLayout runs a test on every layout there is.
func eachLayout(t *testing.T, test func(t *testing.T, l Layout)) {
	t.Helper()
	for _, name := range layoutNames() {
		t.Run(name, func(t *testing.T) { test(t, Layout(name)) })
	}
}

func TestFlowsContract(t *testing.T) {
	eachLayout(t, func(t *testing.T, l Layout) { contract.Flows(t, harness(l, skipsOf(l))) })
}

func TestHunterContract(t *testing.T) {
	eachLayout(t, func(t *testing.T, l Layout) { contract.Hunter(t, harness(l, nil)) })
}

func TestSurveyorContract(t *testing.T) { contract.Surveyor(t, harness(NetFlow, nil)) }

// TestSummedContract has the cluster sum everything.
func TestSummedContract(t *testing.T) {
	const (
		whole   = "above a number of records a flow counts whole where it is stamped"
		largest = "above a number of records the largest of several sensors counts"
	)
	summed := func(c *Config) { c.Records = 1 }
	eachLayout(t, func(t *testing.T, l Layout) {
		skip := map[string]string{
			"a flow counts for its share of the window": whole,
			"flows that different sensors saw add up":   largest,
		}
		maps.Copy(skip, skipsOf(l))
		contract.Flows(t, harness(l, skip, summed))
		contract.Hunter(t, harness(l, nil, summed))
	})
	contract.Surveyor(t, harness(NetFlow, map[string]string{
		"a survey reports the worst coverage": "above a number of records a survey does not compare sensors",
	}, summed))
}
