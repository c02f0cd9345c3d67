package clickhouse

import (
	"context"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// ask returns the table, and what it holds as far as it counts for a time that
// ends at to.
func (s *Store) ask(ctx context.Context, to time.Time) (*table, flowmath.Span, error) {
	t, err := s.open(ctx)
	if err != nil {
		return nil, flowmath.Span{}, err
	}
	span, err := s.span(ctx, t, to)
	return t, span, err
}

// line is one row of sums, of a service or of all.
type line struct {
	local, peer, proto                 string
	port                               int32
	opened                             uint8
	sent, received, packets, low, high float64
	flows, measured, oneWay, sentFlows int64
	firstPort, lastPort                int32
	sampled, uncounted, blank          uint8
	first, last                        int64
	destinations                       int64
}

func (l *line) sums() []any {
	return []any{
		&l.sent, &l.received, &l.packets, &l.low, &l.high, &l.flows, &l.measured, &l.oneWay, &l.sentFlows,
		&l.firstPort, &l.lastPort, &l.sampled, &l.uncounted, &l.blank, &l.first, &l.last,
	}
}

// exchange reads the sums of the window.
func (l *line) exchange(t *table, from, to time.Time) (flowmath.Exchange, error) {
	e := flowmath.Exchange{
		Sent: flowmath.Whole(l.sent), Received: flowmath.Whole(l.received), Packets: flowmath.Whole(l.packets), Low: flowmath.Whole(l.low), High: flowmath.Whole(l.high),
		Flows: l.flows, Measured: l.measured, OneWay: l.oneWay, SentFlows: l.sentFlows,
		Sampled: l.sampled > 0, Uncounted: l.uncounted > 0, Blank: flowmath.Blank(l.blank),
		First: max(l.first, from.UnixNano()), Last: min(l.last, to.UnixNano()),
	}
	if l.firstPort == l.lastPort {
		e.PeerPort = uint16(l.firstPort)
	}
	if l.peer == "" {
		return e, nil
	}
	peer, err := t.address.parse(l.peer)
	if err != nil {
		return e, err
	}
	e.Service = flowmath.Service{Peer: peer, Port: uint16(l.port), Transport: flowmath.TransportName(l.proto), Opened: l.opened > 0}
	return e, nil
}

// services reads the lines of a statement that names the service of each.
func (s *Store) services(ctx context.Context, t *table, query string, args []any) ([]line, error) {
	return s.lines(ctx, t, query, args, func(l *line) []any {
		return append([]any{&l.local, &l.peer, &l.port, &l.proto, &l.opened}, l.sums()...)
	})
}

// totals reads the lines of a statement that counts peers.
func (s *Store) totals(ctx context.Context, t *table, query string, args []any) ([]line, error) {
	return s.lines(ctx, t, query, args, func(l *line) []any { return append([]any{&l.local, &l.destinations}, l.sums()...) })
}

func (s *Store) lines(ctx context.Context, t *table, query string, args []any, columns func(*line) []any) ([]line, error) {
	a, err := s.query(ctx, t, query, args...)
	if err != nil {
		return nil, err
	}
	var lines []line
	err = each(a, func() error {
		var l line
		err := a.Scan(columns(&l)...)
		lines = append(lines, l)
		return err
	})
	return lines, err
}

// Traffic implements [integrations.Flows]. A flow counts with its share of the
// window, by time. Of what several sensors counted of one 5-tuple in the window
// the largest stands.
func (s *Store) Traffic(ctx context.Context, q integrations.TrafficQuery) (incident.Traffic, error) {
	const op = "read traffic"
	h, err := flowmath.TrafficHost(op, q)
	if err != nil {
		return incident.Traffic{}, err
	}
	t, span, err := s.ask(ctx, q.To)
	if err != nil {
		return incident.Traffic{}, err
	}
	answer, err := s.traffic(ctx, t, h, q, span)
	if err != nil {
		return incident.Traffic{}, failed(ctx, op, err)
	}
	return answer, nil
}

// traffic answers from the flows themselves where they are few, and else from
// sums and the largest flows.
func (s *Store) traffic(ctx context.Context, t *table, h flowmath.Host, q integrations.TrafficQuery, span flowmath.Span) (incident.Traffic, error) {
	st := &statement{t: t, from: q.From, to: q.To}
	st.one(h.Addrs)
	query := st.few(s.few)
	views, err := s.views(ctx, t, query, st.args)
	if err != nil {
		return incident.Traffic{}, err
	}
	sum := flowmath.NewSummary(q)
	switch {
	case len(views) == 0:
		return sum.Traffic(h, span), nil
	case len(views) > s.few:
		views, err = s.sums(ctx, t, h, q, sum)
	case t.single:
		sum.Tuples(views, st.slot())
	default:
		sum.Tuples(views, 0)
	}
	if err == nil {
		err = s.listen(ctx, t, h, q.From, sum)
	}
	if err != nil {
		return incident.Traffic{}, err
	}
	answer := sum.Traffic(h, span)
	answer.Sample = flowmath.Sample(flowmath.Distinct(views), q)
	return answer, nil
}

// sums sums what is too much to be read, and returns the largest flows.
func (s *Store) sums(ctx context.Context, t *table, h flowmath.Host, q integrations.TrafficQuery, sum *flowmath.Summary) ([]flowmath.View, error) {
	if err := s.summarise(ctx, t, h, q, sum); err != nil {
		return nil, err
	}
	st := &statement{t: t, from: q.From, to: q.To}
	st.one(h.Addrs)
	query := st.sample()
	return s.views(ctx, t, query, st.args)
}

// summarise sums the services of the host; where these are too many to be read,
// the largest of them, and the sums of all.
func (s *Store) summarise(ctx context.Context, t *table, h flowmath.Host, q integrations.TrafficQuery, sum *flowmath.Summary) error {
	st := &statement{t: t, from: q.From, to: q.To}
	st.one(h.Addrs)
	query := st.services(s.config.MaxRows)
	lines, err := s.services(ctx, t, query, st.args)
	if err != nil {
		return err
	}
	for i := range lines[:min(len(lines), s.config.MaxRows)] {
		e, err := lines[i].exchange(t, q.From, q.To)
		if err != nil {
			return err
		}
		sum.Exchange(e)
	}
	if len(lines) > s.config.MaxRows {
		st = &statement{t: t, from: q.From, to: q.To}
		st.one(h.Addrs)
		query := st.totals(false)
		all, err := s.totals(ctx, t, query, st.args)
		if err != nil {
			return err
		}
		for i := range all {
			e, err := all[i].exchange(t, q.From, q.To)
			if err != nil {
				return err
			}
			sum.Total(e, all[i].destinations)
		}
	}
	return nil
}

// listen finds out whether silence is a measured zero, where records are of one
// direction: the sensors must have seen the host send something lately.
func (s *Store) listen(ctx context.Context, t *table, h flowmath.Host, from time.Time, sum *flowmath.Summary) error {
	if !t.single || !sum.Unheard() {
		return nil
	}
	heard, err := s.before(ctx, t, h, from)
	if err == nil && !heard {
		sum.Deaf()
	}
	return err
}

// before reports whether the host was seen in the day before a time; with records
// of one direction, whether it was seen to send.
func (s *Store) before(ctx context.Context, t *table, h flowmath.Host, from time.Time) (bool, error) {
	st := &statement{t: t, from: from.Add(-flowmath.Hearing), to: from}
	st.sender(h.Addrs)
	query := st.before()
	var n int64
	err := s.one(ctx, t, query, st.args, &n)
	return n > 0, err
}

// views reads flows one by one.
func (s *Store) views(ctx context.Context, t *table, query string, args []any) ([]flowmath.View, error) {
	a, err := s.query(ctx, t, query, args...)
	if err != nil {
		return nil, err
	}
	var views []flowmath.View
	var sensors flowmath.Sensors
	err = each(a, func() error {
		var v flowmath.View
		var local, remote, proto, sensor string
		var localPort, remotePort int32
		var opened, measured, oneWay, blank, sampled uint8
		var sent, received, packets float64
		err := a.Scan(&local, &localPort, &remote, &remotePort, &proto, &opened, &v.Start, &v.End, &sent, &received, &packets,
			&measured, &oneWay, &blank, &sampled, &sensor)
		if err != nil {
			return err
		}
		v.Ends = flowmath.Ends{LocalPort: uint16(localPort), RemotePort: uint16(remotePort), Transport: flowmath.TransportName(proto)}
		if v.Local, err = t.address.parse(local); err != nil {
			return err
		}
		if v.Remote, err = t.address.parse(remote); err != nil {
			return err
		}
		v.Sent, v.Received = flowmath.Whole(sent), flowmath.Whole(received)
		v.Low, v.High = v.Sent, v.Sent
		if v.Packets = flowmath.Whole(packets); packets < 0 {
			v.Packets = flowmath.NotSeen
		}
		v.Opened, v.Measured, v.OneWay, v.Sampled = opened > 0, measured > 0, oneWay > 0, sampled > 0
		v.Blank = flowmath.Blank(blank)
		v.Sensor, v.Adds = sensors.Number(sensor), t.single || v.Sampled || v.Blank == flowmath.NoRate
		views = append(views, v)
		return nil
	})
	return views, err
}
