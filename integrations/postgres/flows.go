package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// ask returns a statement for a window, and what the store holds.
func (s *Store) ask(ctx context.Context, from, to time.Time) (*statement, flowmath.Span, error) {
	t, err := s.open(ctx)
	if err != nil {
		return nil, flowmath.Span{}, err
	}
	span, err := s.span(ctx, t, to)
	if err != nil {
		return nil, flowmath.Span{}, err
	}
	newest := span.Newest
	if newest.IsZero() {
		newest = time.Unix(0, 0)
	}
	return &statement{t: t, from: from, to: to, newest: newest}, span, nil
}

// again returns a statement with the same window and no parameters.
func (q *statement) again() *statement {
	return &statement{t: q.t, from: q.from, to: q.to, newest: q.newest}
}

// line is one row of sums, of a service or of all.
type line struct {
	local, peer, proto                 string
	port                               int32
	opened                             bool
	sent, received, packets, low, high *float64
	flows, measured, oneWay, sentFlows *int64
	firstPort, lastPort                *int32
	sampled, uncounted                 *bool
	blank                              *int32
	first, last                        *int64
	several                            bool
	destinations                       int64
}

func (l *line) sums() []any {
	return []any{
		&l.sent, &l.received, &l.packets, &l.low, &l.high, &l.flows, &l.measured, &l.oneWay, &l.sentFlows,
		&l.firstPort, &l.lastPort, &l.sampled, &l.uncounted, &l.blank, &l.first, &l.last, &l.several,
	}
}

func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// exchange reads the sums of the window.
func (l *line) exchange(q *statement) flowmath.Exchange {
	e := flowmath.Exchange{
		Sent: flowmath.Whole(value(l.sent)), Received: flowmath.Whole(value(l.received)), Packets: flowmath.Whole(value(l.packets)),
		Low: flowmath.Whole(value(l.low)), High: flowmath.Whole(value(l.high)),
		Flows: value(l.flows), Measured: value(l.measured), OneWay: value(l.oneWay), SentFlows: value(l.sentFlows),
		Sampled: value(l.sampled), Uncounted: value(l.uncounted), Blank: flowmath.Blank(value(l.blank)),
		First: max(value(l.first), q.from.UnixNano()), Last: min(value(l.last), q.to.UnixNano()),
	}
	if l.opened {
		e.PeerPort = uint16(l.port)
	} else if value(l.firstPort) == value(l.lastPort) {
		e.PeerPort = uint16(value(l.firstPort))
	}
	if l.peer == "" {
		return e
	}
	e.Service = flowmath.Service{
		Peer: parseAddr(l.peer), Port: uint16(l.port), Transport: flowmath.TransportName(l.proto), Opened: l.opened,
	}
	return e
}

// services reads the lines of a statement that names the service of each.
func (s *Store) services(ctx context.Context, query string, args []any) ([]line, error) {
	return s.lines(ctx, query, args, func(l *line) []any {
		return append([]any{&l.local, &l.peer, &l.port, &l.proto, &l.opened}, l.sums()...)
	})
}

// totals reads the lines of a statement that counts peers.
func (s *Store) totals(ctx context.Context, query string, args []any) ([]line, error) {
	return s.lines(ctx, query, args, func(l *line) []any { return append([]any{&l.local, &l.destinations}, l.sums()...) })
}

func (s *Store) lines(ctx context.Context, query string, args []any, columns func(*line) []any) ([]line, error) {
	rows, err := s.pool.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (line, error) {
		var l line
		err := row.Scan(columns(&l)...)
		return l, err
	})
}

// several reports whether more than one sensor may have seen a flow, which then
// must count once. Where a service has two lines, its peer is written in two ways,
// as two sensors may do.
func several(lines []line) bool {
	type service struct {
		peer, proto string
		port        int32
		opened      bool
	}
	seen := map[service]bool{}
	for i := range lines {
		l := &lines[i]
		s := service{l.peer, l.proto, l.port, l.opened}
		if l.several || l.peer != "" && seen[s] {
			return true
		}
		seen[s] = true
	}
	return false
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
	base, span, err := s.ask(ctx, q.From, q.To)
	if err != nil {
		return incident.Traffic{}, err
	}
	t, err := s.traffic(ctx, base, h, q, span)
	if err != nil {
		return incident.Traffic{}, failed(ctx, op, err)
	}
	return t, nil
}

// traffic answers from the flows themselves where they are few, and else from
// sums and the largest flows.
func (s *Store) traffic(ctx context.Context, base *statement, h flowmath.Host, q integrations.TrafficQuery, span flowmath.Span) (incident.Traffic, error) {
	st := base.again()
	st.host(h.Addrs)
	query := st.few(s.few)
	views, err := s.views(ctx, st, query)
	if err != nil {
		return incident.Traffic{}, err
	}
	sum := flowmath.NewSummary(q)
	if len(views) <= s.few {
		base.add(sum, views)
	} else {
		views, err = s.sums(ctx, base, h, sum)
	}
	if err == nil {
		err = s.listen(ctx, base, h, sum)
	}
	if err != nil {
		return incident.Traffic{}, err
	}
	t := sum.Traffic(h, span)
	if len(views) == 0 {
		hidden, err := s.hidden(ctx, base, h)
		if err != nil {
			return incident.Traffic{}, err
		}
		if hidden != "" {
			return unfound(t, hidden), nil
		}
	}
	if len(views) > 0 {
		t.Sample = flowmath.Sample(flowmath.Distinct(views), q)
	}
	return t, nil
}

// add sums flows as [statement.counted] does.
func (q *statement) add(sum *flowmath.Summary, views []flowmath.View) {
	switch {
	case q.t.single:
		sum.Tuples(views, time.Minute)
	case flowmath.SeveralSensors(views):
		sum.Tuples(views, 0)
	default:
		for i := range views {
			sum.View(&views[i])
		}
	}
}

// sums sums what is too much to be read, and returns the largest flows.
func (s *Store) sums(ctx context.Context, base *statement, h flowmath.Host, sum *flowmath.Summary) ([]flowmath.View, error) {
	type sampled struct {
		views []flowmath.View
		err   error
	}
	sample := make(chan sampled, 1)
	go func() {
		st := base.again()
		st.host(h.Addrs)
		query := st.sample()
		views, err := s.views(ctx, st, query)
		sample <- sampled{views, err}
	}()
	err := s.summarise(ctx, base, h, sum)
	largest := <-sample
	if err == nil {
		err = largest.err
	}
	return largest.views, err
}

// summarise sums the services of the host; where these are too many to be read,
// the largest of them, and the sums of all.
func (s *Store) summarise(ctx context.Context, base *statement, h flowmath.Host, sum *flowmath.Summary) error {
	once := false
	ask := func() ([]line, error) {
		st := base.again()
		st.host(h.Addrs)
		query := st.services(s.config.MaxRows, once)
		return s.services(ctx, query, st.args)
	}
	lines, err := ask()
	if err == nil && several(lines) {
		once = true
		lines, err = ask()
	}
	if err != nil {
		return err
	}
	for i := range lines[:min(len(lines), s.config.MaxRows)] {
		sum.Exchange(lines[i].exchange(base))
	}
	if len(lines) > s.config.MaxRows {
		return s.total(ctx, base, h, sum, once)
	}
	return nil
}

func (s *Store) total(ctx context.Context, base *statement, h flowmath.Host, sum *flowmath.Summary, once bool) error {
	st := base.again()
	st.host(h.Addrs)
	query := st.totals(false, once)
	lines, err := s.totals(ctx, query, st.args)
	if err != nil {
		return err
	}
	for i := range lines {
		sum.Total(lines[i].exchange(base), lines[i].destinations)
	}
	return nil
}

// listen finds out whether silence is a measured zero, where records are of one
// direction: the sensors must have seen the host send something lately.
func (s *Store) listen(ctx context.Context, base *statement, h flowmath.Host, sum *flowmath.Summary) error {
	if !base.t.single || !sum.Unheard() {
		return nil
	}
	st := base.again()
	st.host(h.Addrs)
	st.sent = true
	query := st.before(flowmath.Hearing)
	var heard bool
	if err := s.pool.QueryRow(ctx, query, st.args...).Scan(&heard); err != nil {
		return err
	}
	if !heard {
		sum.Deaf()
	}
	return nil
}

// views reads flows one by one.
func (s *Store) views(ctx context.Context, st *statement, query string) ([]flowmath.View, error) {
	rows, err := s.pool.Query(ctx, query, st.args...)
	if err != nil {
		return nil, err
	}
	var sensors flowmath.Sensors
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (flowmath.View, error) {
		var v flowmath.View
		var local, remote, proto, sensor string
		var localPort, remotePort, measured, oneWay, blank int32
		var sent, received, packets, low, high float64
		err := row.Scan(&local, &localPort, &remote, &remotePort, &proto, &v.Opened, &v.Start, &v.End, &sent, &received, &packets,
			&low, &high, &measured, &oneWay, &blank, &v.Sampled, &sensor)
		if err != nil {
			return v, err
		}
		v.Ends = flowmath.Ends{LocalPort: uint16(localPort), RemotePort: uint16(remotePort), Transport: flowmath.TransportName(proto)}
		v.Local, v.Remote = parseAddr(local), parseAddr(remote)
		v.Sent, v.Received, v.Low, v.High = flowmath.Whole(sent), flowmath.Whole(received), flowmath.Whole(low), flowmath.Whole(high)
		if v.Packets = flowmath.Whole(packets); packets < 0 {
			v.Packets = flowmath.NotSeen
		}
		v.Measured, v.OneWay, v.Blank, v.Sensor = measured > 0, oneWay > 0, flowmath.Blank(blank), sensors.Number(sensor)
		if v.Blank != flowmath.Counted {
			v.Sent, v.Received, v.Packets, v.Low, v.High = 0, 0, 0, 0, 0
		}
		v.Adds = st.t.single || v.Sampled || v.Blank == flowmath.NoRate
		return v, nil
	})
}
