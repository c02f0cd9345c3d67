package sqlite

import (
	"context"
	"net/netip"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Series implements [integrations.Flows].
func (s *Store) Series(ctx context.Context, q integrations.TrafficQuery) ([]incident.Point, error) {
	return flowmath.Series(ctx, "read the series", q, s.reader)
}

// Baseline implements [integrations.Flows].
func (s *Store) Baseline(ctx context.Context, q integrations.BaselineQuery) (incident.Baseline, error) {
	return flowmath.Baseline(ctx, "read the baseline", q, s.reader)
}

// windowReader reads the file for one query.
type windowReader struct {
	*pools
	op string
}

func (s *Store) reader(ctx context.Context, op string, _, to time.Time) (flowmath.Reader, flowmath.Span, error) {
	dbs, err := s.dbs(ctx)
	if err != nil {
		return nil, flowmath.Span{}, err
	}
	span, err := s.span(ctx, dbs, to)
	return &windowReader{dbs, op}, span, err
}

// Fill implements [flowmath.Reader].
func (s *windowReader) Fill(ctx context.Context, h flowmath.Host, windows *flowmath.Windows) error {
	if err := s.fill(ctx, hostOf(h), windows); err != nil {
		return failed(s.op, err)
	}
	missing, err := s.missing(ctx, hostOf(h), windows.From(), windows.To())
	if err != nil {
		return failed(s.op, err)
	}
	for _, g := range missing {
		windows.Lack(g)
	}
	return nil
}

// Before implements [flowmath.Reader].
func (s *windowReader) Before(ctx context.Context, h flowmath.Host, at time.Time) (bool, error) {
	older, err := s.seenBefore(ctx, hostOf(h), at)
	if err != nil {
		return false, failed(s.op, err)
	}
	return older, nil
}

// fill fills the windows with what the host sent. Where only one sensor saw it,
// the sums that were made when it was written are enough. Where several did, they
// may have seen the same flows, and the flows are read; so they are where a long
// flow was recorded again as it grew.
func (p *pools) fill(ctx context.Context, h host, windows *flowmath.Windows) error {
	sums := windows.Empty()
	from, to := windows.From().UnixNano(), windows.To().UnixNano()
	sensors := map[uint64]struct{}{}
	type beginning struct {
		addr   netip.Addr
		sensor uint64
		at     int64
	}
	long, grown := map[beginning]struct{}{}, false
	for _, bucket := range h.buckets() {
		err := p.eachBlock(ctx, "minutes", bucket, from, to, func(first int64, data []byte) error {
			return eachMinute(data, minuteOf(first), h.has, func(m minuteSum) {
				if m.to < from || m.from >= to {
					return
				}
				sensors[m.sensor] = struct{}{}
				v := flowmath.View{Start: m.from, End: m.to, Sent: m.bytes}
				if m.long {
					begun := beginning{m.addr, m.sensor, m.from}
					_, again := long[begun]
					long[begun], grown = struct{}{}, grown || again
				} else {
					v.End = m.from // a minute is in one window as a whole
				}
				sums.Spread(&v, m.measured, m.oneWay)
			})
		})
		if err != nil {
			return err
		}
	}
	if len(sensors) < 2 && len(h.addrs) == 1 && !grown {
		*windows = *sums
		return nil
	}
	views, err := p.views(ctx, h, from, to)
	if err != nil {
		return err
	}
	for i := range views {
		windows.View(&views[i])
	}
	return nil
}

// seenBefore reports whether the store holds a record of the host from before a
// time.
func (p *pools) seenBefore(ctx context.Context, h host, at time.Time) (bool, error) {
	found := false
	for _, bucket := range h.buckets() {
		err := p.eachBlock(ctx, "minutes", bucket, -1<<63, at.UnixNano(), func(first int64, data []byte) error {
			err := eachMinute(data, minuteOf(first), h.has, func(m minuteSum) {
				found = found || m.from < at.UnixNano()
			})
			if err == nil && found {
				return errFound
			}
			return err
		})
		if found {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}
