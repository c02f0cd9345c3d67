package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// shownGaps bounds the gaps that an answer names.
const shownGaps = 3

// writeGaps adds the times of which sensors say that they have no records, each once.
func writeGaps(ctx context.Context, tx *sql.Tx, sensors map[string]uint64, gaps []flowmath.Gap) error {
	for _, g := range gaps {
		_, err := tx.ExecContext(ctx, `INSERT INTO gap (sensor, first, last, why) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`,
			sensors[g.Sensor], g.From.UnixNano(), g.To.UnixNano(), g.Why)
		if err != nil {
			return err
		}
	}
	return nil
}

// gaps returns what sensors say that they lack of [from, to), in words, and by which sensor.
func (p *pools) gaps(ctx context.Context, from, to time.Time) (map[uint64][]string, error) {
	rows, err := p.read.QueryContext(ctx, `SELECT sensor, name, first, last, why FROM gap JOIN sensor ON sensor.id = gap.sensor
		WHERE last > ? AND first < ? ORDER BY first, name`, from.UnixNano(), to.UnixNano())
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	found := map[uint64][]string{}
	for rows.Next() {
		var sensor uint64
		var name, why string
		var first, last int64
		if err := rows.Scan(&sensor, &name, &first, &last, &why); err != nil {
			return nil, err
		}
		clock := func(at int64) string { return time.Unix(0, at).UTC().Format(time.RFC3339) }
		found[sensor] = append(found[sensor], fmt.Sprintf("sensor %q says that it has no records from %s to %s: %s", name, clock(first), clock(last), why))
	}
	return found, rows.Err()
}

// missing returns why what a host sent in [from, to) may be more than the records hold: a sensor that
// sees the host, or may see it, has a gap. Which sensors see it shows in what they saw before.
func (p *pools) missing(ctx context.Context, h host, from, to time.Time) ([]string, error) {
	gaps, err := p.gaps(ctx, from, to)
	if err != nil || len(gaps) == 0 {
		return nil, err
	}
	seen := map[uint64]bool{}
	in := period{to.Add(-flowmath.Hearing).UnixNano(), to.UnixNano()}
	for _, bucket := range h.buckets() {
		mine := func(addr []byte) bool { return h.has(addr) && bucketOf(addrOf(addr)) == bucket }
		err := p.eachBlock(ctx, "flows", bucket, in.from, in.to, func(_ int64, flows []byte) error {
			views, err := viewsIn(nil, flows, in, mine)
			for _, v := range views {
				seen[v.Sensor] = true
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	var why []string
	for sensor, list := range gaps {
		if len(seen) == 0 || seen[sensor] {
			why = append(why, list...)
		}
	}
	return few(why), nil
}

// few sorts a list of gaps and bounds it.
func few(why []string) []string {
	slices.Sort(why)
	if more := len(why) - shownGaps; more > 0 {
		why = append(why[:shownGaps], fmt.Sprintf("and %d more gaps", more))
	}
	return why
}

// lacking is what is missing of all hosts in [from, to), in one text.
func (p *pools) lacking(ctx context.Context, from, to time.Time) (string, error) {
	gaps, err := p.gaps(ctx, from, to)
	var why []string
	for _, list := range gaps {
		why = append(why, list...)
	}
	return strings.Join(few(why), ", "), err
}
