package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/stanch-soar/stanch/integrations"
)

// newestRows is how many of the newest rows are searched for a value.
const newestRows = 100_000

// table is the table, or those of its rows that count.
func (q *statement) table() string {
	if len(q.t.only)+len(q.t.without) == 0 {
		return q.t.name
	}
	return fmt.Sprintf("(SELECT * FROM %s WHERE %s) counted", q.t.name, q.counts())
}

// counts is the condition that a row counts.
func (q *statement) counts() string {
	var all []string
	for _, m := range q.t.only {
		all = append(all, q.matches(m))
	}
	for _, m := range q.t.without {
		all = append(all, "("+q.matches(m)+") IS NOT TRUE")
	}
	return strings.Join(all, " AND ")
}

func (q *statement) matches(m integrations.Match) string {
	return fmt.Sprintf("%s::text = ANY(%s::text[])", pgx.Identifier{m.Column.String()}.Sanitize(), q.arg(m.Texts()))
}

// probeMatches checks that the values of only and without occur.
func (s *Store) probeMatches(ctx context.Context, t *table) []integrations.Finding {
	var found []integrations.Finding
	look := func(setting string, list []integrations.Match) {
		for _, m := range list {
			q := &statement{t: t}
			query := fmt.Sprintf("SELECT EXISTS (SELECT 1 FROM (SELECT * FROM %s ORDER BY %s LIMIT %d) newest WHERE %s)", t.name, q.newestFirst(), newestRows, q.matches(m))
			var occurs bool
			if err := s.pool.QueryRow(ctx, query, q.args...).Scan(&occurs); err != nil {
				found = append(found, integrations.Finding{
					What: fmt.Sprintf("%s: look for %s: %v", setting, m, failed(ctx, "read the newest rows", err)), Fix: "make an index that begins with the column of the start",
				})
				continue
			}
			found = append(found, integrations.MatchFinding(setting, m, occurs))
		}
	}
	look("only", t.only)
	look("without", t.without)
	return found
}
