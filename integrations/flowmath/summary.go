package flowmath

import (
	"cmp"
	"math"
	"net/netip"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

const (
	// disagreement is how far the counters may differ.
	disagreement = 2

	whyOneWay    = "flows: one-way capture"
	whyNoPackets = "flows: the sensor counted no packets, and a flow has at least one"
	whyNoRate    = "flows: sampling not known: the sensor does not say its rate"
	whyUncounted = "flows: the sensor does not count packets"
	whyNotJoined = "flows: not joined with the endpoint's connections"
	whyNoFlow    = "flows: no flow in the window"
)

// Service is one port over which a host and a peer exchange data: the
// peer's where the host opened the flows, else the host's own.
type Service struct {
	Peer      netip.Addr
	Port      uint16
	Transport string
	Opened    bool
}

// Exchange sums the flows of one service in a window: shares and sampling
// applied, each flow once.
type Exchange struct {
	Service
	Sent, Received, Packets int64
	// Low and High bound what the counters of Sent allow; both are Sent where
	// there is one counter and one sensor.
	Low, High int64
	// Flows counts all, Measured those whose volume was seen, OneWay those
	// whose volume was not, and SentFlows those in which the host sent
	// something or that it opened.
	Flows, Measured, OneWay, SentFlows int64
	// PeerPort is the port to which the host sent; 0 means several.
	PeerPort uint16
	Sampled  bool
	// Uncounted reports whether the packets of some flow were not counted.
	Uncounted bool
	// Blank is why the volume of some flow was not seen, if the reason is not
	// that the sensor saw one direction only.
	Blank Blank
	// First and Last are nanoseconds since 1970, within the window.
	First, Last int64
}

// Summary sums what one host exchanged in a window.
type Summary struct {
	from, to int64
	window   time.Duration
	top      int
	limits   traffic.RoleLimits
	total    Exchange
	lines    []Exchange
	index    map[Service]int
	// destinations is set where the lines do not show all of them.
	destinations int64
	bounded      bool
}

// NewSummary returns an empty summary for the window of a query.
func NewSummary(q integrations.TrafficQuery) *Summary {
	limits := traffic.DefaultRoleLimits()
	if q.Limits != nil {
		limits = *q.Limits
	}
	return &Summary{
		from: q.From.UnixNano(), to: q.To.UnixNano(), window: q.To.Sub(q.From), top: q.Top, limits: limits,
		index: map[Service]int{},
	}
}

// View adds one flow, which counts with its share of the window.
func (s *Summary) View(v *View) {
	var t tuple
	t.add(s, v, 0)
	s.Exchange(t.exchange(v.Ends, v.Opened))
}

// Exchange adds sums.
func (s *Summary) Exchange(e Exchange) {
	s.total.merge(&e)
	n, ok := s.index[e.Service]
	if !ok {
		s.index[e.Service] = len(s.lines)
		s.lines = append(s.lines, e)
		return
	}
	s.lines[n].merge(&e)
}

// Total replaces the sum of the exchanges, for a store that returned only the
// largest: these are the sums of all, without a service, and the number of
// all peers to which the host sent.
func (s *Summary) Total(e Exchange, destinations int64) {
	s.total, s.destinations, s.bounded = e, destinations, true
}

func (e *Exchange) merge(o *Exchange) {
	if e.Flows == 0 {
		e.First, e.Last, e.PeerPort = o.First, o.Last, o.PeerPort
	}
	e.First, e.Last = min(e.First, o.First), max(e.Last, o.Last)
	if o.PeerPort != e.PeerPort {
		e.PeerPort = 0
	}
	e.Received, e.Flows, e.SentFlows = Add(e.Received, o.Received), e.Flows+o.Flows, e.SentFlows+o.SentFlows
	e.Measured, e.OneWay = e.Measured+o.Measured, e.OneWay+o.OneWay
	e.Sampled, e.Uncounted, e.Blank = e.Sampled || o.Sampled, e.Uncounted || o.Uncounted, max(e.Blank, o.Blank)
	e.Sent, e.Packets = Add(e.Sent, o.Sent), Add(e.Packets, o.Packets)
	e.Low, e.High = Add(e.Low, o.Low), Add(e.High, o.High)
}

// Hearing is how far back a record of what a host sent proves that the sensors
// see its side.
const Hearing = 24 * time.Hour

// Unheard reports whether there are flows, and in none of them what the host sent
// is known. A store whose records are of one direction each must then find out
// whether its sensors see the host's direction at all; if not, it must call
// [Summary.Deaf].
func (s *Summary) Unheard() bool { return s.total.Flows > 0 && s.total.Measured == 0 }

// Deaf records that the sensors do not see what the host sends.
func (s *Summary) Deaf() { s.total.OneWay = max(s.total.OneWay, 1) }

// Traffic returns the answer. The span is of the whole store: where the host
// sent nothing it decides whether that is a measured zero. A host with flows was
// watched, so a store that lags a little may still report a zero.
func (s *Summary) Traffic(h Host, span Span) incident.Traffic {
	t := incident.Traffic{
		Window:      incident.Known(s.window, incident.FromFlows),
		Attribution: incident.NotKnown[string](whyNotJoined),
		JoinRate:    incident.NotKnown[float64](whyNotJoined),
		Explained:   incident.NotKnown[float64](whyNotJoined),
		ClockSkew:   incident.NotKnown[time.Duration](whyNotJoined),
		Freshness:   incident.NotKnown[time.Time]("flows: the store is empty"),
	}
	quiet, why := span.Quiet(time.Unix(0, s.to))
	switch {
	case !span.Newest.IsZero():
		t.Freshness = incident.Known(span.Newest.UTC(), incident.FromFlows)
	case span.Records > 0:
		t.Freshness = incident.NotKnown[time.Time](why)
	}
	t.FastClocks = span.Fast
	if least := span.why(); least != "" {
		t.AtLeast = []string{least}
		if quiet {
			quiet, why = false, "flows: "+least
		}
	}
	if s.total.Flows == 0 && !quiet {
		incident.Explain(&t, why)
		return t
	}
	s.fill(&t, h)
	if !quiet && s.total.Sent == 0 && t.BytesOut.IsKnown() {
		t.BytesOut, t.PacketsOut = incident.NotKnown[int64](why), incident.NotKnown[int64](why)
		t.Rate, t.Role = incident.NotKnown[int64](why), incident.NotKnown[string](why)
	}
	return t
}

func (s *Summary) fill(t *incident.Traffic, h Host) {
	known := func(n int64) incident.Value[int64] { return incident.Known(n, incident.FromFlows) }
	if !s.bounded {
		peers := map[netip.Addr]struct{}{}
		for i := range s.lines {
			if s.lines[i].SentFlows > 0 {
				peers[s.lines[i].Peer] = struct{}{}
			}
		}
		s.destinations = int64(len(peers))
	}
	t.Flows, t.Destinations = known(s.total.Flows), known(s.destinations)
	t.BytesIn = known(s.total.Received)
	if s.total.OneWay > 0 && s.total.Received == 0 {
		t.BytesIn = incident.NotKnown[int64](s.total.whyUnseen())
	}
	t.Top = incident.Known(s.topLines(), incident.FromFlows)
	t.Coverage = s.coverage()
	if s.total.Measured == 0 && s.total.OneWay > 0 {
		why := s.total.whyUnseen()
		t.BytesOut, t.PacketsOut = incident.NotKnown[int64](why), incident.NotKnown[int64](why)
		t.Rate, t.Role = incident.NotKnown[int64](why), incident.NotKnown[string](why)
		return
	}
	t.BytesOut, t.PacketsOut = known(s.total.Sent), known(s.total.Packets)
	if s.total.Uncounted {
		t.PacketsOut = incident.NotKnown[int64](whyUncounted)
	}
	rate := min(float64(s.total.Sent)*8/s.window.Seconds(), math.MaxInt64/2)
	t.Rate = incident.Known(int64(rate), incident.Computed)
	t.Role = incident.Known(string(s.role(h)), incident.Computed)
}

// whyUnseen returns why the volume of flows was not seen.
func (e *Exchange) whyUnseen() string {
	switch e.Blank {
	case NoPackets:
		return whyNoPackets
	case NoRate:
		return whyNoRate
	case Counted:
	}
	return whyOneWay
}

// coverage returns the worst limit of the answer.
func (s *Summary) coverage() incident.Value[string] {
	c := incident.BothWays
	switch {
	case s.total.Flows == 0:
		return incident.NotKnown[string](whyNoFlow)
	case s.total.OneWay > 0:
		c = incident.OneWay
	case s.total.High/disagreement > s.total.Low:
		c = incident.Disagree
	case s.total.Sampled:
		c = incident.Sampled
	}
	return incident.Known(string(c), incident.FromFlows)
}

// sampledRecords is how many records of sampled traffic are needed for a rate. One
// packet of 4096 counts as that many, but does not mean that they were sent in one
// second.
const sampledRecords = 30

func (s *Summary) role(h Host) incident.Role {
	shape := traffic.Shape{
		Host: h.Strings(), Active: time.Duration(s.total.Last - s.total.First), Peers: make([]traffic.Peer, 0, len(s.lines)),
	}
	few := s.total.Sampled && s.total.Flows < sampledRecords
	if few {
		shape.Active = s.window
	}
	for i := range s.lines {
		e := &s.lines[i]
		p := traffic.Peer{
			IP: e.Peer.String(), Port: int(e.Port), Transport: e.Transport, Answering: !e.Opened,
			BytesOut: e.Sent, BytesIn: e.Received, PacketsOut: e.Packets, Flows: e.Flows, Unseen: e.OneWay,
		}
		if !few {
			p.First, p.Last = time.Duration(e.First-s.total.First), time.Duration(e.Last-s.total.First)
		}
		shape.Peers = append(shape.Peers, p)
	}
	return traffic.Classify(shape, s.limits)
}

// topLines returns the largest destinations, in an order that depends on the flows
// only. A peer to which nothing was sent, such as a scanner that got no answer, is
// not a destination.
func (s *Summary) topLines() []incident.TopFlow {
	ranked := make([]*Exchange, 0, len(s.lines))
	for i := range s.lines {
		if s.lines[i].SentFlows > 0 {
			ranked = append(ranked, &s.lines[i])
		}
	}
	ranked = first(ranked, s.top, func(a, b *Exchange) int {
		return cmp.Or(cmp.Compare(b.Sent, a.Sent), cmp.Compare(b.Packets, a.Packets), cmp.Compare(b.SentFlows, a.SentFlows),
			a.Peer.Compare(b.Peer), cmp.Compare(a.Port, b.Port), cmp.Compare(a.Transport, b.Transport), compareBool(a.Opened, b.Opened))
	})
	lines := make([]incident.TopFlow, len(ranked))
	for i, e := range ranked {
		lines[i] = incident.TopFlow{
			IP: e.Peer.String(), Port: int64(e.PeerPort), Transport: e.Transport, Bytes: e.Sent, Packets: e.Packets, Flows: e.SentFlows,
			Unseen: e.Measured == 0,
		}
	}
	return lines
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
