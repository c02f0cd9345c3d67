package flowmath

import (
	"cmp"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// SampleFlows bounds the flows that are handed out for the join with the
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
	ranked := largestViews(views)
	slices.SortFunc(ranked, largest)
	ranked = ranked[:min(len(ranked), SampleFlows)]
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

// largestViews returns SampleFlows views that nothing outweighs, and those that
// weigh the same as the last of them.
func largestViews(views []View) []*View {
	weight := func(v *View) int64 {
		if v.Measured {
			return v.Sent
		}
		return -1
	}
	weights := make([]int64, len(views))
	for i := range views {
		weights[i] = weight(&views[i])
	}
	slices.Sort(weights)
	least := int64(-1)
	if len(weights) > SampleFlows {
		least = weights[len(weights)-SampleFlows]
	}
	ranked := make([]*View, 0, SampleFlows)
	for i := range views {
		if weight(&views[i]) >= least {
			ranked = append(ranked, &views[i])
		}
	}
	return ranked
}
