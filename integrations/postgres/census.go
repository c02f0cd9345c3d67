package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// HostWindows implements [integrations.Census]. A long time is read in pieces, each with a statement_timeout
// of its own, that are long as compared with the flows from before them that each has to read again.
func (s *Store) HostWindows(ctx context.Context, q integrations.CensusQuery, each time.Duration, yield func(incident.HostWindow) error) error {
	const op = "read what left by window"
	own, n, err := flowmath.CensusWindows(op, q, each)
	if err != nil {
		return err
	}
	base, _, err := s.ask(ctx, q.From, q.To)
	if err != nil {
		return err
	}
	for _, piece := range flowmath.Pieces(q.From, q.To, each, n, max(24*time.Hour, 4*base.t.longest)) {
		if err := s.piece(ctx, op, base, own, piece, each, yield); err != nil {
			return err
		}
	}
	return nil
}

// hostWindow is one window of one host.
type hostWindow struct {
	host   string
	window int
}

// piece reads some windows. Those in which several sensors saw the host are read again, each flow once.
func (s *Store) piece(ctx context.Context, op string, base *statement, own flowmath.Networks, piece flowmath.Piece, each time.Duration, yield func(incident.HostWindow) error) error {
	again := map[hostWindow]bool{}
	read := func(once bool) error {
		st := base.again()
		st.from, st.to = piece.From, piece.To
		st.leaving(own)
		query := st.windows(each, piece.Windows, once)
		var at hostWindow
		var sent float64
		var measured, oneWay int64
		var several bool
		return s.census(ctx, op, st, query, []any{&at.host, &at.window, &sent, &measured, &oneWay, &several}, func() error {
			switch {
			case once && !again[at]:
				return nil
			case several:
				again[at] = true
				return nil
			}
			return yield(incident.HostWindow{
				IP: parseAddr(at.host).String(), Window: piece.First + at.window, BytesOut: flowmath.Whole(sent), Unseen: measured == 0,
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
	st, _, err := s.ask(ctx, q.From, q.To)
	if err != nil {
		return err
	}
	st.leaving(own)
	query := st.hostServices()
	var host, proto, peer string
	var port int32
	var opened, seen bool
	var sent, received, packets, most float64
	var flows, peers, first, last int64
	var sensors []string
	into := []any{&host, &port, &proto, &opened, &sent, &received, &packets, &flows, &seen, &peers, &peer, &most, &first, &last, &sensors}
	return s.census(ctx, op, st, query, into, func() error {
		return yield(incident.HostService{
			IP: parseAddr(host).String(), Port: int64(port), Transport: flowmath.TransportName(proto), Opened: opened,
			BytesOut: flowmath.Whole(sent), BytesIn: flowmath.Whole(received), PacketsOut: flowmath.Whole(packets), Flows: flows, Unseen: !seen,
			Peers: peers, Peer: parseAddr(peer).String(), PeerBytes: flowmath.Whole(most), Sensors: append([]string(nil), sensors...),
			First: time.Unix(0, max(first, q.From.UnixNano())).UTC(), Last: time.Unix(0, min(last, q.To.UnixNano())).UTC(),
		})
	})
}

// census reads the rows of a query one after the other. An error of visit is returned as it is.
func (s *Store) census(ctx context.Context, op string, st *statement, query string, into []any, visit func() error) error {
	rows, err := s.pool.Query(ctx, query, st.args...)
	if err != nil {
		return failed(ctx, op, err)
	}
	var ended error
	_, err = pgx.ForEachRow(rows, into, func() error {
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
	return fmt.Sprintf(`SELECT %[1]s, port, proto::text, opened, COALESCE(sum(sent), 0), COALESCE(sum(received), 0), COALESCE(sum(packets), 0),
			sum(flows)::bigint, max(measured) > 0, count(peer), (array_agg(%[2]s ORDER BY sent DESC NULLS LAST, peer))[1], COALESCE(max(sent), 0),
			%[3]s, %[4]s, array_agg(sensor ORDER BY sensor COLLATE "C") FILTER (WHERE sensor IS NOT NULL)
		FROM (SELECT local, port, proto, opened, peer, sum(sent) AS sent, sum(received) AS received, sum(packets) AS packets, sum(flows) AS flows,
				max(measured) AS measured, min(s) AS s, max(e) AS e, NULL::text AS sensor
			FROM %[5]s x GROUP BY local, port, proto, opened, peer
			UNION ALL
			SELECT local, port, proto, opened, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, %[6]s FROM %[7]s f GROUP BY local, port, proto, opened, sensor) y
		GROUP BY local, port, proto, opened`,
		q.t.text("local"), q.t.text("peer"), q.nanos("min(s)"), q.nanos("max(e)"), q.counted(true), q.t.sensor("sensor"), q.flows())
}
