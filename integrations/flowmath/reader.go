package flowmath

import (
	"context"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Reader reads a flow store for one query.
type Reader interface {
	// Fill adds what the host sent to the windows.
	Fill(ctx context.Context, h Host, windows *Windows) error
	// Before reports whether there is a record of the host from before a time.
	Before(ctx context.Context, h Host, at time.Time) (bool, error)
}

// Look returns the reader of a store for [from, to), and what the store holds. An
// empty store is not read further.
type Look func(ctx context.Context, op string, from, to time.Time) (Reader, Span, error)

// Series answers for a store that fills windows. Unknown minutes are left out:
// quiet ones that end after the store's newest record, and those with one-way
// flows only.
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
// minute of To. An unknown window is not counted: one after the store's newest
// record, or one with one-way flows only.
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
