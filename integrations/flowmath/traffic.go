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

// Traffic sums the views of one host, which went through [Distinct], of a store that has
// at once what is sent. Where some flows were seen one way only, the sums are of the others
// and coverage says one_way; where all were, the sums are unknown.
func Traffic(h Host, q integrations.TrafficQuery, span Span, views []View) incident.Traffic {
	s := NewSummary(q)
	for i := range views {
		s.View(&views[i])
	}
	t := s.Traffic(h, span)
	if len(views) > 0 {
		t.Sample = s.sample(ranked(views))
	}
	return t
}

const (
	// carries is the part of what a host sends, 1 in so many, that long records must hold to
	// tell of the rest: a small flow that lasts for hours says nothing of a flood.
	carries = 10
	// latest is how late a host's records may be, beside the newest of all, for it to
	// count: later than that it did not send.
	latest = time.Minute
)

// Sample adds the largest flows to an answer, and how late records come of what the host
// sends. The views are of its flows, or of the largest of them, and went through
// [Distinct].
func (s *Summary) Sample(t *incident.Traffic, views []View, span Span) {
	largest := ranked(views)
	if len(largest) > 0 {
		t.Sample = s.sample(largest)
	}
	t.Reports = s.reports(largest, span)
}

// reports is how late records come: a flow that goes on is recorded when it is cut, and one
// of a single packet when its sensor gives it up, while other hosts' records are there.
func (s *Summary) reports(largest []*View, span Span) time.Duration {
	if span.Newest.IsZero() || s.total.Flows == 0 {
		return 0
	}
	late := min(latest, max(0, time.Duration(min(span.Newest.UnixNano(), s.to)-s.total.Last)))
	// Stores keep times to the nanosecond or less.
	return (max(late, s.cut(largest)) + time.Millisecond - 1).Truncate(time.Millisecond)
}

// cut is how long the records are that carry what the host sends: longer ones hold next to
// nothing of it. What is not among the largest is as the smallest of them.
func (s *Summary) cut(largest []*View) time.Duration {
	type part struct{ sent, length int64 }
	parts, rest := make([]part, 0, len(largest)), s.total.Sent
	for _, v := range largest {
		if v.Measured {
			sent := v.Share(v.Sent, s.from, s.to)
			parts, rest = append(parts, part{sent, v.longest()}), rest-sent
		}
	}
	if len(parts) == 0 {
		return 0
	}
	if len(largest) == SampleFlows {
		parts[len(parts)-1].sent += max(0, rest)
	}
	slices.SortFunc(parts, func(a, b part) int { return cmp.Compare(b.length, a.length) })
	var sum int64
	for _, p := range parts {
		if sum = Add(sum, p.sent); sum > s.total.Sent/carries {
			return time.Duration(p.length)
		}
	}
	return 0
}

// ranked returns the largest flows, [SampleFlows] at most; of equal ones the newest, as the
// endpoint's connections are bounded in the same way.
func ranked(views []View) []*View {
	larger := func(a, b *View) int {
		return cmp.Or(compareBool(b.Measured, a.Measured), cmp.Compare(b.Sent, a.Sent), cmp.Compare(b.Received, a.Received),
			cmp.Compare(b.Start, a.Start), a.Local.Compare(b.Local), cmp.Compare(a.LocalPort, b.LocalPort),
			a.Remote.Compare(b.Remote), cmp.Compare(a.RemotePort, b.RemotePort), cmp.Compare(a.Transport, b.Transport))
	}
	all := make([]*View, len(views))
	for i := range views {
		all[i] = &views[i]
	}
	return first(all, SampleFlows, larger)
}

// sample returns the largest flows with their 5-tuples. Counters are of the window; those
// of a direction that was not seen are -1.
func (s *Summary) sample(largest []*View) []incident.Flow {
	flows := make([]incident.Flow, 0, len(largest))
	for _, v := range largest {
		f := incident.Flow{
			Start: time.Unix(0, v.Start).UTC(), Duration: time.Duration(v.End - v.Start), Tuple: v.Tuple(),
			BytesOut: -1, BytesIn: v.Share(v.Received, s.from, s.to), PacketsOut: -1,
		}
		if v.Measured {
			f.BytesOut = v.Share(v.Sent, s.from, s.to)
		}
		if v.Measured && v.Packets >= 0 {
			f.PacketsOut = v.Share(v.Packets, s.from, s.to)
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
