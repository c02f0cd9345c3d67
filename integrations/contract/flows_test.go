package contract

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// zeroer returns zero for unknown values.
type zeroer struct{ *memory.Estate }

func (z zeroer) Traffic(ctx context.Context, q integrations.TrafficQuery) (incident.Traffic, error) {
	t, err := z.Estate.Traffic(ctx, q)
	for _, v := range []*incident.Value[int64]{&t.BytesOut, &t.Rate, &t.Flows} {
		if !v.IsKnown() {
			*v = incident.Known(int64(0), incident.FromFlows)
		}
	}
	return t, err
}

// quieter fills unrecorded times with zeros.
type quieter struct{ *memory.Estate }

func (u quieter) Series(ctx context.Context, q integrations.TrafficQuery) ([]incident.Point, error) {
	points, err := u.Estate.Series(ctx, q)
	for at := q.From.Add(time.Duration(len(points)) * time.Minute); err == nil && at.Before(q.To); at = at.Add(time.Minute) {
		points = append(points, incident.Point{At: at})
	}
	return points, err
}

func (u quieter) Baseline(ctx context.Context, q integrations.BaselineQuery) (incident.Baseline, error) {
	survey, err := u.Estate.Survey(ctx, q.To.Add(-time.Minute), q.To)
	if err != nil {
		return incident.Baseline{}, err
	}
	b, err := u.Estate.Baseline(ctx, q)
	if n, ok := b.Buckets.Get(); ok && n > 0 && survey.Newest.Before(q.To) {
		b.Buckets = incident.Known(n+int64(q.To.Sub(survey.Newest)/q.Window), incident.FromFlows)
	}
	return b, err
}

// strict accepts a quiet host only with a record from after the window.
type strict struct{ *memory.Estate }

func (s strict) Traffic(ctx context.Context, q integrations.TrafficQuery) (incident.Traffic, error) {
	t, err := s.Estate.Traffic(ctx, q)
	newest, _ := t.Freshness.Get()
	if n, ok := t.Flows.Get(); ok && n == 0 && newest.Before(q.To) {
		incident.Explain(&t, "flows: newest record is old")
		t.BytesOut, t.Rate, t.Flows = incident.NotKnown[int64]("old"), incident.NotKnown[int64]("old"), incident.NotKnown[int64]("old")
	}
	return t, err
}

// hasty makes a baseline of any number of windows.
type hasty struct{ *memory.Estate }

func (h hasty) Baseline(ctx context.Context, q integrations.BaselineQuery) (incident.Baseline, error) {
	b, err := h.Estate.Baseline(ctx, q)
	if n, ok := b.Buckets.Get(); ok && n < incident.MinBaselineBuckets {
		b.P99 = incident.Known(int64(1000), incident.FromFlows)
	}
	return b, err
}

// adder neither multiplies sampled counters nor merges flows that were seen twice.
type adder struct{ *memory.Estate }

func (a adder) Traffic(ctx context.Context, q integrations.TrafficQuery) (incident.Traffic, error) {
	t, err := a.Estate.Traffic(ctx, q)
	survey, failed := a.Estate.Survey(ctx, q.From, q.To)
	if n, ok := t.BytesOut.Get(); ok && failed == nil && len(survey.Sensors) == 2 && survey.Coverage == incident.BothWays {
		if flows, _ := t.Flows.Get(); flows == 1 {
			t.BytesOut = incident.Known(2*n, incident.FromFlows)
		}
	}
	return t, err
}

// generous returns more hosts than requested, unordered, and reports every sensor as
// complete.
type generous struct{ *memory.Estate }

func (g generous) Hosts(ctx context.Context, q integrations.HostsQuery) ([]incident.HostTraffic, error) {
	q.Top, q.Networks = 0, []string{"0.0.0.0/0", "::/0"}
	hosts, err := g.Estate.Hosts(ctx, q)
	slices.Reverse(hosts)
	return hosts, err
}

func (g generous) Survey(ctx context.Context, from, to time.Time) (incident.Survey, error) {
	survey, err := g.Estate.Survey(ctx, from, to)
	survey.Coverage = incident.BothWays
	return survey, err
}

// laid is the harness of an estate with laid records.
func laid(k Knobs, wrap func(*memory.Estate) integrations.Flows) FlowsHarness {
	return FlowsHarness{
		Knobs: k, AtOnce: true,
		Open: func(t testing.TB, records []incident.Flow) integrations.Flows {
			e := estate(t)
			e.AddFlows(records...)
			return wrap(e)
		},
		OpenSeen: func(t testing.TB, records []Seen) integrations.Flows {
			e := estate(t)
			for _, r := range records {
				e.AddSeen(r.Sensor, r.Sampling, r.Flow)
			}
			return wrap(e)
		},
	}
}

func TestHunterAndSurveyorSuitesBite(t *testing.T) {
	unbreakable := Knobs{Unbreakable: "the checks of the answers are meant here"}
	honest := laid(unbreakable, func(e *memory.Estate) integrations.Flows { return e })
	bites(t, verdicts(t, honest, slices.Concat(hunterChecks(), surveyorChecks())))
	h := laid(unbreakable, func(e *memory.Estate) integrations.Flows { return generous{e} })
	bites(t, verdicts(t, h, hunterChecks()), "hosts come by what they sent, the largest first", "hosts are bounded",
		"only hosts of the networks count", "a host that answers sent its answer", "a host of unknown volume is not a quiet one",
		"a flow that two sensors saw makes no host larger", "hosts of no window or of no network are invalid")
	bites(t, verdicts(t, h, surveyorChecks()), "a survey reports the worst coverage", "a survey distinguishes a stale store from a quiet one")
}

func TestFlowsSuiteBites(t *testing.T) {
	for _, tt := range []struct {
		name string
		wrap func(*memory.Estate) integrations.Flows
		want []string
	}{
		{"an honest one passes", func(e *memory.Estate) integrations.Flows { return e }, nil},
		{
			"zero for unknown", func(e *memory.Estate) integrations.Flows { return zeroer{e} },
			[]string{
				"an empty store knows nothing", "a store that lags knows nothing", "a store that lags knows no zero",
				"one-way volume is unknown", "a record of the future makes no store fresh",
				"a sensor that is ahead in all that it records proves nothing", "a quiet host of a live sensor is a known zero",
				"a flow without packets was not seen", "a counter that was left out is not a zero", "a sampling rate of 0 is not said",
			},
		},
		{
			"what was not recorded was quiet", func(e *memory.Estate) integrations.Flows { return quieter{e} },
			[]string{
				"an empty store knows nothing", "a baseline counts no window that the store does not reach",
				"a series ends with what the store knows", "a record of the future makes no store fresh",
			},
		},
		{
			"a lag is not quiet", func(e *memory.Estate) integrations.Flows { return strict{e} },
			[]string{"a quiet host of a live sensor is a known zero", "a record of the future does not blind a live sensor"},
		},
		{
			"every sensor's record counts", func(e *memory.Estate) integrations.Flows { return adder{e} },
			[]string{"a flow that two sensors saw counts once"},
		},
		{
			"a baseline of few windows", func(e *memory.Estate) integrations.Flows { return hasty{e} },
			[]string{"a baseline of few windows is unknown"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := laid(Knobs{Unbreakable: "the checks of the answers are meant here"}, tt.wrap)
			h.At = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
			bites(t, verdicts(t, h, flowsChecks()), tt.want...)
		})
	}
}
