package sqlite

import (
	"bytes"
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations/sqlite/flowlog"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// host is the addresses of one host, as they are stored.
type host struct {
	ips   []netip.Addr
	addrs [][]byte
	text  []string
}

func hostOf(op string, ips []string) (host, error) {
	var h host
	for _, ip := range ips {
		a, err := netip.ParseAddr(ip)
		if err != nil {
			return host{}, invalid(op, "%q is not an address", ip)
		}
		a = a.Unmap().WithZone("")
		if slices.Contains(h.text, a.String()) {
			continue
		}
		h.text = append(h.text, a.String())
		h.ips = append(h.ips, a)
		h.addrs = append(h.addrs, a.AsSlice())
	}
	if len(h.addrs) == 0 {
		return host{}, invalid(op, "the host has no address")
	}
	return h, nil
}

// has tells whether a stored address is the host's. An IPv4 address is stored
// wide beside one of IPv6.
func (h host) has(addr []byte) bool {
	for _, a := range h.addrs {
		if bytes.Equal(a, addr) || len(addr) == 16 && len(a) == 4 && addrOf(addr) == addrOf(a) {
			return true
		}
	}
	return false
}

func (h host) buckets() []int {
	var list []int
	for _, a := range h.addrs {
		if b := bucketOf(addrOf(a)); !slices.Contains(list, b) {
			list = append(list, b)
		}
	}
	slices.Sort(list)
	return list
}

func checkTimes(op string, from, to time.Time) error {
	if !from.Before(to) {
		return invalid(op, "the window from %s to %s is empty", from.Format(time.RFC3339), to.Format(time.RFC3339))
	}
	return nil
}

// eachBlock reads one column of the blocks of a bucket that overlap [from, to),
// in the order in which they were written.
func (p *pools) eachBlock(ctx context.Context, column string, bucket int, from, to int64, visit func(first int64, data []byte) error) error {
	rows, err := p.read.QueryContext(ctx, `SELECT first, `+column+` FROM block
		WHERE bucket = ? AND last >= ? AND first < ? ORDER BY id`, bucket, from, to)
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var first int64
		var data []byte
		if err := rows.Scan(&first, &data); err != nil {
			return err
		}
		if err := visit(first, data); err != nil {
			return err
		}
	}
	return rows.Err()
}

// period is [from, to) in nanoseconds since 1970.
type period struct{ from, to int64 }

// always is the period of everything.
func always() period { return period{-1 << 63, 1<<63 - 1} }

// viewsIn appends the flows of a block that overlap the period, as seen from
// each end that is local.
func viewsIn(views []view, flows []byte, in period, local func(addr []byte) bool) ([]view, error) {
	var r flowlog.Record
	for len(flows) > 0 {
		f, rest, err := nextFlow(flows)
		if err != nil {
			return nil, err
		}
		flows = rest
		if f.start() >= in.to {
			continue
		}
		src, dst := f.ends()
		fromSource, fromDestination := local(src), local(dst)
		if !fromSource && !fromDestination {
			continue
		}
		sensor, err := f.record(&r)
		if err != nil {
			return nil, err
		}
		if end := r.End().UnixNano(); end <= in.from && f.start() < in.from {
			continue
		}
		if fromSource {
			views = append(views, viewOf(&r, true, sensor))
		}
		if fromDestination {
			views = append(views, viewOf(&r, false, sensor))
		}
	}
	return views, nil
}

// views returns the host's flows that overlap [from, to), each once. Traffic
// between the host's own addresses is left out: it leaves nothing.
func (p *pools) views(ctx context.Context, h host, from, to int64) ([]view, error) {
	var views []view
	for _, bucket := range h.buckets() {
		mine := func(addr []byte) bool { return h.has(addr) && bucketOf(addrOf(addr)) == bucket }
		var blocks [][]byte
		size := 0
		err := p.eachBlock(ctx, "flows", bucket, from, to, func(_ int64, flows []byte) error {
			blocks = append(blocks, flows)
			size += len(flows)
			return nil
		})
		if err != nil {
			return nil, err
		}
		if len(blocks) > 1 {
			// The blocks of a busy host hold little else.
			views = slices.Grow(views, size/usualFlow)
		}
		for _, flows := range blocks {
			if views, err = viewsIn(views, flows, period{from, to}, mine); err != nil {
				return nil, err
			}
		}
	}
	own := func(v view) bool { return slices.Contains(h.ips, v.remote) }
	return distinct(slices.DeleteFunc(views, own)), nil
}

// usualFlow is about how many bytes a stored flow takes.
const usualFlow = 44

// quiet tells whether an answer without a flow is a measured zero, and else
// why it is not: the store must have records from after the window, and must
// not have begun long after it.
func (sp Span) quiet(from, to time.Time) (bool, string) {
	switch {
	case sp.Records == 0:
		return false, "flows: the store is empty"
	case sp.Newest.Before(to):
		return false, "flows: newest record is " + incident.FormatDuration(to.Sub(sp.Newest)) + " old"
	case sp.Oldest.After(to.Add(to.Sub(from))):
		return false, "flows: oldest record is " + incident.FormatDuration(sp.Oldest.Sub(to)) + " younger than the window"
	}
	return true, ""
}
