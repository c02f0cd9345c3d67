// Package kql runs the part of the Kusto Query Language that hunting for the
// processes, connections and sessions of a device needs, and summing up network
// logs. What it does not know is refused as the language refuses it, never
// skipped: a query that would fail at the product must not pass here. Functions
// that estimate at the product, such as dcount(), are exact here.
package kql

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Type is that of a column or value.
type Type string

// The types. A value of int or long is an int64; null is nil, and strings are
// never null.
const (
	String   Type = "string"
	Int      Type = "int"
	Long     Type = "long"
	Real     Type = "real"
	Bool     Type = "bool"
	Datetime Type = "datetime"
	Timespan Type = "timespan"
	Dynamic  Type = "dynamic"
)

// Column is one of a table.
type Column struct {
	Name string
	Type Type
}

// Table is a table or the result of a query.
type Table struct {
	Columns []Column
	Rows    [][]any
	// Missing are the tables that a fuzzy union of the query was without.
	Missing []string
}

// Source is what queries read.
type Source struct {
	// Now is what now() returns.
	Now time.Time
	// Time is the column whose bounds Rows is told; empty: Timestamp.
	Time string
	// Ingested is a hidden column with what ingestion_time() returns, if there is that
	// function. Columns whose names begin with $ are hidden: no result has them.
	Ingested string
	// Columns are those of a table, if there is such a table.
	Columns func(table string) ([]Column, bool)
	// Rows are those of a table within bounds; more than those are no harm.
	Rows func(table string, b Bounds) [][]any
}

// Error is the refusal of a query.
type Error struct {
	// Syntax is set where the query is no sentence of the language; otherwise it is
	// one without a meaning, such as one that names a column that is not there.
	Syntax bool
	// Unresolved is set where a table or a column is not there; Table names the table.
	Unresolved bool
	Table      string
	Message    string
}

func (e *Error) Error() string { return e.Message }

func syntaxf(format string, args ...any) error {
	return &Error{Syntax: true, Message: fmt.Sprintf(format, args...)}
}

func semanticf(format string, args ...any) error {
	return &Error{Message: fmt.Sprintf(format, args...)}
}

func unresolvedf(format string, args ...any) error {
	return &Error{Unresolved: true, Message: fmt.Sprintf(format, args...)}
}

// Run runs a query. Its error is an [*Error].
func Run(query string, s Source) (Table, error) {
	q, err := parse(query)
	if err != nil {
		return Table{}, err
	}
	var missing []string
	s.Time = cmp.Or(s.Time, "Timestamp")
	e := &env{source: s, tables: map[string]*tabular{}, scalars: map[string]value{}, missing: &missing}
	for _, l := range q.lets {
		if v, ok := e.scalars[l.alias()]; ok {
			e.scalars[l.name] = v
			continue
		}
		if l.table != nil {
			e.tables[l.name] = l.table
			continue
		}
		v, err := e.constant(l.value)
		if err != nil {
			return Table{}, err
		}
		e.scalars[l.name] = v
	}
	t, err := e.run(q.body, nil)
	if err != nil {
		return Table{}, err
	}
	t = t.shown()
	t.Missing = missing
	return t, nil
}

func hidden(c Column) bool { return strings.HasPrefix(c.Name, "$") }

// shown is a table without its hidden columns.
func (t Table) shown() Table {
	if !slices.ContainsFunc(t.Columns, hidden) {
		return t
	}
	var at []int
	out := Table{}
	for i, c := range t.Columns {
		if !hidden(c) {
			at, out.Columns = append(at, i), append(out.Columns, c)
		}
	}
	for _, row := range t.Rows {
		out.Rows = append(out.Rows, pick(row, at))
	}
	return out
}

// env is what the parts of one query know.
type env struct {
	source  Source
	tables  map[string]*tabular
	scalars map[string]value
	missing *[]string // the tables that unions go without
	depth   int
}

// value is one with its type.
type value struct {
	typ Type
	v   any
}
