package sqlite

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// sampleFlows bounds the flows that are handed out for the join.
	sampleFlows = 500
	// disagreement is how far the counters may lie apart.
	disagreement = 2

	whyOneWay    = "flows: one-way capture"
	whyNotJoined = "flows: not joined with the endpoint's connections"
	whyNoFlow    = "flows: no flow in the window"
)

// Traffic implements [integrations.Flows]. A flow counts with its share of the
// window, by time. Where some flows were seen one way only, the sums are of the
// others and coverage says one_way; where all were, the sums are unknown.
func (s *Store) Traffic(ctx context.Context, q integrations.TrafficQuery) (incident.Traffic, error) {
	const op = "read traffic"
	h, err := hostOf(op, q.IPs)
	if err != nil {
		return incident.Traffic{}, err
	}
	if err := checkTimes(op, q.From, q.To); err != nil {
		return incident.Traffic{}, err
	}
	dbs, err := s.dbs(ctx)
	if err != nil {
		return incident.Traffic{}, err
	}
	span, err := readSpan(ctx, dbs.read)
	if err != nil {
		return incident.Traffic{}, err
	}
	views, err := dbs.views(ctx, h, q.From.UnixNano(), q.To.UnixNano())
	if err != nil {
		return incident.Traffic{}, failed(op, err)
	}
	return trafficOf(h, q, span, views), nil
}

func trafficOf(h host, q integrations.TrafficQuery, span Span, views []view) incident.Traffic {
	t := incident.Traffic{
		Window:      incident.Known(q.To.Sub(q.From), incident.FromFlows),
		Attribution: incident.NotKnown[string](whyNotJoined),
		JoinRate:    incident.NotKnown[float64](whyNotJoined),
		ClockSkew:   incident.NotKnown[time.Duration](whyNotJoined),
		Freshness:   incident.NotKnown[time.Time]("flows: the store is empty"),
	}
	if span.Records > 0 {
		t.Freshness = incident.Known(span.Newest, incident.FromFlows)
	}
	if len(views) == 0 {
		if quiet, why := span.quiet(q.From, q.To); !quiet {
			incident.Explain(&t, why)
			return t
		}
	}
	sum := newSummary(q)
	for i := range views {
		sum.add(&views[i])
	}
	sum.fill(&t, h)
	t.Sample = sample(views, q)
	return t
}

// service is what a host exchanged with one peer over one port: the peer's
// where the host opened the flows, else the host's own.
type service struct {
	ip        netip.Addr
	port      uint16
	transport string
	opened    bool
}

// exchange sums the flows of one service.
type exchange struct {
	service
	out, in, packets, flows int64
	// sent counts the flows in which the host sent something, peerPort is
	// where to; 0 stands for several ports.
	sent     int64
	peerPort uint16
}

// summary sums the views of one host.
type summary struct {
	from, to int64
	window   time.Duration
	top      int

	out, in, packets, low, high int64
	flows, measured, oneWay     int64
	sampled                     bool
	first, last                 int64
	exchanges                   []exchange
	index                       map[service]int
}

func newSummary(q integrations.TrafficQuery) *summary {
	return &summary{
		from: q.From.UnixNano(), to: q.To.UnixNano(), window: q.To.Sub(q.From), top: q.Top,
		index: map[service]int{},
	}
}

func (s *summary) add(v *view) {
	out, in := v.share(v.sent, s.from, s.to), v.share(v.received, s.from, s.to)
	packets := v.share(v.packets, s.from, s.to)
	s.flows++
	s.in = add(s.in, in)
	s.sampled = s.sampled || v.sampled
	switch {
	case v.measured:
		s.measured++
		s.out, s.packets = add(s.out, out), add(s.packets, packets)
		s.low = add(s.low, v.share(v.low, s.from, s.to))
		s.high = add(s.high, v.share(v.high, s.from, s.to))
	case v.oneWay:
		s.oneWay++
	}
	begin, end := max(v.start, s.from), min(v.end, s.to)
	if s.flows == 1 {
		s.first, s.last = begin, end
	}
	s.first, s.last = min(s.first, begin), max(s.last, end)
	s.line(v, out, in, packets)
}

// line adds a flow to what was exchanged with its peer.
func (s *summary) line(v *view, out, in, packets int64) {
	key := service{v.remote, v.localPort, v.transport, v.opened}
	if v.opened {
		key.port = v.remotePort
	}
	n, ok := s.index[key]
	if !ok {
		n = len(s.exchanges)
		s.index[key] = n
		s.exchanges = append(s.exchanges, exchange{service: key, peerPort: v.remotePort})
	}
	e := &s.exchanges[n]
	e.out, e.in, e.packets, e.flows = add(e.out, out), add(e.in, in), add(e.packets, packets), e.flows+1
	if out > 0 || packets > 0 || v.opened {
		e.sent++
	}
	if e.peerPort != v.remotePort {
		e.peerPort = 0
	}
}

func (s *summary) fill(t *incident.Traffic, h host) {
	known := func(n int64) incident.Value[int64] { return incident.Known(n, incident.FromFlows) }
	peers := map[netip.Addr]struct{}{}
	for i := range s.exchanges {
		if s.exchanges[i].sent > 0 {
			peers[s.exchanges[i].ip] = struct{}{}
		}
	}
	t.Flows, t.Destinations = known(s.flows), known(int64(len(peers)))
	t.BytesIn = known(s.in)
	t.Top = incident.Known(s.topLines(), incident.FromFlows)
	t.Coverage = s.coverage()
	if s.measured == 0 && s.oneWay > 0 {
		t.BytesOut, t.PacketsOut = incident.NotKnown[int64](whyOneWay), incident.NotKnown[int64](whyOneWay)
		t.Rate = incident.NotKnown[int64](whyOneWay)
		t.Role = incident.NotKnown[string](whyOneWay)
		return
	}
	t.BytesOut, t.PacketsOut = known(s.out), known(s.packets)
	t.Rate = incident.Known(int64(float64(s.out)*8/s.window.Seconds()), incident.Computed)
	t.Role = incident.Known(string(s.role(h)), incident.Computed)
}

// coverage names the worst of what limits the answer.
func (s *summary) coverage() incident.Value[string] {
	c := incident.BothWays
	switch {
	case s.flows == 0:
		return incident.NotKnown[string](whyNoFlow)
	case s.oneWay > 0:
		c = incident.OneWay
	case s.high/disagreement > s.low:
		c = incident.Disagree
	case s.sampled:
		c = incident.Sampled
	}
	return incident.Known(string(c), incident.FromFlows)
}

func (s *summary) role(h host) incident.Role {
	shape := incident.TrafficShape{Host: h.text, Active: time.Duration(s.last - s.first)}
	for i := range s.exchanges {
		e := &s.exchanges[i]
		shape.Peers = append(shape.Peers, incident.PeerTraffic{
			IP: e.ip.String(), Port: int(e.port), Transport: e.transport, Answering: !e.opened,
			BytesOut: e.out, BytesIn: e.in, PacketsOut: e.packets, Flows: e.flows,
		})
	}
	return incident.Classify(shape, incident.DefaultRoleLimits())
}

// topLines returns the largest destinations, in an order that only the flows
// decide. A peer to which nothing was sent, such as a scanner that got no
// answer, is no destination.
func (s *summary) topLines() []incident.TopFlow {
	ranked := make([]*exchange, 0, len(s.exchanges))
	for i := range s.exchanges {
		if s.exchanges[i].sent > 0 {
			ranked = append(ranked, &s.exchanges[i])
		}
	}
	slices.SortFunc(ranked, func(a, b *exchange) int {
		return cmp.Or(cmp.Compare(b.out, a.out), cmp.Compare(b.packets, a.packets), cmp.Compare(b.sent, a.sent),
			a.ip.Compare(b.ip), cmp.Compare(a.port, b.port), cmp.Compare(a.transport, b.transport), compareBool(a.opened, b.opened))
	})
	if s.top > 0 && len(ranked) > s.top {
		ranked = ranked[:s.top]
	}
	lines := make([]incident.TopFlow, len(ranked))
	for i, e := range ranked {
		lines[i] = incident.TopFlow{
			IP: e.ip.String(), Port: int64(e.peerPort), Transport: e.transport, Bytes: e.out, Packets: e.packets, Flows: e.sent,
		}
	}
	return lines
}

// sample returns the largest flows with their 5-tuples. Counters are of the
// window; those of a direction that was not seen are -1.
func sample(views []view, q integrations.TrafficQuery) []incident.Flow {
	from, to := q.From.UnixNano(), q.To.UnixNano()
	largest := func(a, b *view) int {
		return cmp.Or(compareBool(b.measured, a.measured), cmp.Compare(b.sent, a.sent), cmp.Compare(b.received, a.received),
			cmp.Compare(a.start, b.start), a.local.Compare(b.local), cmp.Compare(a.localPort, b.localPort),
			a.remote.Compare(b.remote), cmp.Compare(a.remotePort, b.remotePort), cmp.Compare(a.transport, b.transport))
	}
	ranked := largestViews(views)
	slices.SortFunc(ranked, largest)
	ranked = ranked[:min(len(ranked), sampleFlows)]
	flows := make([]incident.Flow, 0, len(ranked))
	for _, v := range ranked {
		f := incident.Flow{
			Start: time.Unix(0, v.start).UTC(), Duration: time.Duration(v.end - v.start), Tuple: v.tuple(),
			BytesOut: -1, BytesIn: v.share(v.received, from, to), PacketsOut: -1,
		}
		if v.measured {
			f.BytesOut, f.PacketsOut = v.share(v.sent, from, to), v.share(v.packets, from, to)
		}
		flows = append(flows, f)
	}
	return flows
}

// largestViews returns sampleFlows views that nothing outweighs, and those that
// weigh the same as the last of them.
func largestViews(views []view) []*view {
	weight := func(v *view) int64 {
		if v.measured {
			return v.sent
		}
		return -1
	}
	weights := make([]int64, len(views))
	for i := range views {
		weights[i] = weight(&views[i])
	}
	slices.Sort(weights)
	least := int64(-1)
	if len(weights) > sampleFlows {
		least = weights[len(weights)-sampleFlows]
	}
	ranked := make([]*view, 0, sampleFlows)
	for i := range views {
		if weight(&views[i]) >= least {
			ranked = append(ranked, &views[i])
		}
	}
	return ranked
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	default:
		return -1
	}
}
