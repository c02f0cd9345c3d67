package flowmath

import (
	"cmp"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// SampleFlows bounds the flows that are returned for the join with the
// endpoint's connections.
const SampleFlows = 500

// Traffic sums the views of one host, which went through [Distinct]. Where some
// flows were seen one way only, the sums are of the others and coverage says
// one_way; where all were, the sums are unknown.
func Traffic(h Host, q integrations.TrafficQuery, span Span, views []View) incident.Traffic {
	s := NewSummary(q)
	for i := range views {
		s.View(&views[i])
	}
	t := s.Traffic(h, span)
	if len(views) > 0 {
		t.Sample = Sample(views, q)
	}
	return t
}

// Sample returns the largest flows with their 5-tuples, [SampleFlows] at most;
// of equal ones the newest, as the endpoint's connections are bounded in the
// same way. Counters are of the window; those of a direction that was not seen are -1.
func Sample(views []View, q integrations.TrafficQuery) []incident.Flow {
	from, to := q.From.UnixNano(), q.To.UnixNano()
	largest := func(a, b *View) int {
		return cmp.Or(compareBool(b.Measured, a.Measured), cmp.Compare(b.Sent, a.Sent), cmp.Compare(b.Received, a.Received),
			cmp.Compare(b.Start, a.Start), a.Local.Compare(b.Local), cmp.Compare(a.LocalPort, b.LocalPort),
			a.Remote.Compare(b.Remote), cmp.Compare(a.RemotePort, b.RemotePort), cmp.Compare(a.Transport, b.Transport))
	}
	ranked := make([]*View, len(views))
	for i := range views {
		ranked[i] = &views[i]
	}
	ranked = first(ranked, SampleFlows, largest)
	flows := make([]incident.Flow, 0, len(ranked))
	for _, v := range ranked {
		f := incident.Flow{
			Start: time.Unix(0, v.Start).UTC(), Duration: time.Duration(v.End - v.Start), Tuple: v.Tuple(),
			BytesOut: -1, BytesIn: v.Share(v.Received, from, to), PacketsOut: -1,
		}
		if v.Measured {
			f.BytesOut = v.Share(v.Sent, from, to)
		}
		if v.Measured && v.Packets >= 0 {
			f.PacketsOut = v.Share(v.Packets, from, to)
		}
		flows = append(flows, f)
	}
	return flows
}

// first sorts the list as far as its n-th, and returns those n at most; n of 0
// means all.
func first[T any](list []T, n int, compare func(a, b T) int) []T {
	if n <= 0 || n >= len(list) {
		slices.SortFunc(list, compare)
		return list
	}
	sorted := list[:n]
	slices.SortFunc(sorted, compare)
	for _, v := range list[n:] {
		if compare(v, sorted[n-1]) < 0 {
			at, _ := slices.BinarySearchFunc(sorted, v, compare)
			copy(sorted[at+1:], sorted[at:])
			sorted[at] = v
		}
	}
	return sorted
}
