package activities

import (
	"context"
	"fmt"
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

// MeasureIn names a host and a window.
type MeasureIn struct {
	Use  string    `json:"use"`
	IPs  []string  `json:"ips"`
	From time.Time `json:"from"`
	To   time.Time `json:"to"`
}

// MeasureOut is the egress that was measured. An unknown rate says why.
type MeasureOut struct {
	Rate incident.Value[int64] `json:"rate"`
}

func (a *Activities) measure(ctx context.Context, in MeasureIn) (MeasureOut, error) {
	flows, err := integrations.Use[integrations.Flows](a.Set, in.Use)
	if err != nil {
		return MeasureOut{}, err
	}
	traffic, err := flows.Traffic(ctx, integrations.TrafficQuery{IPs: in.IPs, From: in.From, To: in.To, Top: 1})
	if err != nil {
		return MeasureOut{}, err
	}
	// A store that lags behind the window shows quiet where it is blind.
	newest, ok := traffic.Freshness.Get()
	switch {
	case !ok:
		return MeasureOut{Rate: incident.NotKnown[int64](in.Use + ": it does not say how fresh its records are")}, nil
	case newest.Before(in.To.Add(-tolerance(in))):
		return MeasureOut{Rate: incident.NotKnown[int64](fmt.Sprintf("%s: its newest record is %s older than the window",
			in.Use, incident.FormatDuration(in.To.Sub(newest))))}, nil
	}
	return MeasureOut{Rate: traffic.Rate}, nil
}

// tolerance is how far the newest record may lie before the window's end: a
// quarter of the window, for records are written when a flow ends.
func tolerance(in MeasureIn) time.Duration { return in.To.Sub(in.From) / 4 }

func (a *Activities) series(ctx context.Context, in MeasureIn) ([]incident.Point, error) {
	flows, err := integrations.Use[integrations.Flows](a.Set, in.Use)
	if err != nil {
		return nil, err
	}
	return flows.Series(ctx, integrations.TrafficQuery{IPs: in.IPs, From: in.From, To: in.To})
}
