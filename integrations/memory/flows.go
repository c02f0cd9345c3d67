package memory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
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

// freshness is the time of the newest record. The estate's sensor sees every
// host up to now.
func (e *Estate) freshness() time.Time {
	if len(e.hosts) > 0 {
		return e.now().UTC()
	}
	var newest time.Time
	for _, f := range e.recorded {
		newest = later(newest, f.Start.Add(f.Duration))
	}
	return newest
}

// Traffic implements [integrations.Flows].
func (e *Estate) Traffic(ctx context.Context, q integrations.TrafficQuery) (incident.Traffic, error) {
	var t incident.Traffic
	u := use{op: "traffic"}
	err := e.perform(ctx, u, func() error {
		if err := checkWindow(u, q); err != nil {
			return err
		}
		s := newSummary()
		hosts := e.matches(integrations.EndpointQuery{IPs: q.IPs})
		for _, h := range hosts {
			e.minutes(h, q.From, q.To, func(_ lane, f incident.Flow) { s.add(f, f) })
		}
		for _, f := range e.recorded {
			if part, ok := clip(f, q.From, q.To); ok && slices.Contains(q.IPs, f.SrcIP) {
				s.add(f, part)
			}
		}
		t = s.traffic(q, e.freshness())
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

func checkWindow(u use, q integrations.TrafficQuery) error {
	if len(q.IPs) == 0 || !q.From.Before(q.To) {
		return integrations.Errorf(integrations.Invalid, u.String(), "the query needs an address and a window")
	}
	return nil
}

// clip returns the part of a recorded flow that lies in the window, as if it
// had flowed evenly.
func clip(f incident.Flow, from, to time.Time) (incident.Flow, bool) {
	end := f.Start.Add(f.Duration)
	if !f.Start.Before(to) || end.Before(from) || !end.After(from) && f.Duration > 0 {
		return incident.Flow{}, false
	}
	begin, stop := later(f.Start, from), earlier(end, to)
	if part := stop.Sub(begin); part < f.Duration {
		f.BytesOut, f.BytesIn = portion(f.BytesOut, part, f.Duration), portion(f.BytesIn, part, f.Duration)
		f.PacketsOut = portion(f.PacketsOut, part, f.Duration)
	}
	f.Start, f.Duration = begin, stop.Sub(begin)
	return f, true
}

// portion is n*part/whole; a count that no sensor saw stays so.
func portion(n int64, part, whole time.Duration) int64 {
	if n < 0 {
		return n
	}
	return share(n, int64(part), int64(whole))
}

// Baseline implements [integrations.Flows].
func (e *Estate) Baseline(ctx context.Context, q integrations.BaselineQuery) (incident.Baseline, error) {
	var b incident.Baseline
	u := use{op: "baseline"}
	err := e.perform(ctx, u, func() error {
		const maxWindows = 100_000
		if len(q.IPs) == 0 || q.Window < time.Minute || q.Days <= 0 || time.Duration(q.Days)*24*time.Hour/q.Window > maxWindows {
			return integrations.Errorf(integrations.Invalid, u.String(), "the query needs an address, days and a window of a minute or more")
		}
		b = statistics(e.windows(q))
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

// windows returns the bytes of each window back from To, as far as the host's
// first record.
func (e *Estate) windows(q integrations.BaselineQuery) []int64 {
	hosts := e.matches(integrations.EndpointQuery{IPs: q.IPs})
	first := q.To
	for _, h := range hosts {
		for _, l := range h.lanes {
			first = earlier(first, l.from)
		}
	}
	for _, f := range e.recorded {
		if slices.Contains(q.IPs, f.SrcIP) {
			first = earlier(first, f.Start)
		}
	}
	var windows []int64
	for k := range int(time.Duration(q.Days) * 24 * time.Hour / q.Window) {
		end := q.To.Add(-time.Duration(k) * q.Window)
		if !end.After(first) {
			break
		}
		windows = append(windows, e.egress(hosts, q.IPs, end.Add(-q.Window), end))
	}
	return windows
}

// egress sums what left in [from, to).
func (e *Estate) egress(hosts []*host, ips []string, from, to time.Time) int64 {
	var sum int64
	for _, h := range hosts {
		for _, v := range e.flowed(h, from, to) {
			sum += v.out
		}
	}
	for _, f := range e.recorded {
		if part, ok := clip(f, from, to); ok && slices.Contains(ips, f.SrcIP) {
			sum += max(0, part.BytesOut)
		}
	}
	return sum
}

// statistics tells the usual from the exceptional. Percentiles are nearest
// rank.
func statistics(windows []int64) incident.Baseline {
	b := incident.Baseline{Buckets: incident.Known(int64(len(windows)), incident.FromFlows)}
	if len(windows) < incident.MinBaselineBuckets {
		incident.Explain(&b, fmt.Sprintf("%d windows of data, a baseline needs %d", len(windows), incident.MinBaselineBuckets))
		return b
	}
	sorted := slices.Sorted(slices.Values(windows))
	rank := func(percent int) int64 { return sorted[(len(sorted)*percent+99)/100-1] }
	known := func(n int64) incident.Value[int64] { return incident.Known(n, incident.FromFlows) }
	b.Median, b.P95, b.P99, b.Max = known(rank(50)), known(rank(95)), known(rank(99)), known(sorted[len(sorted)-1])
	middle := rank(50)
	for i, n := range windows {
		windows[i] = max(n-middle, middle-n)
	}
	sorted = slices.Sorted(slices.Values(windows))
	b.MAD = known(rank(50))
	return b
}

// Series implements [integrations.Flows].
func (e *Estate) Series(ctx context.Context, q integrations.TrafficQuery) ([]incident.Point, error) {
	var points []incident.Point
	u := use{op: "series"}
	err := e.perform(ctx, u, func() error {
		if err := checkWindow(u, q); err != nil {
			return err
		}
		hosts := e.matches(integrations.EndpointQuery{IPs: q.IPs})
		if len(hosts) == 1 && !hosts[0].volumeSeen() {
			return nil
		}
		known := earlier(q.To, e.freshness())
		for minute := q.From.UTC().Truncate(time.Minute); minute.Before(known); minute = minute.Add(time.Minute) {
			begin, end := later(minute, q.From), earlier(minute.Add(time.Minute), q.To)
			points = append(points, incident.Point{At: minute, BytesOut: e.egress(hosts, q.IPs, begin, end)})
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return points, nil
}
