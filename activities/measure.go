package activities

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Measure asks the flow store whether egress fell; Series is egress per minute
// for the chart.
var (
	Measure = Ref[MeasureIn, MeasureOut]{"measure"}
	Series  = Ref[MeasureIn, []incident.Point]{"series"}
)

// MeasureIn names a host and a time. The measurement is within it: its last
// window of which the store has records.
type MeasureIn struct {
	Use    string        `json:"use"`
	IPs    []string      `json:"ips"`
	From   time.Time     `json:"from"`
	To     time.Time     `json:"to"`
	Window time.Duration `json:"window,omitempty"`
	// Beside are addresses that may be the host's, and are measured apart; see [Beside].
	Beside []string `json:"beside,omitempty"`
	// Reports is how late records of the host come, see [incident.Traffic]: what is newer
	// may not be complete, and is not measured.
	Reports time.Duration `json:"reports,omitempty"`
	// Below is the rate in bits per second that egress is to have fallen below since Began;
	// 0 where what is looked for is that the host sends.
	Below int64     `json:"below,omitempty"`
	Began time.Time `json:"began,omitzero"`
	// Shown reports whether the store has shown before that it was above that.
	Shown bool `json:"shown,omitempty"`
	// Enforcer is the integration whose containment is measured.
	Enforcer string `json:"enforcer,omitempty"`
}

// MeasureOut is the egress that was measured. An unknown rate says why.
type MeasureOut struct {
	Rate incident.Value[int64] `json:"rate"`
	// Beside is that of the addresses beside the host's; nil where there are none.
	Beside *incident.Value[int64] `json:"beside,omitempty"`
	// Wait is after how long the store may have the records that are missing; 0 where that
	// is not what is missing.
	Wait time.Duration `json:"wait,omitempty"`
	// Sensor is where the store's sensors sit, seen from the enforcer; empty where nobody
	// has said it.
	Sensor incident.SensorPlace `json:"sensor,omitempty"`
}

func (a *Activities) measure(ctx context.Context, in MeasureIn) (MeasureOut, error) {
	out, err := a.measured(ctx, in)
	if len(in.Beside) > 0 {
		beside := in
		beside.IPs = in.Beside
		there, failed := a.measured(ctx, beside)
		if failed != nil {
			there.Rate = incident.NotKnown[int64](in.Use + ": " + Reason(mapError(failed)))
		}
		out.Beside, out.Wait = &there.Rate, max(out.Wait, there.Wait)
	}
	out.Sensor = a.Sees[in.Use][in.Enforcer]
	if err != nil && out.Sensor == incident.SensorBefore {
		// An error would carry no answer, and where the sensors sit decides who proves it.
		out.Rate = incident.NotKnown[int64](in.Use + ": " + Reason(mapError(err)))
		return out, nil
	}
	return out, err
}

// measured looks only at what the store has all records of: one that lags behind, or whose
// sensors have not reported a flow that goes on, shows quiet where it is blind. A store
// that keeps sums of a minute divides them over it, so a short window after the action
// holds some of what flowed before: it says less than was reached, never more.
func (a *Activities) measured(ctx context.Context, in MeasureIn) (MeasureOut, error) {
	flows, err := use[integrations.Flows](a, in.Use)
	if err != nil {
		return MeasureOut{}, err
	}
	last := func(to time.Time) integrations.TrafficQuery {
		from := in.From
		if begin := to.Add(-in.Window); begin.After(from) {
			from = begin
		}
		return integrations.TrafficQuery{IPs: in.IPs, From: from, To: to, Top: 1}
	}
	traffic, err := flows.Traffic(ctx, last(in.To))
	if err != nil {
		return MeasureOut{}, err
	}
	newest, ok := traffic.Freshness.Get()
	unknown := func(format string, args ...any) (MeasureOut, error) {
		why := in.Use + ": " + fmt.Sprintf(format, args...)
		for _, c := range traffic.FastClocks {
			why += "; " + c.String()
		}
		return MeasureOut{Rate: incident.NotKnown[int64](why)}, nil
	}
	late, unseen, err := late(ctx, flows, in, traffic)
	if err != nil {
		return MeasureOut{}, err
	}
	// Up to here it has all that the host sent, of which there must be half a window.
	complete := newest.Add(-late)
	if newest.After(in.To) {
		complete = in.To.Add(-late)
	}
	missing := min(in.Window, in.To.Sub(in.From))/2 - complete.Sub(in.From)
	switch {
	case !ok && traffic.Freshness.Why() != "":
		return unknown("it does not say how fresh its records are: %s", traffic.Freshness.Why())
	case !ok:
		return unknown("it does not say how fresh its records are")
	case newest.After(in.To.Add(incident.ClockTolerance)):
		return unknown("its newest record is of the future, %s ahead", incident.FormatDuration(newest.Sub(in.To)))
	case missing > 0:
		out, err := unknown("its newest record is %s old%s", incident.FormatDuration(max(0, in.To.Sub(newest)).Round(100*time.Millisecond)), comesLate(late, unseen))
		if out.Wait = missing; unseen {
			// Any record of the host may show it.
			out.Wait = min(missing, time.Second)
		}
		return out, err
	case len(traffic.AtLeast) > 0:
		return unknown("it does not know all: %s", strings.Join(traffic.AtLeast, ", "))
	case complete.Before(in.To):
		if traffic, err = flows.Traffic(ctx, last(complete)); err != nil {
			return MeasureOut{}, err
		}
	}
	if !traffic.Rate.IsKnown() && traffic.Rate.Why() == "" {
		return unknown("it does not know the volume")
	}
	return MeasureOut{Rate: traffic.Rate}, nil
}

const (
	// shownFor is the time before the step in which the store is to have shown the egress
	// that falls. A detector takes as little as that to tell of it.
	shownFor = time.Second
	// leftOver is the part of what egress is to fall below, 1 in so many, that is left of
	// it where a limit holds it.
	leftOver = 4
	// unseenFor is how long the store is given for records of egress that it has not shown.
	unseenFor = time.Minute
)

// late returns how late records of the host come. That egress fell is shown by a store that
// has shown it before, or shows what is left of it. One that shows neither may not have the
// records yet, as a detector may be faster, or there was none.
func late(ctx context.Context, flows integrations.Flows, in MeasureIn, now incident.Traffic) (late time.Duration, unseen bool, err error) {
	if in.Below == 0 || in.Shown {
		return in.Reports, false, nil
	}
	before, err := flows.Traffic(ctx, integrations.TrafficQuery{IPs: in.IPs, From: in.Began.Add(-shownFor), To: in.Began, Top: 1})
	if err != nil {
		return 0, false, err
	}
	late = max(in.Reports, before.Reports)
	was, known := before.Rate.Get()
	if left, _ := now.Rate.Get(); !known || was >= in.Below || left >= in.Below/leftOver {
		return late, false, nil
	}
	return max(late, unseenFor), true, nil
}

// comesLate says for people what late returned.
func comesLate(late time.Duration, unseen bool) string {
	switch {
	case unseen:
		return ", and it shows no egress of the host before either that could have fallen: it may come up to " + incident.FormatDuration(late) + " later"
	case late > 0:
		return ", and records of the host come up to " + incident.FormatDuration(late) + " later"
	}
	return ""
}

func (a *Activities) series(ctx context.Context, in MeasureIn) ([]incident.Point, error) {
	flows, err := use[integrations.Flows](a, in.Use)
	if err != nil {
		return nil, err
	}
	return flows.Series(ctx, integrations.TrafficQuery{IPs: in.IPs, From: in.From, To: in.To})
}
