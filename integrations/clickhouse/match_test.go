package clickhouse

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
)

// with is the custom layout with one more column, whose value is an expression,
// and other settings.
func with(column string, change func(*Config)) layout {
	l := layouts()[2]
	l.create = strings.Replace(l.create, "sampling UInt32)", "sampling UInt32, "+column+")", 1)
	usual := l.config
	l.config = func(c *Config) { usual(c); change(c) }
	return l
}

func servers(t *testing.T, check func(*testing.T, *server)) {
	t.Helper()
	for name, s := range map[string]*server{"Debian's server": shared, "the engine of today": current} {
		t.Run(name, func(t *testing.T) { check(t, s.ready(t)) })
	}
}

func TestOnlySomeRowsCount(t *testing.T) {
	const action = "action String MATERIALIZED if(sport = 4711, 'REJECT', 'ACCEPT')"
	marked := func(ago time.Duration, bytes int64) contract.Seen {
		f := contract.Second(ago, bytes, -1)
		f.SrcPort = 4711
		return f
	}
	servers(t, func(t *testing.T, s *server) {
		for name, l := range map[string]layout{
			"without":              with(action, func(c *Config) { c.Without = contract.Match(t, "action", "REJECT", "DENY") }),
			"without, some NULL":   with("action Nullable(String) MATERIALIZED if(sport = 4711, 'REJECT', NULL)", func(c *Config) { c.Without = contract.Match(t, "action", "REJECT") }),
			"only":                 with(action, func(c *Config) { c.Only = contract.Match(t, "action", "ACCEPT") }),
			"only a number":        with("side UInt8 MATERIALIZED sport = 4711", func(c *Config) { c.Only = contract.Match(t, "side", "0") }),
			"only some of a value": with("verdict Enum8('drop' = 1, 'pass' = 2) MATERIALIZED if(sport = 4711, 'drop', 'pass')", func(c *Config) { c.Only = contract.Match(t, "verdict", "pass") }),
		} {
			for _, summed := range []bool{false, true} {
				o := openerOf(l)
				o.on, o.summed = s, summed
				store := o.open(t, []contract.Seen{contract.Second(2*time.Minute, 5000, 10), marked(time.Minute, 9_000_000), marked(-20*time.Minute, 1), contract.Second(-time.Minute, 1, 1)})
				got, err := store.Traffic(t.Context(), contract.Quarter())
				if n, ok := got.BytesOut.Get(); err != nil || !ok || n != 5000 {
					t.Errorf("%s, in sums %t: bytes_out is %v (%v), want 5000", name, summed, got.BytesOut, err)
				}
				q := contract.Quarter()
				survey, err := store.Survey(t.Context(), q.From, q.To)
				if err != nil || survey.Records != 1 {
					t.Errorf("%s: the survey counts %d records (%v), want 1", name, survey.Records, err)
				}
				// Rows that do not count say nothing of how far the store has come, either.
				if got, ok := got.Freshness.Get(); !ok || got.After(q.To.Add(10*time.Minute)) {
					t.Errorf("%s: the newest record is of %s, want one that counts", name, got)
				}
				for _, f := range store.Probe(t.Context()) {
					if !f.OK && strings.Contains(f.What, "no new record has it") {
						t.Errorf("%s: the probe reports %q", name, f.What)
					}
				}
			}
		}
	})
}

func TestFlowThatARouterRecordedTwiceCountsOnce(t *testing.T) {
	servers(t, func(t *testing.T, s *server) {
		for _, summed := range []bool{false, true} {
			l := with("side String", func(c *Config) { c.Columns.FlowDirection = "side" })
			l.rows = func(f contract.Seen) [][]any {
				row := customRows(f)[0]
				return [][]any{append(row[:len(row):len(row)], "Ingress"), append(row[:len(row):len(row)], "Egress")}
			}
			o := openerOf(l)
			o.on, o.summed = s, summed
			store := o.open(t, []contract.Seen{contract.Second(2*time.Minute, 5000, 10), contract.Second(-time.Minute, 1, 1)})
			got, err := store.Traffic(t.Context(), contract.Quarter())
			if n, ok := got.BytesOut.Get(); err != nil || !ok || n != 5000 {
				t.Errorf("in sums %t: bytes_out is %v (%v), want 5000", summed, got.BytesOut, err)
			}
			survey, err := store.Survey(t.Context(), contract.Quarter().From, contract.Quarter().To)
			if err != nil || len(survey.Sensors) != 2 || survey.Sensors[1].Name != "north egress" {
				t.Errorf("the sensors are %+v (%v), want north and its egress", survey.Sensors, err)
			}
		}
	})
}

func TestMatchesMustFit(t *testing.T) {
	_, err := openerOf(with("action String DEFAULT ''", func(c *Config) { c.Without = contract.Match(t, "verdict", "REJECT") })).open(t, nil).Traffic(t.Context(), contract.Quarter())
	if integrations.KindOf(err) != integrations.Invalid || !strings.Contains(fmt.Sprint(err), `no column "verdict"`) {
		t.Errorf("got %v, want an invalid error of the column that is not there", err)
	}
	store := openerOf(with("action String MATERIALIZED 'ACCEPT'", func(c *Config) { c.Without = contract.Match(t, "action", "REJECT' OR 1 = 1 --") })).
		open(t, []contract.Seen{contract.Second(time.Minute, 5000, 10), contract.Second(-time.Minute, 1, 1)})
	found := store.Probe(t.Context())
	if len(found) == 0 || found[0].OK || !strings.Contains(found[0].What, "no new record has it: action is REJECT' OR") {
		t.Errorf("the probe says %+v, want the value that does not occur", found)
	}
}
