package kql_test

import (
	"errors"
	"testing"

	"github.com/stanch-soar/stanch/integrations/edrtest/kql"
)

// Whatever a query is, it is run or refused.
func FuzzRun(f *testing.F) {
	for _, q := range []string{
		`Events | where DeviceId == "d1" and Timestamp between (ago(1h) .. now()) | summarize n = count(), make_set(Port, 2) by File | top 2 by n`,
		`let t = Owners | where Owner has_any ("a"); union withsource=X t, (Events | extend j = parse_json(Extra).a[-1]) | sort by Owner asc nulls first`,
		`Events | join kind=leftouter hint.strategy=broadcast (Owners) on $left.DeviceId == $right.DeviceId | project-away Owner | mv-expand x = pack_array(1, 2)`,
		`print case(true, @"a""b", 1 > 2, 'c', "\u00e9"), 1.5 / 0, -3d, datetime(null), dynamic({"a":[1]})`,
		`Owners | distinct * | extend ['a b'] = iff(isnull(1), 1, 2) | project-rename z = Owner | count`,
	} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		result, err := kql.Run(query, estate(nil))
		var refusal *kql.Error
		if err != nil && !errors.As(err, &refusal) {
			t.Fatalf("%q: %v is no refusal", query, err)
		}
		for _, row := range result.Rows {
			if len(row) != len(result.Columns) {
				t.Fatalf("%q: a row has %d values for %d columns", query, len(row), len(result.Columns))
			}
		}
	})
}
