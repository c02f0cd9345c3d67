package sqlite

import (
	"context"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// HostWindows implements [integrations.Census].
func (s *Store) HostWindows(ctx context.Context, q integrations.CensusQuery, each time.Duration, yield func(incident.HostWindow) error) error {
	const op = "read what left by window"
	own, n, err := flowmath.CensusWindows(op, q, each)
	if err != nil {
		return err
	}
	return s.outgoing(ctx, op, own, q, func(views []flowmath.View, _ map[uint64]string) error {
		for _, w := range flowmath.HostWindows(flowmath.Distinct(views), q.From, each, n) {
			if err := yield(w); err != nil {
				return err
			}
		}
		return nil
	})
}

// HostServices implements [integrations.Census].
func (s *Store) HostServices(ctx context.Context, q integrations.CensusQuery, yield func(incident.HostService) error) error {
	const op = "read what left by service"
	own, err := flowmath.CensusBounds(op, q)
	if err != nil {
		return err
	}
	return s.outgoing(ctx, op, own, q, func(views []flowmath.View, names map[uint64]string) error {
		for _, one := range flowmath.HostServices(views, q.From, q.To, func(sensor uint64) string { return names[sensor] }) {
			if err := yield(one); err != nil {
				return err
			}
		}
		return nil
	})
}

// outgoing reads the flows that left, those of some hosts at a time, with the names of the sensors.
func (s *Store) outgoing(ctx context.Context, op string, own flowmath.Networks, q integrations.CensusQuery, visit func([]flowmath.View, map[uint64]string) error) error {
	dbs, err := s.dbs(ctx)
	if err != nil {
		return err
	}
	names, err := dbs.sensorNames(ctx)
	if err != nil {
		return failed(op, err)
	}
	in := period{q.From.UnixNano(), q.To.UnixNano()}
	for bucket := range buckets {
		var views []flowmath.View
		err := dbs.eachBlock(ctx, "flows", bucket, in.from, in.to, func(_ int64, flows []byte) error {
			views, err = outgoingIn(views, flows, in, own, bucket)
			return err
		})
		if err != nil {
			return failed(op, err)
		}
		if err := visit(views, names); err != nil {
			return err
		}
	}
	return nil
}

// outgoingIn appends the flows of a block that left and overlap the period, as seen from hosts of the bucket.
func outgoingIn(views []flowmath.View, flows []byte, in period, own flowmath.Networks, bucket int) ([]flowmath.View, error) {
	var r flowmath.Record
	for len(flows) > 0 {
		f, rest, err := nextFlow(flows)
		if err != nil {
			return nil, err
		}
		flows = rest
		if f.start() >= in.to {
			continue
		}
		sensor, err := f.record(&r)
		if err != nil {
			return nil, err
		}
		v, left := own.Outgoing(&r, sensor)
		if left && bucketOf(v.Local) == bucket && v.Overlaps(in.from, in.to) {
			views = append(views, v)
		}
	}
	return views, nil
}
