package sqlite

import (
	"context"
	"database/sql"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

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

// sensorGap is a gap with the number of its sensor.
type sensorGap struct {
	flowmath.Gap
	number uint64
}

// gaps returns what sensors say that they lack of [from, to), oldest first.
func (p *pools) gaps(ctx context.Context, from, to time.Time) ([]sensorGap, error) {
	rows, err := p.read.QueryContext(ctx, `SELECT sensor, name, first, last, why FROM gap JOIN sensor ON sensor.id = gap.sensor
		WHERE last > ? AND first < ? ORDER BY first, name`, from.UnixNano(), to.UnixNano())
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var found []sensorGap
	for rows.Next() {
		var g sensorGap
		var first, last int64
		if err := rows.Scan(&g.number, &g.Sensor, &first, &last, &g.Why); err != nil {
			return nil, err
		}
		g.From, g.To = time.Unix(0, first).UTC(), time.Unix(0, last).UTC()
		found = append(found, g)
	}
	return found, rows.Err()
}

// missing returns the gaps of [from, to) of sensors that see a host, or may see it. Which sensors do shows in what
// they saw before the end.
func (p *pools) missing(ctx context.Context, h host, from, to time.Time) ([]flowmath.Gap, error) {
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
	return bare(slices.DeleteFunc(gaps, func(g sensorGap) bool { return len(seen) > 0 && !seen[g.number] })), nil
}

func bare(gaps []sensorGap) []flowmath.Gap {
	list := make([]flowmath.Gap, len(gaps))
	for i, g := range gaps {
		list[i] = g.Gap
	}
	return list
}
