package memory

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// sampled is how many flows are shown for the join.
const sampled = 512

// summary adds flow records up.
type summary struct {
	out, in, packets, flows int64
	// oneWay and uncounted tell that a sensor did not see the bytes or packets
	// of some flow.
	oneWay, uncounted bool
	top               map[destination]*incident.TopFlow
	peers             map[peer]*incident.PeerTraffic
	addresses         map[string]struct{}
	first, last       time.Time
	sample            []incident.Flow
}

type destination struct {
	ip        string
	port      int
	transport string
}

type peer struct {
	destination
	answering bool
}

func newSummary() *summary {
	return &summary{
		top: map[destination]*incident.TopFlow{}, peers: map[peer]*incident.PeerTraffic{}, addresses: map[string]struct{}{},
	}
}

// add counts the part of a flow that lies in the window.
func (s *summary) add(whole, part incident.Flow) {
	s.sample = append(s.sample, whole)
	s.flows++
	s.addresses[part.DstIP] = struct{}{}
	if s.first.IsZero() || part.Start.Before(s.first) {
		s.first = part.Start
	}
	s.last = later(s.last, part.Start.Add(part.Duration))
	s.oneWay = s.oneWay || part.BytesOut < 0
	s.uncounted = s.uncounted || part.PacketsOut < 0
	out, in, packets := max(0, part.BytesOut), max(0, part.BytesIn), max(0, part.PacketsOut)
	s.out, s.in, s.packets = s.out+out, s.in+in, s.packets+packets

	d := destination{part.DstIP, part.DstPort, part.Transport}
	t, ok := s.top[d]
	if !ok {
		t = &incident.TopFlow{IP: d.ip, Port: int64(d.port), Transport: d.transport}
		s.top[d] = t
	}
	t.Bytes, t.Packets, t.Flows = t.Bytes+out, t.Packets+packets, t.Flows+1

	at := peer{d, answering(part.Tuple)}
	if at.answering {
		at.port = part.SrcPort
	}
	p, ok := s.peers[at]
	if !ok {
		p = &incident.PeerTraffic{IP: at.ip, Port: at.port, Transport: at.transport, Answering: at.answering}
		s.peers[at] = p
	}
	p.BytesOut, p.BytesIn, p.PacketsOut, p.Flows = p.BytesOut+out, p.BytesIn+in, p.PacketsOut+packets, p.Flows+1
}

// answering tells whether the source is the server, as far as the ports tell:
// it sends from a service's port to one that is none.
func answering(t incident.Tuple) bool {
	_, from := incident.Amplification(t.SrcPort, t.Transport)
	_, to := incident.Amplification(t.DstPort, t.Transport)
	return from && !to
}

// traffic is the answer to a query.
func (s *summary) traffic(q integrations.TrafficQuery, freshness time.Time) incident.Traffic {
	t := incident.Traffic{Window: incident.Known(q.To.Sub(q.From), incident.FromFlows)}
	t.Attribution = incident.NotKnown[string]("not joined yet")
	if freshness.IsZero() {
		incident.Explain(&t, "the flow store is empty")
		return t
	}
	t.Freshness = incident.Known(freshness, incident.FromFlows)
	if s.flows == 0 && freshness.Before(q.To) {
		incident.Explain(&t, "the flow store's newest record is older than the window")
		return t
	}
	known := func(n int64) incident.Value[int64] { return incident.Known(n, incident.FromFlows) }
	t.Flows, t.Destinations = known(s.flows), known(int64(len(s.addresses)))
	t.Coverage = incident.Known(string(incident.BothWays), incident.FromFlows)
	t.Sample = s.largest()
	t.PacketsOut = known(s.packets)
	if s.uncounted {
		t.PacketsOut = incident.NotKnown[int64]("the sensor does not count packets")
	}
	if s.oneWay {
		t.Coverage = incident.Known(string(incident.OneWay), incident.FromFlows)
		incident.Explain(&t, "the sensor saw one direction only")
		return t
	}
	t.BytesOut, t.BytesIn = known(s.out), known(s.in)
	t.Rate = known(bitsPerSecond(s.out, q.To.Sub(q.From)))
	t.Top = incident.Known(s.topFlows(q.Top), incident.FromFlows)
	t.Role = incident.Known(string(s.role(q.IPs)), incident.Computed)
	incident.Explain(&t, "not joined yet")
	return t
}

func bitsPerSecond(bytes int64, d time.Duration) int64 {
	if d <= 0 || bytes < 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(bytes), 8*uint64(time.Second))
	if hi >= uint64(d) {
		return math.MaxInt64
	}
	rate, _ := bits.Div64(hi, lo, uint64(d))
	return int64(min(rate, math.MaxInt64))
}

func (s *summary) topFlows(n int) []incident.TopFlow {
	top := make([]incident.TopFlow, 0, len(s.top))
	for _, t := range s.top {
		top = append(top, *t)
	}
	slices.SortFunc(top, func(a, b incident.TopFlow) int {
		return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.IP, b.IP), cmp.Compare(a.Port, b.Port),
			cmp.Compare(a.Transport, b.Transport))
	})
	return top[:min(len(top), max(0, n))]
}

func (s *summary) role(ips []string) incident.Role {
	shape := incident.TrafficShape{Host: ips, Active: s.last.Sub(s.first)}
	for _, p := range s.peers {
		shape.Peers = append(shape.Peers, *p)
	}
	return incident.Classify(shape, incident.DefaultRoleLimits())
}

// largest returns the largest flows; of equal ones the newest, as the
// endpoint's connections are bounded in the same way.
func (s *summary) largest() []incident.Flow {
	slices.SortFunc(s.sample, func(a, b incident.Flow) int {
		return cmp.Or(cmp.Compare(b.BytesOut, a.BytesOut), b.Start.Compare(a.Start), cmp.Compare(a.DstIP, b.DstIP),
			cmp.Compare(a.SrcPort, b.SrcPort), cmp.Compare(a.DstPort, b.DstPort))
	})
	return s.sample[:min(len(s.sample), sampled)]
}
