package nfdump

import (
	"context"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// piece is how much of a long time one run of nfdump reads: it sorts what it selects in memory.
	piece = 24 * time.Hour
	// perRecord is how many windows, or how many peers of services, take the memory of a flow or two.
	perRecord = 4
)

// HostWindows implements [integrations.Census].
func (s *Store) HostWindows(ctx context.Context, q integrations.CensusQuery, each time.Duration, yield func(incident.HostWindow) error) error {
	const op = "read what left by window"
	own, n, err := flowmath.CensusWindows(op, q, each)
	if err != nil {
		return err
	}
	left, err := s.leaving(ctx, op, own, q.To)
	if err != nil || left == nil {
		return err
	}
	some := max(1, int(piece/each))
	for first := 0; first < n; first += some {
		count := min(some, n-first)
		from := q.From.Add(time.Duration(first) * each)
		to := from.Add(time.Duration(count) * each)
		if to.After(q.To) {
			to = q.To
		}
		sums := flowmath.NewWindowSums(from, each, count)
		err := left.visit(ctx, from, to, func(*flowmath.View, string) {}, func(v *flowmath.View) int {
			sums.Add(v)
			return sums.Size()
		})
		if err != nil {
			return err
		}
		for _, w := range sums.Windows() {
			w.Window += first
			if err := yield(w); err != nil {
				return err
			}
		}
	}
	return nil
}

// HostServices implements [integrations.Census].
func (s *Store) HostServices(ctx context.Context, q integrations.CensusQuery, yield func(incident.HostService) error) error {
	const op = "read what left by service"
	own, err := flowmath.CensusBounds(op, q)
	if err != nil {
		return err
	}
	left, err := s.leaving(ctx, op, own, q.To)
	if err != nil || left == nil {
		return err
	}
	sums := flowmath.NewServiceSums(q.From, q.To)
	err = left.visit(ctx, q.From, q.To, sums.Seen, func(v *flowmath.View) int {
		sums.Add(v)
		return sums.Size()
	})
	if err != nil {
		return err
	}
	for _, one := range sums.Services() {
		if err := yield(one); err != nil {
			return err
		}
	}
	return nil
}

// leaving reads what left the networks.
type leaving struct {
	*Store
	op    string
	own   flowmath.Networks
	rates map[string]int64
}

// leaving returns nil where there are no records.
func (s *Store) leaving(ctx context.Context, op string, own flowmath.Networks, to time.Time) (*leaving, error) {
	span, err := s.span(ctx, to)
	if err != nil || span.Records == 0 {
		return nil, err
	}
	rates, err := s.samplers(ctx)
	if err != nil {
		return nil, err
	}
	return &leaving{s, op, own, rates}, nil
}

// visit calls seen for each record that left in [from, to), with the name of its sensor, and add for each
// flow, once; add returns how much it holds in memory.
func (l *leaving) visit(ctx context.Context, from, to time.Time, seen func(*flowmath.View, string), add func(*flowmath.View) int) error {
	var sensors flowmath.Sensors
	held := 0
	flows := newSettler(l.op, l.config.Records, func(v *flowmath.View) { held = add(v) })
	bounded := func(err error) error {
		if most := perRecord * l.config.Records; err == nil && held > most {
			return integrations.Errorf(integrations.Invalid, l.op, "more than %d sums would be held in memory: ask for a shorter time, or raise records", most)
		}
		return err
	}
	err := l.records(ctx, question{l.op, from, to, leavingFilter(l.own)}, func(r *flowmath.Record) error {
		v, left := l.own.Outgoing(r, sensors.Number(r.Sensor))
		if !left {
			return nil
		}
		v = marked(v, l.rates[router(r.Sensor)] > 1)
		seen(&v, l.sensor(r.Sensor))
		return bounded(flows.add(v))
	})
	if err != nil {
		return err
	}
	return bounded(flows.finish())
}

// leavingFilter selects the records with one end in the networks.
func leavingFilter(own flowmath.Networks) filter {
	source, destination := networkFilter("src", own), networkFilter("dst", own)
	return "((" + source + ") and not (" + destination + ")) or ((" + destination + ") and not (" + source + "))"
}
