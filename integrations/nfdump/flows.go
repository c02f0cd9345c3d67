package nfdump

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// question selects records: those of a filter, in [from, to).
type question struct {
	op       string
	from, to time.Time
	filter   filter
}

// records visits the records that overlap the question's time, in the order of
// their starts. nfdump's own window drops records that reach across its ends, so
// it gets a wider one.
func (s *Store) records(ctx context.Context, q question, visit func(r *flowmath.Record) error) error {
	args := []string{
		"-q", "-N", "-6", "-R", s.config.Folder, "-O", "tstart", "-o", recordFormat,
		"-t", timeWindow(q.from.Add(-s.config.Longest), q.to.Add(s.config.Longest)),
	}
	if f := s.counted(q.filter); f != "" {
		args = append(args, string(f))
	}
	return s.run(ctx, q.op, args, func(line []byte) error {
		if string(line) == nothing || len(line) == 0 {
			return nil
		}
		var r flowmath.Record
		ok, err := parseRecord(line, &r)
		if err != nil {
			return broken(q.op, err)
		}
		if !ok || !r.Start.Before(q.to) || !r.End().After(q.from) && r.Start.Before(q.from) {
			return nil
		}
		return visit(&r)
	})
}

// views visits each flow of the hosts once, as seen from them; traffic between
// a host's own addresses does not leave it, and is skipped.
func (s *Store) views(ctx context.Context, q question, hosts []flowmath.Host, visit func(host int, v *flowmath.View)) error {
	rates, err := s.samplers(ctx)
	if err != nil {
		return err
	}
	owner := map[netip.Addr]int{}
	var all []netip.Addr
	for i, h := range hosts {
		for _, a := range h.Addrs {
			if _, taken := owner[a]; !taken {
				owner[a] = i
				all = append(all, a)
			}
		}
	}
	q.filter = hostFilter(all, false)
	var sensors flowmath.Sensors
	flows := newSettler(q.op, s.config.Records, func(v *flowmath.View) { visit(owner[v.Local], v) })
	err = s.records(ctx, q, func(r *flowmath.Record) error {
		src, fromSource := owner[r.Src]
		dst, fromDestination := owner[r.Dst]
		if fromSource && fromDestination && src == dst {
			return nil
		}
		sampled, sensor := rates[router(r.Sensor)] > 1, sensors.Number(r.Sensor)
		if fromSource {
			if err := flows.add(viewOf(r, true, sensor, sampled)); err != nil {
				return err
			}
		}
		if fromDestination {
			return flows.add(viewOf(r, false, sensor, sampled))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return flows.finish()
}

func viewOf(r *flowmath.Record, fromSource bool, sensor uint64, sampled bool) flowmath.View {
	return marked(flowmath.ViewOf(r, fromSource, sensor), sampled)
}

// marked marks sampled records: their counters are multiplied already.
func marked(v flowmath.View, sampled bool) flowmath.View {
	v.Sampled, v.Adds = sampled, v.Adds || sampled
	return v
}

// Traffic implements [integrations.Flows].
func (s *Store) Traffic(ctx context.Context, q integrations.TrafficQuery) (incident.Traffic, error) {
	const op = "read traffic"
	h, err := flowmath.TrafficHost(op, q)
	if err != nil {
		return incident.Traffic{}, err
	}
	span, err := s.span(ctx, q.To)
	if err != nil {
		return incident.Traffic{}, err
	}
	sum := flowmath.NewSummary(q)
	var top largest
	if span.Records > 0 {
		err = s.views(ctx, question{op: op, from: q.From, to: q.To}, []flowmath.Host{h}, func(_ int, v *flowmath.View) {
			sum.View(v)
			top.add(v)
		})
		if err == nil {
			err = s.listen(ctx, sum, h, q.To)
		}
	}
	if err != nil {
		return incident.Traffic{}, err
	}
	t := sum.Traffic(h, span)
	sum.Sample(&t, top.views, span)
	return t, nil
}

// listen checks whether the exporters see what the host sends at all, where the
// window has none of it: then what it received does not prove that it was silent.
func (s *Store) listen(ctx context.Context, sum *flowmath.Summary, h flowmath.Host, to time.Time) error {
	if !sum.Unheard() {
		return nil
	}
	heard, err := s.any(ctx, "look for what the host sent", to.Add(-flowmath.Hearing), to.Add(s.config.Longest), hostFilter(h.Addrs, true))
	if err == nil && !heard {
		sum.Deaf()
	}
	return err
}

// any reports whether there is a record of the filter within the time.
func (s *Store) any(ctx context.Context, op string, from, to time.Time, f filter) (bool, error) {
	found := false
	args := []string{"-q", "-N", "-6", "-R", s.config.Folder, "-c", "1", "-o", recordFormat, "-t", timeWindow(from, to), string(s.counted(f))}
	err := s.run(ctx, op, args, func(line []byte) error {
		found = found || len(line) > 0 && string(line) != nothing
		return nil
	})
	return found, err
}

// largest keeps the views for a sample.
type largest struct{ views []flowmath.View }

func (l *largest) add(v *flowmath.View) {
	l.views = append(l.views, *v)
	if len(l.views) < 8*flowmath.SampleFlows {
		return
	}
	slices.SortFunc(l.views, func(a, b flowmath.View) int {
		return cmp.Or(cmp.Compare(volume(&b), volume(&a)), cmp.Compare(b.Received, a.Received), cmp.Compare(a.Start, b.Start),
			a.Remote.Compare(b.Remote), cmp.Compare(a.LocalPort, b.LocalPort), cmp.Compare(a.RemotePort, b.RemotePort))
	})
	l.views = l.views[:flowmath.SampleFlows]
}

func volume(v *flowmath.View) int64 {
	if v.Measured {
		return v.Sent
	}
	return -1
}

// Series implements [integrations.Flows].
func (s *Store) Series(ctx context.Context, q integrations.TrafficQuery) ([]incident.Point, error) {
	return flowmath.Series(ctx, "read the series", q, func(ctx context.Context, op string, _, to time.Time) (flowmath.Reader, flowmath.Span, error) {
		span, err := s.span(ctx, to)
		return &windowReader{s, op, span}, span, err
	})
}

// windowReader reads the folder for one query.
type windowReader struct {
	*Store
	op   string
	span flowmath.Span
}

// Fill implements [flowmath.Reader].
func (s *windowReader) Fill(ctx context.Context, h flowmath.Host, windows *flowmath.Windows) error {
	return s.views(ctx, question{op: s.op, from: windows.From(), to: windows.To()}, []flowmath.Host{h}, func(_ int, v *flowmath.View) {
		windows.View(v)
	})
}

// Before implements [flowmath.Reader].
func (s *windowReader) Before(ctx context.Context, h flowmath.Host, at time.Time) (bool, error) {
	if !s.span.Oldest.Before(at) {
		return false, nil
	}
	return s.any(ctx, s.op, time.Time{}, at, hostFilter(h.Addrs, false))
}

// Baseline implements [integrations.Flows]. All hosts are read in one pass over
// the folder.
func (s *Store) Baseline(ctx context.Context, q integrations.BaselineQuery) (incident.Baseline, error) {
	const op = "read the baseline"
	hosts, empty, err := flowmath.BaselineHosts(op, q)
	if err != nil {
		return incident.Baseline{}, err
	}
	span, err := s.span(ctx, empty.To())
	if err != nil {
		return incident.Baseline{}, err
	}
	if span.Records == 0 {
		return flowmath.Statistics(nil), nil
	}
	windows := make([]*flowmath.Windows, len(hosts))
	for i := range windows {
		windows[i] = empty.Empty()
	}
	err = s.views(ctx, question{op: op, from: empty.From(), to: empty.To()}, hosts, func(host int, v *flowmath.View) {
		windows[host].View(v)
	})
	if err != nil {
		return incident.Baseline{}, err
	}
	r := &windowReader{s, op, span}
	var bytes []int64
	for i, h := range hosts {
		older, err := r.Before(ctx, h, empty.From())
		if err != nil {
			return incident.Baseline{}, err
		}
		bytes = append(bytes, windows[i].Usable(older, span)...)
	}
	return flowmath.Statistics(bytes), nil
}
