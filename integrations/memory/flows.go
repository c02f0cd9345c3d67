package memory

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// minutes calls visit with a flow record per lane and minute of [from, to) in
// which something flowed, as an exporter would cut them.
func (e *Estate) minutes(h *host, from, to time.Time, visit func(lane, incident.Flow)) {
	if now := e.now(); to.After(now) {
		to = now
	}
	lanes := append(slices.Clip(h.lanes), h.agent())
	for minute := from.UTC().Truncate(time.Minute); minute.Before(to); minute = minute.Add(time.Minute) {
		begin, end := later(minute, from.UTC()), earlier(minute.Add(time.Minute), to.UTC())
		for i, v := range e.flowed(h, begin, end) {
			if v == (volume{}) {
				continue
			}
			l := lanes[i]
			start, stop := later(begin, l.from), end
			if !l.to.IsZero() {
				stop = earlier(end, l.to)
			}
			visit(l, incident.Flow{
				Start: start, Duration: stop.Sub(start), Tuple: l.tuple(minute), BytesOut: v.out, BytesIn: v.in,
				PacketsOut: (v.out + l.packetBytes - 1) / l.packetBytes,
			})
		}
	}
}

// agent is the lane of the EDR's own channel.
func (h *host) agent() lane {
	l := lane{
		dst: "203.0.113.250", dstPort: 443, transport: "tcp", packetBytes: 200, seed: hash(h.ID),
		process: Process{Path: "edr-agent", Name: "edr-agent", PID: 1, Signed: true},
	}
	if len(h.IPs) > 0 {
		l.src = h.IPs[0]
	}
	return l
}

// Records returns what the streams of all hosts sent in [from, to), as records
// of a minute at most, oldest first. Asking for adjoining windows gives every
// byte once: an exporter asks from where it stopped.
func (e *Estate) Records(from, to time.Time) []incident.Flow {
	e.mu.Lock()
	defer e.mu.Unlock()
	var records []incident.Flow
	for _, h := range e.hosts {
		e.minutes(h, from, to, func(_ lane, f incident.Flow) { records = append(records, f) })
	}
	slices.SortFunc(records, func(a, b incident.Flow) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.SrcIP, b.SrcIP), cmp.Compare(a.DstIP, b.DstIP),
			cmp.Compare(a.SrcPort, b.SrcPort), cmp.Compare(a.DstPort, b.DstPort))
	})
	return records
}

// span is what the estate's flow store holds that counts for a query whose time ends
// at to. Its own sensor sees every host up to now.
func (e *Estate) span(to time.Time) flowmath.Span {
	c := flowmath.Clocks{Moment: flowmath.Moment{Now: e.now(), To: to}}
	if now := e.now().UTC(); len(e.hosts) > 0 {
		c.Record(ownSensor, now.Add(-time.Hour), now)
	}
	for i := range e.recorded {
		c.Record(e.sensors[e.recorded[i].sensor], e.recorded[i].Start, e.recorded[i].End())
	}
	return c.Span()
}

// views returns the recorded flows of the host that overlap [from, to), as seen
// from it, each once.
func (e *Estate) views(h flowmath.Host, from, to time.Time) []flowmath.View {
	var views []flowmath.View
	for i := range e.recorded {
		r := &e.recorded[i]
		for _, fromSource := range []bool{true, false} {
			v := r.view(fromSource)
			if h.Has(v.Local) && !h.Has(v.Remote) && v.Overlaps(from.UnixNano(), to.UnixNano()) {
				views = append(views, v)
			}
		}
	}
	return flowmath.Distinct(views)
}

// Traffic implements [integrations.Flows].
func (e *Estate) Traffic(ctx context.Context, q integrations.TrafficQuery) (incident.Traffic, error) {
	var t incident.Traffic
	u := use{op: "traffic"}
	err := e.perform(ctx, u, func() error {
		h, err := flowmath.HostOf(u.String(), q.IPs)
		if err != nil {
			return err
		}
		if err := flowmath.CheckWindow(u.String(), q.From, q.To); err != nil {
			return err
		}
		var hosts []*host
		t, hosts = e.traffic(h, q)
		if len(hosts) == 1 {
			t = hosts[0].givenTraffic(t, q.To.Sub(q.From), e.touched(hosts[0], q.To))
		}
		return nil
	})
	if err != nil {
		return incident.Traffic{}, err
	}
	return t, nil
}

// traffic measures the sum of the streams and the recorded flows of a host.
func (e *Estate) traffic(h flowmath.Host, q integrations.TrafficQuery) (incident.Traffic, []*host) {
	views := e.views(h, q.From, q.To)
	hosts := e.matches(integrations.EndpointQuery{IPs: q.IPs})
	for _, streaming := range hosts {
		e.minutes(streaming, q.From, q.To, func(_ lane, f incident.Flow) {
			r := recordOf(f, 0, 1)
			views = append(views, r.view(true))
		})
	}
	return flowmath.Traffic(h, q, e.span(q.To), views), hosts
}

// Baseline implements [integrations.Flows].
func (e *Estate) Baseline(ctx context.Context, q integrations.BaselineQuery) (incident.Baseline, error) {
	var b incident.Baseline
	u := use{op: "baseline"}
	err := e.perform(ctx, u, func() error {
		empty, err := flowmath.BaselineWindows(u.String(), q)
		if err != nil {
			return err
		}
		var bytes []int64
		for _, ips := range append([][]string{q.IPs}, q.Peers...) {
			h, err := flowmath.HostOf(u.String(), ips)
			if err != nil {
				return err
			}
			windows := empty.Empty()
			older := e.fill(windows, h, ips)
			bytes = append(bytes, windows.Usable(older, e.span(q.To))...)
		}
		b = flowmath.Statistics(bytes)
		if hosts := e.matches(integrations.EndpointQuery{IPs: q.IPs}); len(hosts) == 1 {
			b = override(b, hosts[0].given.Baseline)
		}
		return nil
	})
	if err != nil {
		return incident.Baseline{}, err
	}
	return b, nil
}

// fill adds what the host sent to the windows, and reports whether it was seen
// before the first.
func (e *Estate) fill(windows *flowmath.Windows, h flowmath.Host, ips []string) (older bool) {
	views := e.views(h, time.Unix(0, 0), windows.To())
	for i := range views {
		windows.View(&views[i])
		older = older || views[i].Start < windows.From().UnixNano()
	}
	for _, streaming := range e.matches(integrations.EndpointQuery{IPs: ips}) {
		if len(streaming.lanes) == 0 {
			continue
		}
		first := streaming.lanes[0].from
		for _, l := range streaming.lanes {
			first = earlier(first, l.from)
		}
		older = older || first.Before(windows.From())
		for i, from := 0, windows.From(); from.Before(earlier(windows.To(), e.now())); i, from = i+1, from.Add(windows.Length()) {
			if to := from.Add(windows.Length()); to.After(first) {
				var sent int64
				for _, v := range e.flowed(streaming, from, to) {
					sent += v.out
				}
				windows.Sum(i, sent, 1, 0)
			}
		}
	}
	return older
}

// Series implements [integrations.Flows].
func (e *Estate) Series(ctx context.Context, q integrations.TrafficQuery) ([]incident.Point, error) {
	var points []incident.Point
	u := use{op: "series"}
	err := e.perform(ctx, u, func() error {
		h, err := flowmath.HostOf(u.String(), q.IPs)
		if err != nil {
			return err
		}
		minutes, err := flowmath.SeriesWindows(u.String(), q)
		if err != nil {
			return err
		}
		hosts := e.matches(integrations.EndpointQuery{IPs: q.IPs})
		if len(hosts) == 1 && !hosts[0].volumeSeen() {
			return nil
		}
		e.fill(minutes, h, q.IPs)
		points = minutes.Points(e.span(q.To))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return points, nil
}
