package memory

import (
	"context"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// HostWindows implements [integrations.Census].
func (e *Estate) HostWindows(ctx context.Context, q integrations.CensusQuery, each time.Duration, yield func(incident.HostWindow) error) error {
	u := use{op: "census"}
	return e.perform(ctx, u, func() error {
		own, n, err := flowmath.CensusWindows(u.String(), q, each)
		if err != nil {
			return err
		}
		for _, w := range flowmath.HostWindows(flowmath.Distinct(e.outgoing(own, q)), q.From, each, n) {
			if err := yield(w); err != nil {
				return err
			}
		}
		return nil
	})
}

// HostServices implements [integrations.Census].
func (e *Estate) HostServices(ctx context.Context, q integrations.CensusQuery, yield func(incident.HostService) error) error {
	u := use{op: "census"}
	return e.perform(ctx, u, func() error {
		own, err := flowmath.CensusBounds(u.String(), q)
		if err != nil {
			return err
		}
		for _, one := range flowmath.HostServices(e.outgoing(own, q), q.From, q.To, func(sensor uint64) string { return e.sensors[sensor] }) {
			if err := yield(one); err != nil {
				return err
			}
		}
		return nil
	})
}

// outgoing returns what left in the window of a query.
func (e *Estate) outgoing(own flowmath.Networks, q integrations.CensusQuery) []flowmath.View {
	var views []flowmath.View
	add := func(r *recorded) {
		source, destination := own.Has(r.Src) && own.Leaves(r.Dst), own.Has(r.Dst) && own.Leaves(r.Src)
		if source == destination {
			return
		}
		if v := r.view(source); v.Overlaps(q.From.UnixNano(), q.To.UnixNano()) {
			views = append(views, v)
		}
	}
	for i := range e.recorded {
		add(&e.recorded[i])
	}
	for _, h := range e.hosts {
		e.minutes(h, q.From, q.To, func(_ lane, f incident.Flow) {
			r := recordOf(f, 0, 1)
			add(&r)
		})
	}
	return views
}
