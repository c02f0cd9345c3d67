//go:build duckdb

package duckdb

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

// maxServices bounds the pairs of peer and port that DuckDB sums separately.
const maxServices = 50_000

// ends is a table of flows as seen from one of their ends: src, or else dst. It
// is [flowmath.ViewOf] in SQL.
func ends(table string, fromSource bool) string {
	local, peer, mine, theirs := "src", "dst", "o", "r"
	measured, unseen := "NOT one_way AND coalesce(oi, ob) IS NOT NULL", "one_way OR coalesce(oi, ob) IS NULL"
	if !fromSource {
		local, peer, mine, theirs = peer, local, theirs, mine
		measured, unseen = "coalesce(ri, rb) IS NOT NULL OR NOT single", "false"
	}
	// Packets without bytes: the bytes were not counted.
	odd := strings.NewReplacer("{b}", mine+"b", "{i}", mine+"i", "{p}", mine+"p").Replace("coalesce({p} > 0 AND {i} = 0 AND NOT coalesce({b}, 0) > 0, false)")
	measured, unseen = "blank = 0 AND NOT "+odd+" AND ("+measured+")", "blank > 0 OR "+odd+" OR "+unseen
	return strings.NewReplacer("{local}", local, "{peer}", peer, "{opened}", fmt.Sprint(fromSource),
		"{measured}", measured, "{unseen}", unseen, "{sent}", volume(mine), "{received}", volume(theirs),
		"{bytes}", mine+"b", "{ip}", mine+"i", "{packets}", mine+"p", "{table}", "SELECT *, "+blank()+" AS blank FROM ("+table+")",
		"{near}", amplifies(local+"_port"), "{far}", amplifies(peer+"_port"),
	).Replace(`SELECT *, CASE WHEN opened THEN peer_port ELSE local_port END AS service FROM (
		SELECT start, stop, sensor, transport, sampling, single, {local} AS local, {local}_port AS local_port, {peer} AS peer, {peer}_port AS peer_port,
			CASE WHEN NOT single THEN {opened} WHEN {near} <> {far} THEN {far} ELSE {peer}_port <= {local}_port END AS opened,
			{sent} AS sent, {received} AS received, coalesce({packets}, 0) * sampling AS packets, ({packets} IS NULL OR {packets} = 0 AND coalesce(greatest({bytes}, {ip}), 0) > 0) AS uncounted, blank,
			coalesce(least({ip}, {bytes} + 120 * greatest(1, coalesce({packets}, 1))), 0) * sampling AS low,
			coalesce(greatest({ip}, {bytes}), 0) * sampling AS high, ({measured}) AS measured, ({unseen}) AS unseen FROM ({table}))`)
}

// blank is why a record has no volume, as in [flowmath.ViewOf].
func blank() string {
	return fmt.Sprintf(`CASE WHEN sampling = 0 THEN %d WHEN coalesce(greatest(ob, oi, op, rb, ri, rp), 0) <= 0
		AND coalesce(least(oi, op, ri, rp) = 0, false) THEN %d ELSE 0 END`, flowmath.NoRate, flowmath.NoPackets)
}

// volume is what a side sent, as in [flowmath.Side.Volume].
func volume(side string) string {
	return strings.NewReplacer("{b}", side+"b", "{i}", side+"i", "{p}", side+"p").Replace(
		"CASE WHEN {b} > {i} AND ({p} IS NULL OR {b} <= 65536 * {p}) THEN {b} ELSE coalesce({i}, {b}, 0) END * sampling")
}

// amplifies reports whether a port is an amplification service's.
func amplifies(port string) string {
	ports := map[string][]string{}
	for _, s := range traffic.AmplificationTable() {
		ports[s.Transport] = append(ports[s.Transport], fmt.Sprint(s.Port))
	}
	return fmt.Sprintf("(lower(transport) IN ('udp', '17') AND %[1]s IN (%[2]s) OR lower(transport) IN ('tcp', '6') AND %[1]s IN (%[3]s))",
		port, strings.Join(ports["udp"], ", "), strings.Join(ports["tcp"], ", "))
}

// ofHost is the flows of a host as seen from it.
func (v *seen) ofHost(h flowmath.Host, w window) (query string, args []any) {
	tables := make([]string, 0, 2)
	for _, fromSource := range []bool{true, false} {
		table, more := v.table(w, h.Addrs, fromSource)
		tables, args = append(tables, ends(table, fromSource)), append(args, more...)
	}
	list, own := spellings(h.Addrs)
	return "SELECT * FROM (" + strings.Join(tables, " UNION ALL ") + ") WHERE peer NOT IN " + list, append(args, own...)
}

// share is the part of a number that falls into [from, to), by time.
func share(n, from, to string) string {
	return strings.NewReplacer("{n}", n, "{from}", from, "{to}", to).Replace(
		"CASE WHEN start >= {from} AND stop < {to} THEN {n} WHEN stop > start THEN " +
			"({n} * ((least(stop, {to}) - greatest(start, {from})) / (stop - start)::DOUBLE))::BIGINT ELSE 0 END")
}

// largest is a query for what a host exchanged by service, and for the sums of
// all services where there are more than maxServices. Of several sensors' counts
// of a service the largest is used, for it missed the least.
func largest(table string, w window) string {
	sum := func(n string) string {
		return "sum(" + share(n, fmt.Sprint(w.from.UnixNano()), fmt.Sprint(w.to.UnixNano())) + ")::BIGINT AS " + n
	}
	return strings.NewReplacer("{table}", table, "{most}", fmt.Sprint(maxServices),
		"{from}", fmt.Sprint(w.from.UnixNano()), "{to}", fmt.Sprint(w.to.UnixNano()),
		"{sums}", strings.Join([]string{sum("sent"), sum("received"), sum("packets"), sum("low"), sum("high")}, ", "),
	).Replace(`
		WITH every AS (SELECT opened, peer, service, transport, sensor, {sums},
				count(*) AS flows, count(*) FILTER (measured) AS known, count(*) FILTER (unseen) AS one_way,
				count(*) FILTER (t.sent > 0 OR t.packets > 0 OR opened AND (measured OR unseen)) AS sending,
				min(peer_port) AS first_port, max(peer_port) AS last_port, bool_or(sampling > 1) AS sampled,
				bool_or(measured AND uncounted) AS uncounted, max(CASE WHEN measured THEN 0 ELSE blank END) AS blank, greatest(min(start), {from}) AS first, least(max(stop), {to}) AS last
			FROM ({table}) t GROUP BY opened, peer, service, transport, sensor),
		once AS (SELECT * REPLACE (min(low) OVER sensors AS low, max(high) OVER sensors AS high) FROM every
			WINDOW sensors AS (PARTITION BY opened, peer, service, transport)
			QUALIFY row_number() OVER (PARTITION BY opened, peer, service, transport ORDER BY sent DESC, flows DESC, sensor) = 1),
		ranked AS (SELECT *, row_number() OVER (ORDER BY sent DESC, packets DESC, flows DESC, peer, service, transport, opened) AS rank FROM once)
		SELECT opened, peer, service, transport, sent, received, packets, low, high, flows, known, one_way, sending,
			CASE WHEN first_port = last_port THEN first_port ELSE 0 END, sampled, uncounted, blank, first, last, -1 FROM ranked WHERE rank <= {most}
		UNION ALL SELECT false, '', 0, '', sum(sent)::BIGINT, sum(received)::BIGINT, sum(packets)::BIGINT, sum(low)::BIGINT, sum(high)::BIGINT,
			sum(flows)::BIGINT, sum(known)::BIGINT, sum(one_way)::BIGINT, sum(sending)::BIGINT,
			0, bool_or(sampled), bool_or(uncounted), max(blank), min(first), max(last), count(DISTINCT CASE WHEN sending > 0 THEN peer END)
			FROM ranked HAVING count(*) > {most}`)
}

// sums answers for a host with more flows than are read one by one.
func (v *seen) sums(ctx context.Context, h flowmath.Host, q integrations.TrafficQuery) (*flowmath.Summary, []flowmath.View, error) {
	w := window{q.From, q.To}
	table, args := v.ofHost(h, w)
	rows, err := v.db.QueryContext(ctx, largest(table, w), args...)
	if err != nil {
		return nil, nil, err
	}
	defer func() { _ = rows.Close() }()
	summary := flowmath.NewSummary(q)
	total := func() {}
	for rows.Next() {
		var e flowmath.Exchange
		var peer string
		var destinations int64
		err := rows.Scan(&e.Opened, &peer, &e.Port, &e.Transport, &e.Sent, &e.Received, &e.Packets, &e.Low, &e.High, &e.Flows,
			&e.Measured, &e.OneWay, &e.SentFlows, &e.PeerPort, &e.Sampled, &e.Uncounted, &e.Blank, &e.First, &e.Last, &destinations)
		if err != nil {
			return nil, nil, err
		}
		if destinations >= 0 {
			total = func() { summary.Total(e, destinations) }
			continue
		}
		e.Peer, e.Transport = address(peer), flowmath.TransportName(e.Transport)
		summary.Exchange(e)
	}
	total()
	if err := rows.Err(); err != nil {
		return nil, nil, err
	}
	sample, err := v.sample(ctx, table, args)
	return summary, sample, err
}

// sample returns the largest flows of a table.
func (v *seen) sample(ctx context.Context, table string, args []any) ([]flowmath.View, error) {
	rows, err := v.db.QueryContext(ctx, fmt.Sprintf(`SELECT start, stop, opened, local, local_port, peer, peer_port, transport, sent, received,
		CASE WHEN uncounted THEN -1 ELSE packets END, measured FROM (%s)
		ORDER BY measured DESC, sent DESC, received DESC, start DESC, local, local_port, peer, peer_port LIMIT %d`, table, flowmath.SampleFlows), args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var views []flowmath.View
	for rows.Next() {
		var f flowmath.View
		var local, peer string
		err := rows.Scan(&f.Start, &f.End, &f.Opened, &local, &f.LocalPort, &peer, &f.RemotePort, &f.Transport, &f.Sent, &f.Received, &f.Packets, &f.Measured)
		if err != nil {
			return nil, err
		}
		f.Local, f.Remote, f.Transport = address(local), address(peer), flowmath.TransportName(f.Transport)
		views = append(views, f)
	}
	return views, rows.Err()
}

// sumWindows adds what a host sent to the windows, for a host with more flows than
// are read one by one.
func (v *seen) sumWindows(ctx context.Context, h flowmath.Host, w *flowmath.Windows) error {
	table, args := v.ofHost(h, window{w.From(), w.To()})
	n := int64(w.To().Sub(w.From()) / w.Length())
	query := strings.NewReplacer("{table}", table, "{from}", fmt.Sprint(w.From().UnixNano()), "{length}", fmt.Sprint(int64(w.Length())), "{n}", fmt.Sprint(n),
		"{sent}", share("(CASE WHEN measured THEN sent ELSE 0 END)", "begins", "ends"),
	).Replace(`SELECT i, sensor, sum({sent})::BIGINT, count(*) FILTER (measured), count(*) FILTER (unseen AND NOT measured) FROM
		(SELECT *, {from} + i * {length} AS begins, {from} + (i + 1) * {length} AS ends FROM
			(SELECT *, unnest(range(greatest(0, (start - {from}) // {length}), least({n}, (stop - {from}) // {length} + 1))) AS i FROM ({table})))
		WHERE begins < stop OR start >= begins GROUP BY i, sensor ORDER BY i, sensor`)
	rows, err := v.db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	type sums struct {
		sent             int64
		measured, oneWay uint64
	}
	best := make([]sums, n)
	for rows.Next() {
		var i int64
		var sensor sql.NullString
		var s sums
		if err := rows.Scan(&i, &sensor, &s.sent, &s.measured, &s.oneWay); err != nil {
			return err
		}
		if o := best[i]; cmp.Or(cmp.Compare(s.sent, o.sent), cmp.Compare(s.measured, o.measured), cmp.Compare(s.oneWay, o.oneWay)) > 0 {
			best[i] = s
		}
	}
	for i, s := range best {
		w.Sum(i, s.sent, s.measured, s.oneWay)
	}
	return rows.Err()
}
