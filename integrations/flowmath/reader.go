package flowmath

import (
	"context"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Reader is a flow store as one question finds it.
type Reader interface {
	// Fill adds what the host sent to the windows.
	Fill(ctx context.Context, h Host, windows *Windows) error
	// Before reports whether there is a record of the host from before a time.
	Before(ctx context.Context, h Host, at time.Time) (bool, error)
}

// Look returns how a store is read for a question about [from, to), and what it
// holds. A store that holds nothing is not asked further.
type Look func(ctx context.Context, op string, from, to time.Time) (Reader, Span, error)

// Series answers for a store that fills windows: minutes of which nothing is
// known are left out: quiet ones that the store's newest record does not reach
// the end of, and those with one-way flows only.
func Series(ctx context.Context, op string, q integrations.TrafficQuery, look Look) ([]incident.Point, error) {
	h, err := HostOf(op, q.IPs)
	if err != nil {
		return nil, err
	}
	minutes, err := SeriesWindows(op, q)
	if err != nil {
		return nil, err
	}
	r, span, err := look(ctx, op, minutes.From(), minutes.To())
	if err != nil || span.Records == 0 {
		return nil, err
	}
	if err := r.Fill(ctx, h, minutes); err != nil {
		return nil, err
	}
	return minutes.Points(span), nil
}

// Baseline answers for a store that fills windows. These end at To, or at the
// minute that To lies in. A window of which nothing is known is not counted: one
// after the store's newest record, or one with one-way flows only.
func Baseline(ctx context.Context, op string, q integrations.BaselineQuery, look Look) (incident.Baseline, error) {
	hosts, empty, err := BaselineHosts(op, q)
	if err != nil {
		return incident.Baseline{}, err
	}
	r, span, err := look(ctx, op, empty.From(), empty.To())
	if err != nil {
		return incident.Baseline{}, err
	}
	if span.Records == 0 {
		return Statistics(nil), nil
	}
	var bytes []int64
	for _, h := range hosts {
		windows := empty.Empty()
		if err := r.Fill(ctx, h, windows); err != nil {
			return incident.Baseline{}, err
		}
		older, err := r.Before(ctx, h, windows.From())
		if err != nil {
			return incident.Baseline{}, err
		}
		bytes = append(bytes, windows.Usable(older, span)...)
	}
	return Statistics(bytes), nil
}
