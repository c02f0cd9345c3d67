package flowmath

import (
	"cmp"
	"slices"
	"time"
)

// FewRecords is how many records of one host a store that sums in its server
// reads one by one instead: so few cost less than a second query for their sums.
const FewRecords = 2000

// Tuples adds the views of a window with each 5-tuple once, as the servers of
// flow stores sum: of several sensors' counts the largest is used, and the two
// directions of records of one direction are one flow. A long flow has many such
// records, and counts once for each slot in which one of them began; without a
// slot every record counts.
func (s *Summary) Tuples(views []View, slot time.Duration) {
	type seen struct {
		Ends
		opened bool
		sensor uint64
	}
	slices.SortStableFunc(views, func(a, b View) int { return cmp.Compare(a.Start, b.Start) })
	sums := map[seen]*tuple{}
	var order []seen
	for i := range views {
		v := &views[i]
		key := seen{v.Ends, v.Opened, v.Sensor}
		if sums[key] == nil {
			sums[key] = &tuple{begun: [2]int64{-1, -1}}
			order = append(order, key)
		}
		sums[key].add(s, v, int64(slot))
	}
	whole := map[seen]*tuple{}
	for _, key := range order {
		one := key
		one.sensor = 0
		if t := whole[one]; t != nil {
			t.merge(sums[key])
			continue
		}
		whole[one] = sums[key]
	}
	for _, key := range order {
		key.sensor = 0
		if t := whole[key]; t != nil {
			s.Exchange(t.exchange(key.Ends, key.opened))
			delete(whole, key)
		}
	}
}

// SeveralSensors reports whether more than one sensor saw some service, and so may
// have seen the same flows.
func SeveralSensors(views []View) bool {
	sensors := map[Service]uint64{}
	for i := range views {
		v := &views[i]
		of := v.service(v.Opened)
		if first, ok := sensors[of]; ok && first != v.Sensor {
			return true
		}
		sensors[of] = v.Sensor
	}
	return false
}

// tuple is what one sensor saw of a 5-tuple, or all of them.
type tuple struct {
	Exchange
	measured, oneWay bool
	// begun is the last slot in which a record began, starts how many slots
	// there were, of records that were measured and of those that were not.
	begun, starts [2]int64
}

// add adds the share of a record.
func (t *tuple) add(s *Summary, v *View, slot int64) {
	if t.Flows == 0 {
		t.First, t.Last = max(v.Start, s.from), min(v.End, s.to)
	}
	t.First, t.Last = min(t.First, max(v.Start, s.from)), max(t.Last, min(v.End, s.to))
	share := func(n int64) int64 { return v.Share(n, s.from, s.to) }
	t.Sent, t.Received, t.Packets = Add(t.Sent, share(v.Sent)), Add(t.Received, share(v.Received)), Add(t.Packets, share(max(0, v.Packets)))
	t.Low, t.High = Add(t.Low, share(v.Low)), Add(t.High, share(v.High))
	t.measured, t.oneWay, t.Sampled = t.measured || v.Measured, t.oneWay || v.OneWay, t.Sampled || v.Sampled
	t.Uncounted, t.Blank = t.Uncounted || v.Measured && v.Packets < 0, max(t.Blank, v.Blank)
	t.Flows++
	if slot == 0 {
		return
	}
	side := 0
	if v.Measured {
		side = 1
	}
	if n := max(0, v.Start-s.from) / slot; n != t.begun[side] {
		t.begun[side] = n
		t.starts[side]++
	}
	t.Flows = max(t.starts[0], t.starts[1])
}

// merge adds what another sensor saw.
func (t *tuple) merge(o *tuple) {
	t.First, t.Last = min(t.First, o.First), max(t.Last, o.Last)
	switch {
	case !t.measured:
		t.Low, t.High = o.Low, o.High
	case o.measured:
		t.Low, t.High = min(t.Low, o.Low), max(t.High, o.High)
	}
	t.Sent, t.Received, t.Packets = max(t.Sent, o.Sent), max(t.Received, o.Received), max(t.Packets, o.Packets)
	t.Flows = max(t.Flows, o.Flows)
	t.measured, t.oneWay = t.measured || o.measured, t.oneWay || o.oneWay
	t.Sampled, t.Uncounted, t.Blank = t.Sampled || o.Sampled, t.Uncounted || o.Uncounted, max(t.Blank, o.Blank)
}

func (t *tuple) exchange(ends Ends, opened bool) Exchange {
	e := t.Exchange
	e.Service, e.PeerPort = ends.service(opened), ends.RemotePort
	switch {
	case t.measured:
		e.Measured, e.Blank = 1, Counted
	case t.oneWay:
		e.OneWay = 1
	}
	if e.Sent > 0 || e.Packets > 0 || opened && (t.measured || t.oneWay) {
		e.SentFlows = e.Flows
	}
	return e
}
