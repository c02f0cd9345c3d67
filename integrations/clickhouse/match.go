package clickhouse

import (
	"context"
	"fmt"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// choose sets which rows count, by columns that must exist, and by which column a
// router's two directions are distinguished.
func (s *Store) choose(t *table, there map[string]string) error {
	t.only, t.without = s.config.Only, s.config.Without
	for setting, list := range map[string][]integrations.Match{"only": t.only, "without": t.without} {
		for _, m := range list {
			if _, ok := there[m.Column.String()]; !ok {
				return fmt.Errorf("table %q has no column %q that the user may read (%s)", s.config.Table, m.Column, setting)
			}
		}
	}
	t.router = t.sensor(t.columns["sensor"])
	if t.columns["sensor"] == "" {
		t.router = "''"
	}
	if direction := t.columns["flow_direction"]; direction != "" {
		t.columns["sensor"] = fmt.Sprintf("concat(%s, if(lower(toString(%s)) IN ('%s'), '%s', ''))", t.router, direction,
			strings.Join(flowmath.EgressWords(), "', '"), flowmath.Egress)
		t.sided = true
	}
	return nil
}

// counts is the condition that a row counts.
func (q *statement) counts() string {
	all := []string{"1"}
	for _, m := range q.t.only {
		all = append(all, q.matches(m))
	}
	for _, m := range q.t.without {
		all = append(all, "NOT "+q.matches(m))
	}
	return strings.Join(all, " AND ")
}

// matches is the condition that a column has one of the values; NULL has none.
func (q *statement) matches(m integrations.Match) string {
	places := make([]string, len(m.Is))
	for i, value := range m.Texts() {
		places[i] = q.arg(value)
	}
	return fmt.Sprintf("ifNull(toString(%s) IN (%s), 0)", quoted(m.Column.String()), strings.Join(places, ", "))
}

// someRows is how many rows are searched for a value.
const someRows = 1_000_000

// probeMatches checks that the values of only and without occur.
func (s *Store) probeMatches(ctx context.Context, t *table) []integrations.Finding {
	var found []integrations.Finding
	look := func(setting string, list []integrations.Match) {
		for _, m := range list {
			q := &statement{t: t}
			query := fmt.Sprintf("SELECT toInt64(count()) FROM (SELECT 1 FROM (SELECT %[1]s FROM %[2]s LIMIT %[3]d) WHERE %[4]s LIMIT 1)", quoted(m.Column.String()), t.name, someRows, q.matches(m))
			var n int64
			if err := s.one(ctx, t, query, q.args, &n); err != nil {
				found = append(found, integrations.Finding{
					What: fmt.Sprintf("%s: look for %s: %v", setting, m, failed(ctx, "read rows", err)), Fix: "raise max_execution_time or max_rows_to_read",
				})
				continue
			}
			found = append(found, integrations.MatchFinding(setting, m, n > 0))
		}
	}
	look("only", t.only)
	look("without", t.without)
	return found
}
