//go:build duckdb

package duckdb

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// bounds are what a set of files holds.
type bounds struct {
	of   string // which files, and of when
	span flowmath.Span
	// longest is how long any flow took at most.
	longest time.Duration
}

// seen is the files as they were when a query began.
type seen struct {
	db     *sql.DB
	files  []file // all
	parts  []part // those that can hold records of the query's time
	bounds bounds
	// skipped are the times in the query's of which sensors have no records.
	skipped []flowmath.Gap
}

// look finds the files that can hold records of [from, to), and what the
// store holds. The zero time is no bound.
func (s *Store) look(ctx context.Context, from, to time.Time) (*seen, error) {
	db, folder, err := s.connect(ctx)
	if err != nil {
		return nil, err
	}
	v := &seen{db: db}
	if v.files, err = s.list(ctx, folder); err != nil {
		return nil, err
	}
	if v.parts, err = s.parts(ctx, db, until(since(v.files, from), to)); err != nil {
		return nil, err
	}
	v.bounds, err = s.bounds(ctx, db, v.files)
	return v, err
}

// parts groups files by how they are read: together where they are alike.
func (s *Store) parts(ctx context.Context, db *sql.DB, files []file) ([]part, error) {
	if len(files) == 0 {
		return nil, nil
	}
	if s.config.Format == ZeekTSV {
		return s.logs(files)
	}
	p := part{layout: s.layout, files: files, types: s.layout.types()}
	switch s.config.Format {
	case Parquet:
		p.source = "read_parquet(" + paths(files) + ", union_by_name = true)"
		var err error
		if p.types, err = describe(ctx, db, p.source); err != nil {
			return nil, err
		}
	case AWSVPC:
		p.source = "read_parquet(" + paths(files) + ", union_by_name = true, hive_partitioning = false)"
		var err error
		if p.types, err = describe(ctx, db, p.source); err != nil {
			return nil, err
		}
		p.source = p.packets()
	case ZeekJSON:
		p.source = p.underscored(files)
	case GoFlow2, ZeekTSV:
		p.source = ndjson(files, p.types)
	}
	if err := p.missing(); err != nil {
		return nil, integrations.Errorf(integrations.Invalid, "read the flow logs", "%w", err)
	}
	return []part{p}, nil
}

// logs reads the headings of Zeek's own logs. Those with the same columns are
// read at once, and those of other logs than of connections not at all.
func (s *Store) logs(files []file) ([]part, error) {
	groups := map[string][]file{}
	headings := map[string]heading{}
	var order []string
	for _, f := range files {
		h, err := headingOf(f)
		if err != nil {
			return nil, integrations.Errorf(integrations.Invalid, "read the flow logs", "%w", err)
		}
		if h.path != "" && h.path != "conn" && h.path != "conn_long" {
			continue
		}
		k := h.key()
		if _, known := headings[k]; !known {
			order = append(order, k)
		}
		headings[k], groups[k] = h, append(groups[k], f)
	}
	parts := make([]part, 0, len(order))
	for _, k := range order {
		h := headings[k]
		p := part{layout: s.layout, files: groups[k], types: map[string]string{}}
		wanted := s.layout.types()
		fields := make([]string, len(h.fields))
		for i, field := range h.fields {
			kind, ok := wanted[field]
			if ok {
				p.types[field] = kind
			}
			if !ok {
				kind = "VARCHAR"
			}
			fields[i] = text(field) + ": " + text(kind)
		}
		p.source = fmt.Sprintf("read_csv(%s, delim = %s, quote = '', escape = '', comment = '#', header = false, auto_detect = false, "+
			"nullstr = [%s, %s], ignore_errors = true, columns = {%s})",
			paths(groups[k]), text(h.separator), text(h.unset), text(h.empty), strings.Join(fields, ", "))
		if err := p.missing(); err != nil {
			return nil, integrations.Errorf(integrations.Invalid, "read the flow logs", "%w", err)
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// ndjson reads files of one JSON object a line. Other lines are skipped.
func ndjson(files []file, types map[string]string) string {
	return "read_json(" + paths(files) + ", format = 'newline_delimited', ignore_errors = true, maximum_object_size = 1048576, columns = {" + pairs(types) + "})"
}

// underscored reads Zeek's JSON. Some shippers write id_orig_h for id.orig_h.
func (p part) underscored(files []file) string {
	types := maps.Clone(p.types)
	var replaced []string
	for column, kind := range p.types {
		other := strings.ReplaceAll(column, ".", "_")
		if _, taken := p.types[other]; !taken {
			types[other] = kind
			replaced = append(replaced, "coalesce("+name(column)+", "+name(other)+") AS "+name(column))
		}
	}
	if len(replaced) == 0 {
		return ndjson(files, types)
	}
	slices.Sort(replaced)
	return "(SELECT * REPLACE (" + strings.Join(replaced, ", ") + ") FROM " + ndjson(files, types) + ")"
}

func paths(files []file) string {
	list := make([]string, len(files))
	for i, f := range files {
		list[i] = text(f.path)
	}
	return "[" + strings.Join(list, ", ") + "]"
}

// pairs is the columns of a text format for DuckDB.
func pairs(types map[string]string) string {
	list := make([]string, 0, len(types))
	for column, kind := range types {
		list = append(list, text(column)+": "+text(kind))
	}
	slices.Sort(list)
	return strings.Join(list, ", ")
}

// describe returns the columns with their types.
func describe(ctx context.Context, db *sql.DB, source string) (map[string]string, error) {
	rows, err := db.QueryContext(ctx, "SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM "+source+")")
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	types := map[string]string{}
	for rows.Next() {
		var column, kind string
		if err := rows.Scan(&column, &kind); err != nil {
			return nil, err
		}
		types[column] = kind
	}
	return types, rows.Err()
}

// bounds returns what the store holds. For Parquet it reads the files' own statistics;
// of the other formats the files that were written first and last are read,
// which can make the store look smaller than it is but never larger.
func (s *Store) bounds(ctx context.Context, db *sql.DB, files []file) (bounds, error) {
	if s.config.Format == Parquet {
		return s.measure(ctx, db, 0, files)
	}
	for n := 2; ; n *= 8 {
		first, last := files[:min(n, len(files))], files[max(0, len(files)-n):]
		b, err := s.measure(ctx, db, 0, first)
		if err != nil {
			return b, err
		}
		o, err := s.measure(ctx, db, 1, last)
		if b.merge(o); err != nil || b.span.Records > 0 || n >= len(files) {
			return b, err
		}
	}
}

func (b *bounds) merge(o bounds) {
	b.of += o.of
	b.longest = max(b.longest, o.longest)
	switch {
	case o.span.Records == 0:
		return
	case b.span.Records == 0:
		b.span = o.span
		return
	}
	if o.span.Oldest.Before(b.span.Oldest) {
		b.span.Oldest = o.span.Oldest
	}
	if o.span.Newest.After(b.span.Newest) {
		b.span.Newest = o.span.Newest
	}
}

// measure looks into files, unless they are those that it saw the last time in
// this place.
func (s *Store) measure(ctx context.Context, db *sql.DB, place int, files []file) (bounds, error) {
	var id strings.Builder
	for _, f := range files {
		fmt.Fprintf(&id, "%s\x00%d\x00%d\x00", f.path, f.size, f.modified.UnixNano())
	}
	s.mu.Lock()
	known := s.known[place]
	s.mu.Unlock()
	if known.of == id.String() {
		return known, nil
	}
	b := bounds{of: id.String()}
	parts, err := s.parts(ctx, db, files)
	if err != nil {
		return b, err
	}
	for _, p := range parts {
		o, err := p.bounds(ctx, db)
		if err != nil {
			return b, err
		}
		b.merge(o)
	}
	s.mu.Lock()
	s.known[place] = b
	s.mu.Unlock()
	return b, nil
}

// bounds measures a part, with what is of the future.
func (p part) bounds(ctx context.Context, db *sql.DB) (bounds, error) {
	b := bounds{longest: flowmath.MaxDuration}
	if p.format == AWSVPC {
		b.longest = awsLongest
	}
	after := time.Time{}
	if p.format == Parquet {
		first, last, longest, err := p.statistics(ctx, db)
		if err != nil || first.IsZero() {
			return b, err
		}
		b.longest = longest
		// What began last ends last, or near enough: newest may be too early.
		after = last.Add(-time.Hour)
		b.span.Oldest = first
	}
	var first, last sql.NullInt64
	err := db.QueryRowContext(ctx, fmt.Sprintf("SELECT min(start), max(stop) FROM (%s)",
		p.flows(p.counts()+" AND "+p.bound(p.columns.Start, ">=", after)))).Scan(&first, &last)
	if err != nil || !last.Valid {
		return bounds{longest: b.longest}, err
	}
	if b.span.Oldest.IsZero() {
		b.span.Oldest = time.Unix(0, first.Int64)
	}
	b.span.Newest, b.span.Records = time.Unix(0, last.Int64), 1
	return b, nil
}

// statistics queries only the extremes of single columns, which are in Parquet's
// footers.
func (p part) statistics(ctx context.Context, db *sql.DB) (first, last time.Time, longest time.Duration, err error) {
	longest = flowmath.MaxDuration
	most, took := "NULL", "NULL::BIGINT"
	if _, ok := p.types[p.columns.Duration]; ok {
		most, took = "max("+name(p.columns.Duration)+")", p.nanosOf(p.columns.Duration, "most")
	}
	start := p.columns.Start
	var from, to, span sql.NullInt64
	err = db.QueryRowContext(ctx, fmt.Sprintf("SELECT %s, %s, %s FROM (SELECT min(%s) AS low, max(%s) AS high, %s AS most FROM %s)",
		p.nanosOf(start, "low"), p.nanosOf(start, "high"), took, name(start), name(start), most, p.source)).Scan(&from, &to, &span)
	if err != nil || !from.Valid || !to.Valid {
		return time.Time{}, time.Time{}, longest, err
	}
	if span.Valid {
		longest = min(longest, max(0, time.Duration(span.Int64)))
	}
	return time.Unix(0, from.Int64), time.Unix(0, to.Int64), longest, nil
}
