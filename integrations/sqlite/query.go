package sqlite

import (
	"bytes"
	"context"
	"slices"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// host is the addresses of one host, as they are stored.
type host struct {
	flowmath.Host
	addrs [][]byte
}

func hostOf(h flowmath.Host) host {
	s := host{Host: h}
	for _, a := range h.Addrs {
		s.addrs = append(s.addrs, a.AsSlice())
	}
	return s
}

// has reports whether a stored address is the host's. An IPv4 address is stored
// wide next to one of IPv6.
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
	for _, a := range h.Addrs {
		if b := bucketOf(a); !slices.Contains(list, b) {
			list = append(list, b)
		}
	}
	slices.Sort(list)
	return list
}

// eachBlock reads one column of the blocks of a bucket that overlap [from, to),
// in the order in which they were written.
func (p *pools) eachBlock(ctx context.Context, column string, bucket int, from, to int64, visit func(first int64, data []byte) error) error {
	// The ids are sorted, not the blocks.
	rows, err := p.read.QueryContext(ctx, `SELECT first, `+column+` FROM block WHERE id IN
		(SELECT id FROM block WHERE bucket = ? AND last >= ? AND first < ?) ORDER BY id`, bucket, from, to)
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
func viewsIn(views []flowmath.View, flows []byte, in period, local func(addr []byte) bool) ([]flowmath.View, error) {
	var r flowmath.Record
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
			views = append(views, flowmath.ViewOf(&r, true, sensor))
		}
		if fromDestination {
			views = append(views, flowmath.ViewOf(&r, false, sensor))
		}
	}
	return views, nil
}

// views returns the host's flows that overlap [from, to), each once. Traffic
// between the host's own addresses is left out: it does not leave the host.
func (p *pools) views(ctx context.Context, h host, from, to int64) ([]flowmath.View, error) {
	var views []flowmath.View
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
	own := func(v flowmath.View) bool { return h.Has(v.Remote) }
	return flowmath.Distinct(slices.DeleteFunc(views, own)), nil
}

// usualFlow is about how many bytes a stored flow takes.
const usualFlow = 44
