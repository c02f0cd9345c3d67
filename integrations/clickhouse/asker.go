package clickhouse

import (
	"context"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// asker queries a table.
type asker struct {
	store *Store
	t     *table
}

// statement returns a new statement for a query.
func (a asker) statement(q flowmath.Question) *statement {
	st := &statement{t: a.t, from: q.From, to: q.To}
	switch {
	case q.Own != nil:
		st.networks(q.Own)
	case q.Each:
		st.each(q.Addrs)
	default:
		st.one(q.Addrs)
	}
	return st
}

// Lines implements [flowmath.Asker]. Each 5-tuple counts once.
func (a asker) Lines(ctx context.Context, q flowmath.Question, of flowmath.Lines) ([]flowmath.Line, error) {
	st := a.statement(q)
	switch of {
	case flowmath.Services:
		return a.lines(ctx, st, st.services(q.Most), (*line).service)
	case flowmath.LargestService:
		return a.lines(ctx, st, st.largest(), (*line).service)
	case flowmath.Totals:
		return a.lines(ctx, st, st.totals(q.Each), (*line).total)
	case flowmath.Ranking:
		return a.lines(ctx, st, st.rank(q.Most), (*line).ranked)
	}
	return nil, nil
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

// read reads the sums of the window.
func (l *line) read(t *table, from, to time.Time) (line flowmath.Line, err error) {
	line.Destinations = l.destinations
	if l.local != "" {
		if line.Host, err = t.address.parse(l.local); err != nil {
			return line, err
		}
	}
	line.Exchange = flowmath.Exchange{
		Sent: flowmath.Whole(l.sent), Received: flowmath.Whole(l.received), Packets: flowmath.Whole(l.packets), Low: flowmath.Whole(l.low), High: flowmath.Whole(l.high),
		Flows: l.flows, Measured: l.measured, OneWay: l.oneWay, SentFlows: l.sentFlows,
		Sampled: l.sampled > 0, Uncounted: l.uncounted > 0, Blank: flowmath.Blank(l.blank),
		First: max(l.first, from.UnixNano()), Last: min(l.last, to.UnixNano()),
	}
	if l.firstPort == l.lastPort {
		line.PeerPort = uint16(l.firstPort)
	}
	if l.peer == "" {
		return line, nil
	}
	line.Service = flowmath.Service{Port: uint16(l.port), Transport: flowmath.TransportName(l.proto), Opened: l.opened > 0}
	line.Peer, err = t.address.parse(l.peer)
	return line, err
}

// service, total and ranked are the columns of the statements.
func (l *line) service() []any {
	return append([]any{&l.local, &l.peer, &l.port, &l.proto, &l.opened}, l.sums()...)
}

func (l *line) total() []any { return append([]any{&l.local, &l.destinations}, l.sums()...) }

func (l *line) ranked() []any { return []any{&l.local, &l.sent} }

func (a asker) lines(ctx context.Context, st *statement, query string, columns func(*line) []any) ([]flowmath.Line, error) {
	rows, err := a.store.query(ctx, a.t, query, st.args...)
	if err != nil {
		return nil, err
	}
	var lines []flowmath.Line
	err = each(rows, func() error {
		var l line
		if err := rows.Scan(columns(&l)...); err != nil {
			return err
		}
		read, err := l.read(a.t, st.from, st.to)
		lines = append(lines, read)
		return err
	})
	return lines, err
}

// Views implements [flowmath.Asker].
func (a asker) Views(ctx context.Context, q flowmath.Question, largest bool) ([]flowmath.View, error) {
	st := a.statement(q)
	query := ""
	if largest {
		query = st.sample()
	} else {
		query = st.few(q.Most)
	}
	rows, err := a.store.query(ctx, a.t, query, st.args...)
	if err != nil {
		return nil, err
	}
	var views []flowmath.View
	var sensors flowmath.Sensors
	err = each(rows, func() error {
		var v flowmath.View
		var local, remote, proto, sensor string
		var localPort, remotePort int32
		var opened, measured, oneWay, blank, sampled uint8
		var sent, received, packets float64
		err := rows.Scan(&local, &localPort, &remote, &remotePort, &proto, &opened, &v.Start, &v.End, &sent, &received, &packets,
			&measured, &oneWay, &blank, &sampled, &sensor)
		if err != nil {
			return err
		}
		v.Ends = flowmath.Ends{LocalPort: uint16(localPort), RemotePort: uint16(remotePort), Transport: flowmath.TransportName(proto)}
		if v.Local, err = a.t.address.parse(local); err != nil {
			return err
		}
		if v.Remote, err = a.t.address.parse(remote); err != nil {
			return err
		}
		v.Sent, v.Received = flowmath.Whole(sent), flowmath.Whole(received)
		v.Low, v.High = v.Sent, v.Sent
		if v.Packets = flowmath.Whole(packets); packets < 0 {
			v.Packets = flowmath.NotSeen
		}
		v.Opened, v.Measured, v.OneWay, v.Sampled = opened > 0, measured > 0, oneWay > 0, sampled > 0
		v.Blank = flowmath.Blank(blank)
		v.Sensor, v.Adds = sensors.Number(sensor), a.t.single || v.Sampled || v.Blank == flowmath.NoRate
		views = append(views, v)
		return nil
	})
	return views, err
}

// Seen implements [flowmath.Asker]. A time range without a beginning is read from
// one day before its end.
func (a asker) Seen(ctx context.Context, q flowmath.Question) (bool, error) {
	if q.From.IsZero() {
		q.From = q.To.Add(-flowmath.Hearing)
	}
	st := &statement{t: a.t, from: q.From, to: q.To}
	st.sender(q.Addrs)
	query := st.before()
	var n int64
	err := a.store.one(ctx, a.t, query, st.args, &n)
	return n > 0, err
}

// Parts implements [flowmath.Asker].
func (a asker) Parts(ctx context.Context, q flowmath.Question, length time.Duration) ([]flowmath.Part, error) {
	st := &statement{t: a.t, from: q.From, to: q.To}
	st.sender(q.Addrs)
	query := st.windows(length, int(q.To.Sub(q.From)/length), q.Once)
	rows, err := a.store.query(ctx, a.t, query, st.args...)
	if err != nil {
		return nil, err
	}
	var parts []flowmath.Part
	err = each(rows, func() error {
		var window, measured, oneWay int64
		var sent float64
		var several uint8
		err := rows.Scan(&window, &sent, &measured, &oneWay, &several)
		parts = append(parts, flowmath.Part{
			Window: int(window), Sent: flowmath.Whole(sent), Measured: uint64(measured), OneWay: uint64(oneWay), Several: several > 0,
		})
		return err
	})
	return parts, err
}
