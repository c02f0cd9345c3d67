package sqlite

import (
	"context"
	"net/netip"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Hosts implements [integrations.Hunter].
func (s *Store) Hosts(ctx context.Context, q integrations.HostsQuery) ([]incident.HostTraffic, error) {
	own, most, err := flowmath.HostsBounds("read the hosts", q)
	if err != nil {
		return nil, err
	}
	talkers, err := s.Top(ctx, TopQuery{Networks: own, From: q.From, To: q.To, Limit: most, Top: 1})
	if err != nil {
		return nil, err
	}
	hosts := make([]incident.HostTraffic, 0, len(talkers))
	for _, t := range talkers {
		a, err := netip.ParseAddr(t.IP)
		if err != nil {
			return nil, failed("read the hosts", err)
		}
		hosts = append(hosts, flowmath.HostTraffic(a, t.Traffic))
	}
	return flowmath.RankHosts(hosts, most), nil
}

// Survey implements [integrations.Surveyor].
func (s *Store) Survey(ctx context.Context, from, to time.Time) (incident.Survey, error) {
	const op = "read the survey"
	if err := flowmath.CheckWindow(op, from, to); err != nil {
		return incident.Survey{}, err
	}
	dbs, err := s.dbs(ctx)
	if err != nil {
		return incident.Survey{}, err
	}
	span, err := s.span(ctx, dbs, to)
	if err != nil {
		return incident.Survey{}, err
	}
	tally := flowmath.NewTally(from, to)
	for bucket := range buckets {
		err := dbs.eachBlock(ctx, "flows", bucket, from.UnixNano(), to.UnixNano(), func(_ int64, flows []byte) error {
			return tallyBlock(tally, bucket, flows)
		})
		if err != nil {
			return incident.Survey{}, failed(op, err)
		}
	}
	names, err := dbs.sensorNames(ctx)
	if err != nil {
		return incident.Survey{}, failed(op, err)
	}
	survey := tally.Survey(span, func(sensor uint64) string { return names[sensor] })
	gaps, err := dbs.gaps(ctx, from, to)
	if err != nil {
		return incident.Survey{}, failed(op, err)
	}
	flowmath.LackingSurvey(&survey, bare(gaps))
	return survey, nil
}

// tallyBlock counts the flows of a block. A flow is in the buckets of both its
// ends, and counts in that of its source.
func tallyBlock(tally *flowmath.Tally, bucket int, flows []byte) error {
	var r flowmath.Record
	for len(flows) > 0 {
		f, rest, err := nextFlow(flows)
		if err != nil {
			return err
		}
		flows = rest
		if src, _ := f.ends(); bucketOf(addrOf(src)) != bucket {
			continue
		}
		sensor, err := f.record(&r)
		if err != nil {
			return err
		}
		tally.Record(&r, sensor)
	}
	return nil
}

func (p *pools) sensorNames(ctx context.Context) (map[uint64]string, error) {
	rows, err := p.read.QueryContext(ctx, `SELECT id, name FROM sensor`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	names := map[uint64]string{}
	for rows.Next() {
		var id uint64
		var name string
		if err := rows.Scan(&id, &name); err != nil {
			return nil, err
		}
		names[id] = name
	}
	return names, rows.Err()
}
