package flowmath

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// exported is a record of one direction that a sensor exported so long ago.
func exported(ago time.Duration, out bool, bytes int64, sensor uint64) View {
	r := half(ago, out, 53, bytes)
	r.Duration = 0
	return ViewOf(&r, out, sensor)
}

func TestTuplesCountWhatServersCount(t *testing.T) {
	for _, tt := range []struct {
		name           string
		views          []View
		slot           time.Duration
		out, in, flows int64
		coverage       incident.Coverage
		several        bool
	}{
		{
			name: "sensors that export at different moments saw one flow", slot: time.Minute, several: true,
			views: []View{
				exported(4*time.Minute, true, 100, 1), exported(3*time.Minute, true, 100, 1),
				exported(3*time.Minute+30*time.Second, true, 90, 2), exported(2*time.Minute+30*time.Second, true, 90, 2),
			},
			out: 200, flows: 2, coverage: incident.BothWays,
		},
		{
			name: "the two directions are one flow", slot: time.Minute,
			views: []View{exported(time.Minute, true, 60, 1), exported(time.Minute-time.Second, false, 900, 1)},
			out:   60, in: 900, flows: 1, coverage: incident.BothWays,
		},
		{
			name: "records of a minute are one flow", slot: time.Minute,
			views: []View{exported(3*time.Minute, true, 1, 1), exported(3*time.Minute-time.Second, true, 2, 1), exported(time.Minute, true, 4, 1)},
			out:   7, flows: 2, coverage: incident.BothWays,
		},
		{
			name:  "without a slot every record is a flow",
			views: []View{exported(3*time.Minute, true, 1, 1), exported(3*time.Minute-time.Second, true, 2, 1)},
			out:   3, flows: 2, coverage: incident.BothWays,
		},
		{
			name: "sensors whose counters differ much disagree", slot: time.Minute, several: true,
			views: []View{exported(time.Minute, true, 1000, 1), exported(time.Minute, true, 10, 2)},
			out:   1000, flows: 1, coverage: incident.Disagree,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := SeveralSensors(tt.views); got != tt.several {
				t.Errorf("several sensors saw it: %v, want %v", got, tt.several)
			}
			s := NewSummary(query())
			s.Tuples(tt.views, tt.slot)
			got := s.Traffic(own(), present())
			is(t, "bytes_out", got.BytesOut, tt.out)
			is(t, "bytes_in", got.BytesIn, tt.in)
			is(t, "flows", got.Flows, tt.flows)
			is(t, "coverage", got.Coverage, string(tt.coverage))
		})
	}
}
