package postgres

import (
	"context"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// asker queries a table.
type asker struct {
	store *Store
	base  *statement
	// written is the addresses of a ranking as they are in its rows: for that many
	// hosts it costs too much to look for every form.
	written map[netip.Addr][]string
}

// statement returns a new statement for a query.
func (a asker) statement(q flowmath.Question) *statement {
	st := a.base.again()
	st.from, st.to = q.From, q.To
	switch {
	case q.Own != nil:
		st.networks(q.Own)
	case q.Each:
		st.hosts(q.Addrs, a.written)
	default:
		st.host(q.Addrs)
	}
	return st
}

// Lines implements [flowmath.Asker].
func (a asker) Lines(ctx context.Context, q flowmath.Question, of flowmath.Lines) ([]flowmath.Line, error) {
	st := a.statement(q)
	switch of {
	case flowmath.Services:
		return a.lines(ctx, st, st.services(q.Most, q.Once), (*line).service)
	case flowmath.LargestService:
		return a.lines(ctx, st, st.largest(q.Once), (*line).service)
	case flowmath.Totals:
		return a.lines(ctx, st, st.totals(q.Each, q.Once), (*line).total)
	case flowmath.Ranking:
		return a.rank(ctx, st, q.Most)
	}
	return nil, nil
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

// read reads the sums of the window.
func (l *line) read(q *statement) flowmath.Line {
	line := flowmath.Line{Destinations: l.destinations, Several: l.several}
	if l.local != "" {
		line.Host = parseAddr(l.local)
	}
	line.Exchange = flowmath.Exchange{
		Sent: flowmath.Whole(value(l.sent)), Received: flowmath.Whole(value(l.received)), Packets: flowmath.Whole(value(l.packets)),
		Low: flowmath.Whole(value(l.low)), High: flowmath.Whole(value(l.high)),
		Flows: value(l.flows), Measured: value(l.measured), OneWay: value(l.oneWay), SentFlows: value(l.sentFlows),
		Sampled: value(l.sampled), Uncounted: value(l.uncounted), Blank: flowmath.Blank(value(l.blank)),
		First: max(value(l.first), q.from.UnixNano()), Last: min(value(l.last), q.to.UnixNano()),
	}
	if l.opened {
		line.PeerPort = uint16(l.port)
	} else if value(l.firstPort) == value(l.lastPort) {
		line.PeerPort = uint16(value(l.firstPort))
	}
	if l.peer == "" {
		return line
	}
	line.Service = flowmath.Service{
		Peer: parseAddr(l.peer), Port: uint16(l.port), Transport: flowmath.TransportName(l.proto), Opened: l.opened,
	}
	return line
}

// service and total are the columns of the statements.
func (l *line) service() []any {
	return append([]any{&l.local, &l.peer, &l.port, &l.proto, &l.opened}, l.sums()...)
}

func (l *line) total() []any { return append([]any{&l.local, &l.destinations}, l.sums()...) }

// rank returns the hosts that sent most, and keeps how their addresses are written.
func (a asker) rank(ctx context.Context, st *statement, most int) ([]flowmath.Line, error) {
	query := st.rank(most)
	rows, err := a.store.pool.Query(ctx, query, st.args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (flowmath.Line, error) {
		var host string
		var written []string
		err := row.Scan(&host, &written)
		l := flowmath.Line{Host: parseAddr(host)}
		a.written[l.Host] = written
		return l, err
	})
}

func (a asker) lines(ctx context.Context, st *statement, query string, columns func(*line) []any) ([]flowmath.Line, error) {
	rows, err := a.store.pool.Query(ctx, query, st.args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (flowmath.Line, error) {
		var l line
		err := row.Scan(columns(&l)...)
		return l.read(st), err
	})
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
	rows, err := a.store.pool.Query(ctx, query, st.args...)
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

// Seen implements [flowmath.Asker].
func (a asker) Seen(ctx context.Context, q flowmath.Question) (bool, error) {
	st := a.statement(q)
	st.sent = a.base.t.single
	query := st.before()
	var seen bool
	err := a.store.pool.QueryRow(ctx, query, st.args...).Scan(&seen)
	return seen, err
}

// Parts implements [flowmath.Asker].
func (a asker) Parts(ctx context.Context, q flowmath.Question, length time.Duration) ([]flowmath.Part, error) {
	st := a.statement(q)
	st.sent = true
	query := st.windows(length, int(q.To.Sub(q.From)/length), q.Once)
	rows, err := a.store.pool.Query(ctx, query, st.args...)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (flowmath.Part, error) {
		var p flowmath.Part
		var sent float64
		var measured, oneWay int64
		err := row.Scan(&p.Window, &sent, &measured, &oneWay, &p.Several)
		p.Sent, p.Measured, p.OneWay = flowmath.Whole(sent), uint64(measured), uint64(oneWay)
		return p, err
	})
}
