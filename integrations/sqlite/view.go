package sqlite

import (
	"cmp"
	"encoding/binary"
	"math/bits"
	"net/netip"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations/sqlite/flowlog"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// view is a flow as seen from one of its ends, the local one.
type view struct {
	start, end int64 // nanoseconds since 1970
	ends
	// opened tells that the local end opened the flow.
	opened bool
	// sent and received are bytes, sampling applied. Sent is meaningful only
	// when measured; low and high bound what the counters allow.
	sent, received, packets int64
	low, high               int64
	// measured tells that the sensor saw what the local end sent; oneWay that
	// it must have sent something that the sensor did not see.
	measured, oneWay bool
	sampled          bool
	// adds tells that other records of the sensor for the same 5-tuple are
	// further traffic, not the same traffic again.
	adds   bool
	sensor uint64
}

// ends is a 5-tuple, local end first.
type ends struct {
	local, remote         netip.Addr
	localPort, remotePort uint16
	transport             string
}

// hash tells most 5-tuples apart; whoever compares hashes compares the ends too.
func (e ends) hash() uint64 {
	const odd = 0x9e3779b97f4a7c15
	local, remote := e.local.As16(), e.remote.As16()
	h := uint64(e.localPort)<<32 | uint64(e.remotePort)<<16 | uint64(len(e.transport))<<8 | uint64(e.transport[0])
	for _, word := range [...]uint64{
		binary.BigEndian.Uint64(local[:8]), binary.BigEndian.Uint64(local[8:]),
		binary.BigEndian.Uint64(remote[:8]), binary.BigEndian.Uint64(remote[8:]),
	} {
		h = bits.RotateLeft64(h^word, 29) * odd
	}
	return h
}

// viewOf returns the record as seen from its source, or else from its
// destination.
func viewOf(r *flowlog.Record, fromSource bool, sensor uint64) view {
	v := view{
		start: r.Start.UnixNano(), end: r.End().UnixNano(), opened: fromSource, sensor: sensor,
		sampled: r.Sampling > 1, adds: r.Single || r.Sampling > 1,
	}
	mine, theirs := r.Orig, r.Resp
	v.ends = ends{r.Src, r.Dst, r.SrcPort, r.DstPort, r.Transport}
	if !fromSource {
		mine, theirs = theirs, mine
		v.ends = ends{r.Dst, r.Src, r.DstPort, r.SrcPort, r.Transport}
	}
	bytes, low, high, ok := mine.Volume()
	switch {
	case fromSource && (r.OneWay || !ok):
		v.oneWay = true
	case ok:
		v.measured = true
		v.sent, v.low, v.high = bytes*r.Sampling, low*r.Sampling, high*r.Sampling
		v.packets = max(0, mine.Packets) * r.Sampling
	default:
		// Whoever opened the flow got no answer, or the answer has a record of
		// its own.
		v.measured = !r.Single
	}
	if bytes, _, _, ok := theirs.Volume(); ok {
		v.received = bytes * r.Sampling
	}
	return v
}

// share returns the part of n that falls into [from, to), by time. The parts
// of adjoining intervals add up to n exactly.
func (v *view) share(n, from, to int64) int64 {
	if from <= v.start && v.end < to {
		return n
	}
	if v.end <= v.start {
		return 0 // a moment, outside
	}
	return v.until(n, to) - v.until(n, from)
}

// until returns the part of n up to a time.
func (v *view) until(n, at int64) int64 {
	switch {
	case at <= v.start:
		return 0
	case at >= v.end:
		return n
	default:
		return int64(float64(n) * (float64(at-v.start) / float64(v.end-v.start)))
	}
}

// overlaps tells whether some of the flow falls into [from, to).
func (v *view) overlaps(from, to int64) bool {
	return v.start < to && (v.end > from || v.start >= from)
}

// Two records of one 5-tuple are the same flow when their times, widened by
// this, overlap: sensors' clocks differ a little, and two workers of one Zeek
// see the two directions of a flow a moment apart. One Zeek does not keep two
// open connections of one 5-tuple.
const (
	slackSensors = int64(5 * time.Second)
	slackSensor  = int64(time.Second)
)

// distinct returns the views with each flow once, in no particular order, and
// reuses the slice. Of what several sensors counted the largest stands, for it
// missed the least; the lowest and highest that any counter allows are kept.
func distinct(views []view) []view {
	type key struct {
		hash  uint64
		start int64
		i     int
	}
	keys := make([]key, len(views))
	for i := range views {
		keys[i] = key{views[i].hash(), views[i].start, i}
	}
	slices.SortFunc(keys, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.start, b.start), cmp.Compare(a.i, b.i))
	})
	var merged []view
	for i := 0; i < len(keys); {
		n := 1
		for i+n < len(keys) && keys[i+n].hash == keys[i].hash {
			n++
		}
		if n > 1 {
			run := make([]view, n)
			for k := range run {
				v := &views[keys[i+k].i]
				run[k] = *v
				v.start = gone
			}
			merged = append(merged, merge(run)...)
		}
		i += n
	}
	kept := slices.DeleteFunc(views, func(v view) bool { return v.start == gone })
	return append(kept, merged...)
}

const gone = -1 << 63

// sighting is one flow with what each sensor made of it.
type sighting struct {
	ends
	end int64
	by  []view
}

// merge joins the views of one 5-tuple, which are sorted by start.
func merge(run []view) []view {
	var open []sighting
	for _, v := range run {
		found := false
		for i := len(open) - 1; i >= 0 && !found; i-- {
			if open[i].ends != v.ends {
				continue
			}
			found = open[i].takes(v)
			break // an earlier flow of the 5-tuple is over
		}
		if !found {
			open = append(open, sighting{v.ends, v.end, []view{v}})
		}
	}
	out := make([]view, len(open))
	for i, s := range open {
		out[i] = s.best()
	}
	return out
}

// takes adds the view when it is of the same flow.
func (s *sighting) takes(v view) bool {
	own := slices.IndexFunc(s.by, func(o view) bool { return o.sensor == v.sensor })
	slack := slackSensors
	if own >= 0 && !v.adds {
		slack = slackSensor
	}
	if v.start > s.end+slack {
		return false
	}
	s.end = max(s.end, v.end)
	if own < 0 || !v.adds {
		s.by = append(s.by, v)
		return true
	}
	o := &s.by[own]
	o.end = max(o.end, v.end)
	o.sent, o.received, o.packets = add(o.sent, v.sent), add(o.received, v.received), add(o.packets, v.packets)
	o.low, o.high = add(o.low, v.low), add(o.high, v.high)
	o.measured, o.oneWay = o.measured || v.measured, o.oneWay || v.oneWay
	return true
}

// best returns the fullest view of the flow.
func (s *sighting) best() view {
	best := s.by[0]
	for _, v := range s.by[1:] {
		low, high := min(best.low, v.low), max(best.high, v.high)
		received := max(best.received, v.received)
		sampled := best.sampled || v.sampled
		if !best.measured {
			low, high = v.low, v.high
		} else if !v.measured {
			low, high = best.low, best.high
		}
		if v.measured && (!best.measured || v.sent > best.sent) {
			best = v
		}
		best.low, best.high, best.received, best.sampled = low, high, received, sampled
	}
	if best.measured {
		best.oneWay = false
	}
	return best
}

// add sums without wrapping around: records are the outside world's.
func add(a, b int64) int64 {
	const most = 1<<63 - 1
	if a > most-b {
		return most
	}
	return a + b
}

// tuple is the 5-tuple as the sensor recorded it.
func (v *view) tuple() incident.Tuple {
	t := incident.Tuple{
		SrcIP: v.local.String(), SrcPort: int(v.localPort),
		DstIP: v.remote.String(), DstPort: int(v.remotePort), Transport: v.transport,
	}
	if !v.opened {
		t.SrcIP, t.DstIP, t.SrcPort, t.DstPort = t.DstIP, t.SrcIP, t.DstPort, t.SrcPort
	}
	return t
}
