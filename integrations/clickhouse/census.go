package clickhouse

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// pieces is how much of a long time one query reads, within max_execution_time and max_result_rows.
const pieces = 24 * time.Hour

// HostWindows implements [integrations.Census].
func (s *Store) HostWindows(ctx context.Context, q integrations.CensusQuery, each time.Duration, yield func(incident.HostWindow) error) error {
	const op = "read what left by window"
	own, n, err := flowmath.CensusWindows(op, q, each)
	if err != nil {
		return err
	}
	t, err := s.open(ctx)
	if err != nil {
		return err
	}
	for _, piece := range flowmath.Pieces(q.From, q.To, each, n, pieces) {
		if err := s.piece(ctx, op, t, own, piece, each, yield); err != nil {
			return err
		}
	}
	return nil
}

// hostWindow is one window of one host.
type hostWindow struct {
	host   string
	window int64
}

// piece reads some windows. Those in which several sensors saw the host are read again, each flow once.
func (s *Store) piece(ctx context.Context, op string, t *table, own flowmath.Networks, piece flowmath.Piece, length time.Duration, yield func(incident.HostWindow) error) error {
	again := map[hostWindow]bool{}
	read := func(once bool) error {
		st := &statement{t: t, from: piece.From, to: piece.To}
		st.leaving(own)
		query := st.windows(length, piece.Windows, once)
		var at hostWindow
		var sent float64
		var measured, oneWay int64
		var several uint8
		return s.census(ctx, op, st, query, []any{&at.host, &at.window, &sent, &measured, &oneWay, &several}, func() error {
			switch {
			case once && !again[at]:
				return nil
			case several > 0:
				again[at] = true
				return nil
			}
			host, err := t.address.parse(at.host)
			if err != nil {
				return failed(ctx, op, err)
			}
			return yield(incident.HostWindow{
				IP: host.String(), Window: piece.First + int(at.window), BytesOut: flowmath.Whole(sent), Unseen: measured == 0,
			})
		})
	}
	if err := read(false); err != nil || len(again) == 0 {
		return err
	}
	return read(true)
}

// HostServices implements [integrations.Census].
func (s *Store) HostServices(ctx context.Context, q integrations.CensusQuery, yield func(incident.HostService) error) error {
	const op = "read what left by service"
	own, err := flowmath.CensusBounds(op, q)
	if err != nil {
		return err
	}
	t, err := s.open(ctx)
	if err != nil {
		return err
	}
	st := &statement{t: t, from: q.From, to: q.To}
	st.leaving(own)
	query := st.hostServices()
	var host, proto, peer string
	var port int32
	var opened, seen uint8
	var sent, received, packets, most float64
	var flows, peers, first, last int64
	var sensors []string
	into := []any{&host, &port, &proto, &opened, &sent, &received, &packets, &flows, &seen, &peers, &peer, &most, &first, &last, &sensors}
	return s.census(ctx, op, st, query, into, func() error {
		var addrs [2]netip.Addr
		for i, text := range []string{host, peer} {
			if addrs[i], err = t.address.parse(text); err != nil {
				return failed(ctx, op, err)
			}
		}
		names := make([]string, len(sensors))
		for i, name := range sensors {
			names[i] = t.named(name)
		}
		slices.Sort(names)
		return yield(incident.HostService{
			IP: addrs[0].String(), Port: int64(port), Transport: flowmath.TransportName(proto), Opened: opened > 0,
			BytesOut: flowmath.Whole(sent), BytesIn: flowmath.Whole(received), PacketsOut: flowmath.Whole(packets), Flows: flows, Unseen: seen == 0,
			Peers: peers, Peer: addrs[1].String(), PeerBytes: flowmath.Whole(most), Sensors: names,
			First: time.Unix(0, max(first, q.From.UnixNano())).UTC(), Last: time.Unix(0, min(last, q.To.UnixNano())).UTC(),
		})
	})
}

// census reads the rows of a query one after the other. An error of visit is returned as it is.
func (s *Store) census(ctx context.Context, op string, st *statement, query string, into []any, visit func() error) error {
	rows, err := s.query(ctx, st.t, query, st.args...)
	if err != nil {
		return failed(ctx, op, err)
	}
	var ended error
	err = each(rows, func() error {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		ended = visit()
		return ended
	})
	if ended != nil {
		return ended
	}
	if err != nil {
		return failed(ctx, op, err)
	}
	return nil
}

// hostServices selects the services of each host, each flow once, with all sensors that saw some of them.
func (q *statement) hostServices() string {
	const sensors = ", groupUniqArray(sensors1) AS sensors"
	return fmt.Sprintf(`SELECT %s, port, toString(proto), toUInt8(opened), sum(sent3), sum(received3), sum(packets3), toInt64(sum(flows3)), toUInt8(max(measured3)),
			toInt64(count()), argMax(%s, sent3), max(sent3), toInt64(min(first3)), toInt64(max(last3)), groupUniqArrayArray(sensors3)
		FROM (SELECT local, toInt32(if(opened, rport, lport)) AS port, proto, opened, peer, sum(sent) AS sent3, sum(received) AS received3, sum(packets) AS packets3,
				sum(flows) AS flows3, max(measured) AS measured3, min(first) AS first3, max(last) AS last3, groupUniqArrayArray(sensors) AS sensors3
			FROM %s GROUP BY local, port, proto, opened, peer)
		GROUP BY local, port, proto, opened`,
		q.t.address.text("local"), q.t.address.text("peer"), q.countedWith(fmt.Sprintf(", %s AS sensors1", q.t.sensor("sensor0")), sensors))
}
