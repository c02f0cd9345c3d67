package flowmath

import (
	"cmp"
	"slices"
	"time"
)

// Two records of one 5-tuple are the same flow when their times, widened by
// this, overlap: sensors' clocks differ a little, and two workers of one Zeek
// see the two directions of a flow a moment apart. One Zeek does not keep two
// open connections of one 5-tuple.
const (
	slackSensors = int64(5 * time.Second)
	slackSensor  = int64(time.Second)
)

// Distinct returns the views with each flow once, in no particular order, and
// reuses the slice. Of several sensors' counts the largest is used, for it missed
// the least; the lowest and highest that any counter allows are kept.
func Distinct(views []View) []View {
	again := repeated(views)
	slices.SortFunc(again, func(a, b seen) int {
		return cmp.Or(cmp.Compare(a.hash, b.hash), cmp.Compare(a.start, b.start), cmp.Compare(a.i, b.i))
	})
	var merged []View
	for len(again) > 0 {
		n := 1
		for n < len(again) && again[n].hash == again[0].hash {
			n++
		}
		run := make([]View, n)
		for k := range run {
			v := &views[again[k].i]
			run[k] = *v
			v.Start = gone
		}
		merged = append(merged, merge(run)...)
		again = again[n:]
	}
	kept := slices.DeleteFunc(views, func(v View) bool { return v.Start == gone })
	return append(kept, merged...)
}

// seen is the sort key of the i-th view.
type seen struct {
	hash  uint64
	start int64
	i     int
}

// repeated returns the views whose 5-tuple, by its hash, occurs more than once. Most
// flows are seen once, and to sort them all would cost more than the rest.
func repeated(views []View) []seen {
	const noted = -1
	var again []seen
	at := make(map[uint64]int, len(views))
	for i := range views {
		hash := views[i].hash()
		before, ok := at[hash]
		if !ok {
			at[hash] = i
			continue
		}
		if before != noted {
			again = append(again, seen{hash, views[before].Start, before})
			at[hash] = noted
		}
		again = append(again, seen{hash, views[i].Start, i})
	}
	return again
}

const gone = -1 << 63

// sighting is one flow with each sensor's counts.
type sighting struct {
	Ends
	end int64
	by  []View
}

// merge joins the views of one 5-tuple, which are sorted by start.
func merge(run []View) []View {
	var open []sighting
	for _, v := range run {
		found := false
		for i := len(open) - 1; i >= 0 && !found; i-- {
			if open[i].Ends != v.Ends {
				continue
			}
			found = open[i].takes(v)
			break // an earlier flow of the 5-tuple is over
		}
		if !found {
			open = append(open, sighting{v.Ends, v.End, []View{v}})
		}
	}
	out := make([]View, len(open))
	for i, s := range open {
		out[i] = s.best()
	}
	return out
}

// takes adds the view if it is of the same flow. A sensor may record a flow both
// as a whole and by direction, as Suricata can; only the latter records add up. It
// may also record it again as it grows, as Zeek does for long connections, with
// the same beginning: then the last record is used.
func (s *sighting) takes(v View) bool {
	own := slices.IndexFunc(s.by, func(o View) bool { return o.Sensor == v.Sensor && o.Adds == v.Adds })
	slack := slackSensors
	if own >= 0 && !v.Adds {
		slack = slackSensor
	}
	if v.Start > s.end+slack {
		return false
	}
	s.end = max(s.end, v.End)
	for i := range s.by {
		o := &s.by[i]
		if received := max(o.Received, v.Received); v.grownFrom(o) {
			*o = v
			o.Received = received
			return true
		} else if o.grownFrom(&v) {
			o.Received = received
			return true
		}
	}
	if own < 0 || !v.Adds {
		s.by = append(s.by, v)
		return true
	}
	o := &s.by[own]
	o.Longest = max(o.longest(), v.longest())
	o.End = max(o.End, v.End)
	o.Sent, o.Received = Add(o.Sent, v.Sent), Add(o.Received, v.Received)
	if o.Packets < 0 || v.Packets < 0 {
		o.Packets = NotSeen
	} else {
		o.Packets = Add(o.Packets, v.Packets)
	}
	o.Low, o.High = Add(o.Low, v.Low), Add(o.High, v.High)
	o.Measured, o.OneWay, o.Blank = o.Measured || v.Measured, o.OneWay || v.OneWay, max(o.Blank, v.Blank)
	return true
}

// grownFrom reports whether o is an earlier record of the same flow by the same
// sensor.
func (v *View) grownFrom(o *View) bool {
	return o.Sensor == v.Sensor && !o.Adds && !v.Adds && o.Start == v.Start && o.End <= v.End && o.Sent <= v.Sent &&
		(v.Measured || !o.Measured)
}

// best returns the fullest view of the flow.
func (s *sighting) best() View {
	best := s.by[0]
	for _, v := range s.by[1:] {
		low, high := min(best.Low, v.Low), max(best.High, v.High)
		received := max(best.Received, v.Received)
		sampled := best.Sampled || v.Sampled
		if !best.Measured {
			low, high = v.Low, v.High
		} else if !v.Measured {
			low, high = best.Low, best.High
		}
		if v.Measured && (!best.Measured || v.Sent > best.Sent) {
			best = v
		}
		best.Low, best.High, best.Received, best.Sampled = low, high, received, sampled
	}
	if best.Measured {
		best.OneWay, best.Blank = false, Counted
	}
	return best
}
