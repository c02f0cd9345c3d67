package splunk

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

// class is events at one end of which the same is known of what the host sent.
type class struct {
	end
	where string
	// measured reports whether it is known.
	measured bool
}

// classes are all events of hosts, each once: an answer that is a sum does not tell events
// with a counter from those without.
func classes() []class {
	source, destination := ends()
	none := fmt.Sprintf("%s=0 NOT %s>0 (%s>0 OR %s>0)", destination.sent, destination.packets, destination.received, destination.answer)
	return []class{
		{source, source.sent + ">0", true},
		// A host that opened a flow has sent something, seen or not.
		{source, "NOT " + source.sent + ">0", false},
		{destination, destination.sent + ">0", true},
		// It did not answer.
		{destination, none, true},
		{destination, fmt.Sprintf("NOT %s>0 NOT (%s)", destination.sent, none), false},
	}
}

// counters are the sums of each group.
func (c class) counters() []string {
	return []string{
		"sum(" + c.sent + ") AS sent", "sum(" + c.received + ") AS received", "sum(" + c.packets + ") AS packets",
		"count(" + c.sent + ") AS said", "count(" + c.packets + ") AS packeted", "min(" + c.packets + ") AS fewest",
		"max(" + c.packets + ") AS most", "max(" + c.answer + ") AS answered",
		"min(_time) AS first", "max(_time) AS last",
	}
}

// group is the sums of one row.
type group struct {
	class
	row
}

// flows returns how many events of known and of unknown volume there are.
func (g group) flows() (measured, unseen int64) {
	n := g.sum("count")
	if g.measured {
		return n, 0
	}
	return 0, n
}

// blank reports whether the events of the group have counters, of either end, all of them 0.
func (g group) blank() bool {
	return !g.measured && g.sum("received") == 0 && g.sum("most") == 0 && g.sum("answered") == 0 && g.sum("said")+g.sum("packeted") > 0
}

// groups visits the sums of the events of a search, of all classes, each group of one
// sensor and by the fields that of names. Visits are one at a time.
func (s *Flows) groups(ctx context.Context, op string, from, to time.Time, of func(c class) (where, by []string), visit func(group) error) error {
	all := classes()
	answers := make([][]row, len(all))
	var calls []func(context.Context) error
	for i, c := range all {
		where, by := of(c)
		if where == nil {
			continue
		}
		q := tstats{sums: c.counters(), where: append(where, c.where), by: append([]string{fieldSensor, fieldAction}, by...), from: from, to: to}
		calls = append(calls, func(ctx context.Context) (err error) {
			answers[i], err = s.search(ctx, op, q)
			return err
		})
	}
	if err := httpx.Together(ctx, calls...); err != nil {
		return err
	}
	for i, rows := range answers {
		for _, r := range rows {
			if !r.left() {
				continue
			}
			if err := visit(group{all[i], r}); err != nil {
				return err
			}
		}
	}
	return nil
}

// line is what a host exchanged with one service, as one sensor saw it.
type line struct {
	host   netip.Addr
	sensor string
	flowmath.Exchange
}

// lines has Splunk sum what hosts exchanged with each peer: a flow counts whole at its
// event's time.
func (s *Flows) lines(ctx context.Context, op string, addrs []netip.Addr, from, to time.Time) ([]line, error) {
	var all []line
	err := s.groups(ctx, op, from, to, func(c class) (where, by []string) {
		return []string{ofEnd(c.end, addrs)}, []string{c.own, c.ownIP, c.peer, c.peerIP, fieldDestPort, fieldTransport}
	}, func(g group) error {
		own := g.address(g.ownIP, g.own)
		if !slices.Contains(addrs, own) {
			return nil // its name is the text of an address, and its address another
		}
		x, err := g.exchange()
		if err != nil {
			return integrations.Errorf(integrations.Unavailable, op, "%w", err)
		}
		all = append(all, line{own, g.text(fieldSensor), x})
		return nil
	})
	return all, err
}

func (g group) exchange() (flowmath.Exchange, error) {
	first, began := g.time("first")
	last, ended := g.time("last")
	if !began || !ended {
		return flowmath.Exchange{}, errors.New("a group of events has no time")
	}
	n := g.sum("count")
	x := flowmath.Exchange{
		Service: flowmath.Service{
			Peer: g.address(g.peerIP, g.peer), Port: g.port(fieldDestPort), Transport: g.transport(), Opened: g.source,
		},
		Received: g.sum("received"), Flows: n, First: first.UnixNano(), Last: last.UnixNano(),
	}
	if x.Measured, x.OneWay = g.flows(); g.measured {
		x.Sent, x.Packets = g.sum("sent"), g.sum("packets")
		x.Uncounted = g.sum("packeted") < n || x.Sent > 0 && g.count("fewest") == 0
	}
	x.Low, x.High = x.Sent, x.Sent
	if g.source || x.Sent > 0 {
		x.SentFlows = n
	}
	if g.source {
		x.PeerPort = x.Port
	}
	if g.blank() {
		x.Blank = flowmath.NoPackets
	}
	return x, nil
}

// summarize has Splunk sum what the host exchanged with each peer, and returns the largest
// flows for a sample.
func (s *Flows) summarize(ctx context.Context, op string, h flowmath.Host, q integrations.TrafficQuery, sum *flowmath.Summary) ([]flowmath.View, error) {
	lines, err := s.lines(ctx, op, h.Addrs, q.From, q.To)
	if err != nil {
		return nil, err
	}
	var sensors flowmath.BySensor
	for _, l := range lines {
		if !h.Has(l.Peer) {
			sensors.Add(l.sensor, l.Exchange)
		}
	}
	for _, x := range sensors.Exchanges() {
		sum.Exchange(x)
	}
	return s.largest(ctx, op, h, q)
}

// largest returns the flows in which the host sent most.
func (s *Flows) largest(ctx context.Context, op string, h flowmath.Host, q integrations.TrafficQuery) ([]flowmath.View, error) {
	var sensors flowmath.Sensors
	var views []flowmath.View
	source, destination := ends()
	for _, e := range []end{source, destination} {
		one := s.one()
		one.where, one.from, one.to = []string{ofEnd(e, h.Addrs), e.sent + ">0"}, q.From, q.To
		// After the sums a field's name with a dot would need quotes of its own.
		one.sums = append(one.sums, "max("+e.sent+") AS size")
		one.then = fmt.Sprintf("| sort %d - size", flowmath.SampleFlows)
		rows, err := s.search(ctx, op, one)
		if err != nil {
			return nil, err
		}
		records, err := s.read(op, rows)
		if err != nil {
			return nil, err
		}
		views = append(views, viewsOf(records, h, &sensors, q.From, q.To)...)
	}
	return flowmath.Distinct(views), nil
}

// spans are the lengths of Splunk's bins, the longest first, that begin at the same moments
// in each time zone.
func spans() []time.Duration { return []time.Duration{15 * time.Minute, 5 * time.Minute, time.Minute} }

// histogram fills the windows: a flow counts in the window in which its event is stamped. Of
// several sensors the one that saw most is used, in each window.
func (s *Flows) histogram(ctx context.Context, op string, h flowmath.Host, windows *flowmath.Windows) error {
	type bin struct {
		at     int
		sensor string
	}
	type sum struct{ sent, measured, unseen int64 }
	from, length := windows.From(), windows.Length()
	span := spans()[slices.IndexFunc(spans(), func(d time.Duration) bool {
		return d == time.Minute || length%d == 0 && from.Truncate(d).Equal(from)
	})]
	bins := map[bin]sum{}
	err := s.groups(ctx, op, from, windows.To(), func(c class) (where, by []string) {
		return []string{ofEnd(c.end, h.Addrs)}, []string{c.own, c.ownIP, c.peer, c.peerIP, fmt.Sprintf("_time span=%dm", span/time.Minute)}
	}, func(g group) error {
		if !h.Has(g.address(g.ownIP, g.own)) || h.Has(g.address(g.peerIP, g.peer)) {
			return nil
		}
		begin, ok := g.time("_time")
		if !ok || !begin.Truncate(span).Equal(begin) {
			return integrations.Errorf(integrations.Unavailable, op, "sums of %s begin at %q", span, g.text("_time"))
		}
		b := bin{int(begin.Sub(from) / length), g.text(fieldSensor)}
		at := bins[b]
		measured, unseen := g.flows()
		if g.measured {
			at.sent = flowmath.Add(at.sent, g.sum("sent"))
		}
		at.measured, at.unseen = at.measured+measured, at.unseen+unseen
		bins[b] = at
		return nil
	})
	if err != nil {
		return err
	}
	best := map[int]sum{}
	for b, at := range bins {
		if have, ok := best[b.at]; !ok || at.sent > have.sent || at.sent == have.sent && at.measured > have.measured {
			best[b.at] = at
		}
	}
	for i, at := range best {
		windows.Sum(i, at.sent, uint64(at.measured), uint64(at.unseen))
	}
	return nil
}
