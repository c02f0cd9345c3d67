//go:build duckdb

package duckdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Traffic implements [integrations.Flows].
func (s *Store) Traffic(ctx context.Context, q integrations.TrafficQuery) (incident.Traffic, error) {
	const op = "read traffic"
	h, err := flowmath.TrafficHost(op, q)
	if err != nil {
		return incident.Traffic{}, err
	}
	v, err := s.lookAt(ctx, q.From, q.To)
	if err != nil {
		return incident.Traffic{}, failed(op, err)
	}
	t, err := s.traffic(ctx, v, h, q)
	if err != nil {
		return incident.Traffic{}, failed(op, err)
	}
	return t, nil
}

// traffic sums the host's flows, or has DuckDB sum them where they are too many.
func (s *Store) traffic(ctx context.Context, v *seen, h flowmath.Host, q integrations.TrafficQuery) (incident.Traffic, error) {
	views, all, err := s.views(ctx, v, h, window{q.From, q.To})
	if err != nil {
		return incident.Traffic{}, err
	}
	if all {
		return s.summed(ctx, v, h, q, views)
	}
	summary, sample, err := v.sums(ctx, h, q)
	if err == nil {
		err = s.listen(ctx, v, summary, h, q.To)
	}
	if err != nil {
		return incident.Traffic{}, err
	}
	t := summary.Traffic(h, v.bounds.span)
	summary.Sample(&t, sample, v.bounds.span)
	return s.lacking(ctx, v, t, h, window{q.From, q.To})
}

// summed sums flows that went through [flowmath.Distinct].
func (s *Store) summed(ctx context.Context, v *seen, h flowmath.Host, q integrations.TrafficQuery, views []flowmath.View) (incident.Traffic, error) {
	summary := flowmath.NewSummary(q)
	for i := range views {
		summary.View(&views[i])
	}
	if err := s.listen(ctx, v, summary, h, q.To); err != nil {
		return incident.Traffic{}, err
	}
	t := summary.Traffic(h, v.bounds.span)
	summary.Sample(&t, views, v.bounds.span)
	return s.lacking(ctx, v, t, h, window{q.From, q.To})
}

// listen checks whether the sensors see what the host sends at all, where records
// are of one direction and the window has none that the host sent: then records
// of what it received do not prove that it was silent.
func (s *Store) listen(ctx context.Context, v *seen, summary *flowmath.Summary, h flowmath.Host, to time.Time) error {
	if !s.layout.single || !summary.Unheard() {
		return nil
	}
	parts, err := s.parts(ctx, v.db, until(since(v.files, to.Add(-flowmath.Hearing)), to))
	if err != nil {
		return err
	}
	earlier := &seen{db: v.db, parts: parts, bounds: v.bounds}
	heard := false
	if len(parts) > 0 {
		query, args := earlier.table(window{to.Add(-flowmath.Hearing), to}, h.Addrs, true)
		heard, err = earlier.any(ctx, query, args)
	}
	if err == nil && !heard {
		summary.Deaf()
	}
	return err
}

// any reports whether a query returns a row.
func (v *seen) any(ctx context.Context, query string, args []any) (bool, error) {
	var one int
	err := v.db.QueryRowContext(ctx, "SELECT 1 FROM ("+query+") LIMIT 1", args...).Scan(&one)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	return err == nil, err
}

// Series implements [integrations.Flows].
func (s *Store) Series(ctx context.Context, q integrations.TrafficQuery) ([]incident.Point, error) {
	return flowmath.Series(ctx, "read the series", q, func(ctx context.Context, op string, from, to time.Time) (flowmath.Reader, flowmath.Span, error) {
		return s.reader(ctx, op, from, to)
	})
}

// Baseline implements [integrations.Flows]. It reads the files of all times: a
// host may have been seen long before the first window.
func (s *Store) Baseline(ctx context.Context, q integrations.BaselineQuery) (incident.Baseline, error) {
	return flowmath.Baseline(ctx, "read the baseline", q, func(ctx context.Context, op string, _, to time.Time) (flowmath.Reader, flowmath.Span, error) {
		return s.reader(ctx, op, time.Time{}, to)
	})
}

// windowReader reads the files of one query.
type windowReader struct {
	store *Store
	op    string
	v     *seen
}

func (s *Store) reader(ctx context.Context, op string, from, to time.Time) (flowmath.Reader, flowmath.Span, error) {
	v, err := s.lookAt(ctx, from, to)
	if err != nil {
		return nil, flowmath.Span{}, failed(op, err)
	}
	return &windowReader{s, op, v}, v.bounds.span, nil
}

// Fill implements [flowmath.Reader].
func (s *windowReader) Fill(ctx context.Context, h flowmath.Host, w *flowmath.Windows) error {
	views, all, err := s.store.views(ctx, s.v, h, window{w.From(), w.To()})
	if err == nil && !all {
		err = s.v.sumWindows(ctx, h, w)
	}
	if err != nil {
		return failed(s.op, err)
	}
	for i := range views {
		w.View(&views[i])
	}
	missing, err := s.store.missing(ctx, s.v, h, window{w.From(), w.To()})
	if err != nil {
		return failed(s.op, err)
	}
	for _, g := range missing {
		w.Lack(g)
	}
	return nil
}

// Before implements [flowmath.Reader].
func (s *windowReader) Before(ctx context.Context, h flowmath.Host, at time.Time) (bool, error) {
	older, err := s.v.before(ctx, h, at)
	if err != nil {
		return false, failed(s.op, err)
	}
	return older, nil
}

// before reports whether there is a record of the host from before a time.
func (v *seen) before(ctx context.Context, h flowmath.Host, at time.Time) (bool, error) {
	for _, p := range v.parts {
		for _, side := range []string{p.columns.Src, p.columns.Dst} {
			list, args := spellings(h.Addrs)
			flows := p.flows(p.counts() + " AND " + p.bound(p.columns.Start, "<", at) + " AND " + name(side) + " IN " + list)
			found, err := v.any(ctx, fmt.Sprintf("SELECT * FROM (%s) WHERE start < %d", flows, at.UnixNano()), args)
			if found || err != nil {
				return found, err
			}
		}
	}
	return false, nil
}

// window is [from, to).
type window struct{ from, to time.Time }

// spellings are the texts that addresses have in flow logs, as a list of SQL and
// its arguments.
func spellings(addresses []netip.Addr) (list string, args []any) {
	for _, a := range addresses {
		for _, text := range flowmath.Spellings(a) {
			args = append(args, text)
		}
	}
	return "(?" + strings.Repeat(", ?", len(args)-1) + ")", args
}

// table is all flows that overlap a window, from one of the addresses, or else
// to one; without addresses all hosts'.
func (v *seen) table(w window, addresses []netip.Addr, fromSource bool) (query string, args []any) {
	var tables []string
	for _, p := range v.parts {
		where := p.counts() + " AND " + p.within(w, v.bounds.longest)
		side := p.columns.Dst
		if fromSource {
			side = p.columns.Src
		}
		if len(addresses) > 0 {
			list, more := spellings(addresses)
			where += " AND " + name(side) + " IN " + list
			args = append(args, more...)
		}
		tables = append(tables, fmt.Sprintf("SELECT *, %t AS single FROM (%s)", p.single, p.flows(where)))
	}
	query = fmt.Sprintf("SELECT * FROM (%s) WHERE start < %d AND (stop > %d OR start >= %d) AND stop - start <= %d",
		strings.Join(tables, " UNION ALL "), w.to.UnixNano(), w.from.UnixNano(), w.from.UnixNano(), int64(flowmath.MaxDuration))
	if slices.ContainsFunc(v.parts, part.grows) {
		query += " QUALIFY row_number() OVER (PARTITION BY sensor, src, src_port, dst, dst_port, transport, start" +
			" ORDER BY stop DESC, coalesce(oi, ob) DESC, coalesce(ri, rb) DESC) = 1"
	}
	return query, args
}

// grows reports whether the files hold long connections, which Zeek records again
// and again as they grow, in a log of their own.
func (p part) grows() bool {
	return !p.single && slices.ContainsFunc(p.files, func(f file) bool {
		name := filepath.Base(f.path)
		return strings.Contains(name, "conn_long") || strings.Contains(name, "conn-long")
	})
}

const recordFields = "start, stop, src, src_port, dst, dst_port, transport, ob, oi, op, rb, ri, rp, sampling, one_way, single, sensor"

// records calls visit with each record of a query, up to one more than the
// store reads one by one, and reports whether those were all.
func (s *Store) records(ctx context.Context, db *sql.DB, query string, args []any, visit func(*flowmath.Record)) (all bool, err error) {
	rows, err := db.QueryContext(ctx, fmt.Sprintf("SELECT %s FROM (%s) LIMIT %d", recordFields, query, s.config.Records+1), args...)
	if err != nil {
		return false, err
	}
	defer func() { _ = rows.Close() }()
	for n := 0; rows.Next(); n++ {
		if n == s.config.Records {
			return false, nil
		}
		r, ok, err := scan(rows)
		if err != nil {
			return false, err
		}
		if ok {
			visit(&r)
		}
	}
	return true, rows.Err()
}

// scan reads a record. An implausible one is left out, like an unreadable line.
func scan(rows *sql.Rows) (r flowmath.Record, ok bool, err error) {
	var start, stop int64
	var src, dst string
	var ports [2]int64
	var n [6]sql.NullInt64
	err = rows.Scan(&start, &stop, &src, &ports[0], &dst, &ports[1], &r.Transport, &n[0], &n[1], &n[2], &n[3], &n[4], &n[5],
		&r.Sampling, &r.OneWay, &r.Single, &r.Sensor)
	if err != nil {
		return r, false, err
	}
	for i, count := range n {
		if !count.Valid {
			n[i].Int64 = flowmath.NotSeen
		}
	}
	r.Start, r.Duration = time.Unix(0, start).UTC(), time.Duration(stop-start)
	r.Orig = flowmath.Side{Bytes: n[0].Int64, IPBytes: n[1].Int64, Packets: n[2].Int64}
	r.Resp = flowmath.Side{Bytes: n[3].Int64, IPBytes: n[4].Int64, Packets: n[5].Int64}
	r.Transport = flowmath.TransportName(r.Transport)
	r.Src, r.Dst = address(src), address(dst)
	for i, into := range []*uint16{&r.SrcPort, &r.DstPort} {
		if ports[i] < 0 || ports[i] > 65535 {
			return r, false, nil
		}
		*into = uint16(ports[i])
	}
	return r, r.Check() == nil, nil
}

func address(text string) netip.Addr {
	if a, ok := flowmath.AddressIn(text); ok {
		return a
	}
	a, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Addr{}
	}
	return a.Unmap().WithZone("")
}

// views returns the host's flows that overlap a window, each once, and whether
// they are all. Traffic between the host's own addresses does not leave it and is
// left out.
func (s *Store) views(ctx context.Context, v *seen, h flowmath.Host, w window) (views []flowmath.View, all bool, err error) {
	if len(v.parts) == 0 {
		return nil, true, nil
	}
	var sensors flowmath.Sensors
	for _, fromSource := range []bool{true, false} {
		query, args := v.table(w, h.Addrs, fromSource)
		all, err := s.records(ctx, v.db, query, args, func(r *flowmath.Record) {
			if !h.Has(r.Src) || !h.Has(r.Dst) {
				views = append(views, flowmath.ViewOf(r, fromSource, sensors.Number(r.Sensor)))
			}
		})
		if err != nil || !all || len(views) > s.config.Records {
			return nil, false, err
		}
	}
	return flowmath.Distinct(views), true, nil
}
