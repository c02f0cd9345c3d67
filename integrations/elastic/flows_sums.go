package elastic

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

const (
	// pageBuckets is how many groups one search returns, maxBuckets how many an
	// answer is made of. Composite groups are exact; of a terms aggregation that is
	// ordered by a sum the cluster does not report what it leaves out.
	pageBuckets = 5_000
	maxBuckets  = 200_000
)

// errGroups says that an answer would be made of too many groups.
var errGroups = errors.New("there are too many groups")

// sums selects the host's records at one end that are summed: those whose stamp
// is in [from, to), and of a flow that is reported repeatedly the last.
func (s *Store) sums(h flowmath.Host, e end, from, to time.Time) query {
	ips := h.Strings()
	all := []query{
		s.layout.records(), s.layout.stamped(from, to), e.from(ips), not(oneOf(e.peer, ips)),
	}
	if s.layout.id != "" {
		all = append(all, s.layout.last)
	}
	return allOf(all...)
}

// counters are the sums of each group.
func (l layout) counters(e end) map[string]agg {
	measured := positive(e.sent)
	unseen := query{Bool: &boolean{
		Filter: []query{anyOf(positive(e.packets), positive(e.back), positive(e.received))}, MustNot: []query{measured},
	}}
	uncounted := query{Bool: &boolean{Filter: []query{measured}, MustNot: []query{positive(e.packets)}}}
	return map[string]agg{
		"sent": {Sum: &field{Field: e.sent}}, "received": {Sum: &field{Field: e.received}}, "packets": {Sum: &field{Field: e.packets}},
		"first": {Min: &field{Field: l.time}}, "last": {Max: &field{Field: l.time}},
		"measured": {Filter: &measured}, "unseen": {Filter: &unseen}, "uncounted": {Filter: &uncounted},
	}
}

// key is what a group has in common.
type key map[string]json.RawMessage

func (k key) text(name string) string {
	var text string
	if json.Unmarshal(k[name], &text) == nil {
		return text
	}
	return string(k[name])
}

// rate is the sampling rate: 1 where the documents have no such field, and 0
// where they leave it open.
func (k key) rate() int64 {
	if text := k.text("rate"); text == "" || text == "null" {
		return 1
	}
	return k.number("rate")
}

// host is the address of one's own that a group is of.
func (k key) host(op string) (netip.Addr, error) {
	a, err := netip.ParseAddr(k.text("host"))
	if err != nil {
		return netip.Addr{}, integrations.Errorf(integrations.Unavailable, op, "a group has no host's address")
	}
	return a.Unmap(), nil
}

func (k key) number(name string) int64 {
	n, err := strconv.ParseFloat(k.text(name), 64)
	if err != nil || n < 0 || n > 1<<62 {
		return 0
	}
	return int64(n)
}

func by(name, field string) map[string]source {
	return map[string]source{name: {Terms: &sourceTerms{Field: field, Missing: true}}}
}

// groups visits the groups of a query, page by page, with the counters for one
// end. Every group is of one sensor and one sampling rate, as well as of by.
func (s *Store) groups(ctx context.Context, op string, q query, e end, sources []map[string]source, visit func(k key, rate int64, b bucket) error) error {
	sources = append(sources, by("sensor", s.layout.sensor))
	if s.layout.sampling != "" {
		sources = append(sources, by("rate", s.layout.sampling))
	}
	c := composite{Size: pageBuckets, Sources: sources}
	for n := 0; ; {
		out, err := s.ask(ctx, op, request{Query: q, Aggs: map[string]agg{"groups": {Composite: &c, Aggs: s.layout.counters(e)}}})
		if err != nil {
			return err
		}
		page := out.Aggregations["groups"]
		for _, b := range page.Buckets {
			var k key
			if err := json.Unmarshal(b.Key, &k); err != nil {
				return integrations.Errorf(integrations.Unavailable, op, "a group has no key")
			}
			if err := visit(k, cmp.Or(k.rate(), s.layout.unsaid), b); err != nil {
				return err
			}
		}
		n += len(page.Buckets)
		switch {
		case len(page.Buckets) == 0 || page.After == nil:
			return nil
		case n >= s.groupsMost:
			return integrations.Errorf(integrations.Invalid, op, "%w, more than %d: ask for a shorter time", errGroups, s.groupsMost)
		}
		c.After = maps.Clone(page.After)
	}
}

// histogram fills the windows by date_histogram: a flow counts in the window in
// which its record is stamped. Of several sensors the one that saw most is used,
// in each window.
func (s *Store) histogram(ctx context.Context, op string, h flowmath.Host, windows *flowmath.Windows) error {
	best, err := s.cells(ctx, op, func(e end) query { return s.sums(h, e, windows.From(), windows.To()) }, windows.From(), windows.Length(), false)
	if err != nil {
		return err
	}
	for c, at := range best {
		windows.Sum(c.window, at.sent, uint64(at.measured), uint64(at.unseen))
	}
	return nil
}

// cell is one window as one sensor saw it; the host is that of cells of many hosts.
type cell struct {
	window int
	sensor string
	host   netip.Addr
}

// sentIn is what a host sent in one window, and how many of the records count it, and how many do not.
type sentIn struct{ sent, measured, unseen int64 }

// cells has the cluster sum what was sent in each window of a length from a time on, in the records that
// which selects at each end; with hosts also by the address at that end. Of several sensors the one that
// saw most is used.
func (s *Store) cells(ctx context.Context, op string, which func(end) query, start time.Time, each time.Duration, hosts bool) (map[cell]sentIn, error) {
	all := map[cell]sentIn{}
	from, length := start.UnixMilli(), each.Milliseconds()
	sources := []map[string]source{{"at": {Histogram: &sourceHistogram{
		Field: s.layout.time, Interval: millis(each), Offset: millis(time.Duration(from%length) * time.Millisecond),
	}}}}
	for _, e := range s.layout.ends() {
		into := sources
		if hosts {
			into = append(slices.Clip(sources), by("host", e.own))
		}
		err := s.groups(ctx, op, which(e), e, into, func(k key, rate int64, b bucket) error {
			c := cell{int((k.number("at") - from) / length), k.text("sensor"), netip.Addr{}}
			if hosts {
				var err error
				if c.host, err = k.host(op); err != nil {
					return err
				}
			}
			at := all[c]
			at.sent = flowmath.Add(at.sent, b.Sent.int64()*rate)
			measured, unseen := s.layout.seen(rate, b, e)
			at.measured, at.unseen = at.measured+measured, at.unseen+unseen
			all[c] = at
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	best := map[cell]sentIn{}
	for c, at := range all {
		c.sensor = ""
		if b, ok := best[c]; !ok || at.sent > b.sent || at.sent == b.sent && at.measured > b.measured {
			best[c] = at
		}
	}
	return best, nil
}

// summarize has the cluster sum what the host exchanged with each peer, and
// returns the largest flows for a sample.
func (s *Store) summarize(ctx context.Context, op string, h flowmath.Host, q integrations.TrafficQuery, sum *flowmath.Summary) ([]flowmath.View, error) {
	lines, err := s.lines(ctx, op, func(e end) query { return s.sums(h, e, q.From, q.To) }, false)
	if err != nil {
		return nil, err
	}
	for _, x := range fullest(lines) {
		sum.Exchange(x)
	}
	return s.largest(ctx, op, h, q)
}

// lines has the cluster sum what was exchanged with each peer, as each sensor saw it, in the records that
// which selects at each end; with hosts also by the address at that end.
func (s *Store) lines(ctx context.Context, op string, which func(end) query, hosts bool) (map[line]flowmath.Exchange, error) {
	lines, received := map[line]flowmath.Exchange{}, map[line]flowmath.Exchange{}
	for _, e := range s.layout.ends() {
		into := lines
		if !e.source {
			into = received
		}
		for _, opened := range s.directions(e) {
			port := e.ownPort
			if opened.byHost {
				port = e.peerPort
			}
			sources := []map[string]source{by("peer", e.peer), by("port", port), by("transport", transport)}
			if hosts {
				sources = append(sources, by("host", e.own))
			}
			err := s.groups(ctx, op, allOf(which(e), opened.query), e, sources, func(k key, rate int64, b bucket) error {
				x, err := s.layout.exchange(k, rate, b, e, opened.byHost)
				if err != nil {
					return integrations.Errorf(integrations.Unavailable, op, "%w", err)
				}
				at := line{x.Service, k.text("sensor"), netip.Addr{}}
				if hosts {
					if at.host, err = k.host(op); err != nil {
						return err
					}
				}
				into[at] = joined(into[at], x)
				return nil
			})
			if err != nil {
				return nil, err
			}
		}
	}
	for at, x := range received {
		both := joined(lines[at], x)
		if s.layout.halves {
			both.Flows = max(lines[at].Flows, x.Flows)
		}
		lines[at] = both
	}
	return lines, nil
}

// direction is which of the records at one end are of flows that the host
// opened.
type direction struct {
	query  query
	byHost bool
}

// directions are the ways to decide who opened a flow: a record's source did, but
// where a record may be of one direction only, its ports decide.
func (s *Store) directions(e end) []direction {
	if !s.layout.singles {
		return []direction{{query{Exists: &field{Field: e.own}}, e.source}}
	}
	asked := service(e.peerPort)
	answers := query{Bool: &boolean{Filter: []query{service(e.ownPort)}, MustNot: []query{asked}}}
	return []direction{{not(answers), true}, {answers, false}}
}

// service selects ports of services: the well-known ones and those of
// amplification services.
func service(port string) query {
	var high []int
	for _, s := range traffic.AmplificationTable() {
		if s.Port >= 1024 {
			high = append(high, s.Port)
		}
	}
	lowest := int64(1024)
	return anyOf(query{Range: map[string]limit{port: {To: &lowest}}}, query{Terms: map[string]any{port: high}})
}

// line is a service as one sensor saw it; the host is that of lines of many hosts.
type line struct {
	flowmath.Service
	sensor string
	host   netip.Addr
}

// seen is how many of the records count what the host sent, and how many do not.
// A sensor that counts both directions has also seen that an end did not answer.
// A record without counts says nothing of either end.
func (l layout) seen(rate int64, b bucket, e end) (measured, unseen int64) {
	switch {
	case rate == 0:
		return 0, b.Documents
	case !l.singles && !e.source:
		return b.Documents - b.empty(), b.empty()
	case e.source:
		// A host that opened a flow has sent something, seen or not.
		return b.Measured.Documents, b.Unseen.Documents + b.empty()
	default:
		return b.Measured.Documents, b.empty()
	}
}

func (l layout) exchange(k key, rate int64, b bucket, e end, byHost bool) (flowmath.Exchange, error) {
	peer, err := netip.ParseAddr(k.text("peer"))
	if err != nil {
		return flowmath.Exchange{}, fmt.Errorf("a group has no peer's address")
	}
	x := flowmath.Exchange{
		Service: flowmath.Service{
			Peer: peer.Unmap(), Port: uint16(k.number("port")), Transport: flowmath.TransportName(cmp.Or(k.text("transport"), "unknown")), Opened: byHost,
		},
		Sent: b.Sent.int64() * rate, Received: b.Received.int64() * rate, Packets: b.Packets.int64() * rate,
		Flows: b.Documents, Sampled: rate > 1, Uncounted: b.Uncounted.Documents > 0,
		First: b.First.int64() * int64(time.Millisecond), Last: b.Last.int64() * int64(time.Millisecond),
	}
	x.Measured, x.OneWay = l.seen(rate, b, e)
	x.SentFlows = b.Measured.Documents
	if e.source {
		x.SentFlows += x.OneWay
	}
	switch {
	case rate == 0:
		x.Blank, x.SentFlows = flowmath.NoRate, b.Documents
	case b.empty() > 0:
		x.Blank = flowmath.NoPackets
	}
	x.Low, x.High = x.Sent, x.Sent
	if byHost {
		x.PeerPort = x.Port
	}
	return x, nil
}

// joined adds up the same sensor's lines of the same service.
func joined(a, b flowmath.Exchange) flowmath.Exchange {
	if a.Flows == 0 {
		return b
	}
	b.Sent, b.Received, b.Packets = flowmath.Add(a.Sent, b.Sent), flowmath.Add(a.Received, b.Received), flowmath.Add(a.Packets, b.Packets)
	b.Low, b.High = b.Sent, b.Sent
	b.Flows, b.Measured, b.OneWay, b.SentFlows = a.Flows+b.Flows, a.Measured+b.Measured, a.OneWay+b.OneWay, a.SentFlows+b.SentFlows
	b.First, b.Last, b.Sampled = min(a.First, b.First), max(a.Last, b.Last), a.Sampled || b.Sampled
	b.Uncounted, b.Blank = a.Uncounted || b.Uncounted, max(a.Blank, b.Blank)
	return b
}

// fullest returns each service once: as the sensor saw it that saw most, with
// the bounds of all.
func fullest(lines map[line]flowmath.Exchange) map[line]flowmath.Exchange {
	best := map[line]flowmath.Exchange{}
	for at, x := range lines {
		at.sensor = ""
		b, ok := best[at]
		if !ok {
			best[at] = x
			continue
		}
		low, high := min(b.Low, x.Low), max(b.High, x.High)
		received := max(b.Received, x.Received)
		if cmp.Or(cmp.Compare(x.Sent, b.Sent), cmp.Compare(x.Flows, b.Flows), cmp.Compare(x.Packets, b.Packets)) > 0 {
			b = x
		}
		b.Low, b.High, b.Received = low, high, received
		best[at] = b
	}
	return best
}
