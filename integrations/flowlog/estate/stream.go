package estate

import (
	"cmp"
	"iter"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// maker makes the flows of hours. It is one goroutine's.
type maker struct {
	e     *Estate
	usual hourly
	brush painter
}

func (e *Estate) maker() *maker {
	return &maker{e: e, usual: hourly{e: e, d: newDice()}, brush: painter{e: e, d: newDice()}}
}

// hour calls visit with all flows that begin in the hour, in no order in time but always in
// the same one.
func (m *maker) hour(hour int, visit func(*flow)) {
	for i := range m.e.hosts {
		m.usual.of(&m.e.hosts[i], hour, visit)
	}
	for _, number := range m.e.byHour[hour] {
		m.brush.paint(number, hour, visit)
	}
}

// Records returns all records, in the order of their beginnings by the sensors' clocks.
// Those of a sensor whose clock is ahead may begin after [Estate.End].
func (e *Estate) Records() iter.Seq[flowmath.Record] {
	return e.between(math.MinInt64, math.MaxInt64)
}

// Between returns the records that begin in [from, to) by the sensors' clocks, in the order
// of their beginnings.
func (e *Estate) Between(from, to time.Time) iter.Seq[flowmath.Record] {
	return e.between(from.UnixNano(), to.UnixNano())
}

// place is where a record stands in the order.
type place struct {
	at int64
	i  int32
}

func (e *Estate) between(from, to int64) iter.Seq[flowmath.Record] {
	first, last := 0, e.hours-1
	if from > e.start {
		first = max(0, e.hourOf(from)-1) // what clocks that are ahead say of the hour before
	}
	if to < e.config.End.UnixNano() {
		last = min(last, e.hourOf(to))
	}
	return func(yield func(flowmath.Record) bool) {
		var made, later []flowmath.Record
		var order []place
		m, w := e.maker(), witness{e, newDice()}
		for hour := first; hour <= last; hour++ {
			made, later = append(made[:0], later...), later[:0]
			m.hour(hour, func(f *flow) { made, _ = w.records(f, made) })
			made = append(made, e.restarted(hour)...)
			order = order[:0]
			end := e.hour(hour + 1)
			for i := range made {
				switch at := made[i].Start.UnixNano(); {
				case at >= end && hour < last:
					later = append(later, made[i])
				case at >= from && at < to:
					order = append(order, place{at, int32(i)})
				}
			}
			slices.SortFunc(order, func(a, b place) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.i, b.i)) })
			for _, p := range order {
				if !yield(made[p.i]) {
					return
				}
			}
		}
	}
}

// restart is when boston's firewall restarted and counted everything since the day's
// beginning again.
type restart struct {
	at, since int64
	sensor    int
}

// whenRestarted is in the afternoon of a Wednesday after the middle of the time, else of
// the last full day.
func (e *Estate) whenRestarted() restart {
	there := &Host{Zone: -5 * time.Hour}
	at := e.hours - 30
	for hour := e.hours * 11 / 20; hour < e.hours-24; hour++ {
		if local := e.local(there, hour); local.Weekday() == time.Wednesday && local.Hour() == 14 {
			at = hour
			break
		}
	}
	return restart{e.hour(at) + int64(10*time.Minute), e.hour(at - 14), fwBoston}
}

// total is what a host sent to a service.
type total struct {
	host, peer netip.Addr
	index      int32
	port       uint16
	transport  uint8
	bytes      int64
}

// restarted are the records that the sensor wrote again, if it restarted in the hour: of
// each host what it sent since the day began, as if it were the minute's.
func (e *Estate) restarted(hour int) []flowmath.Record {
	r := e.restart
	if e.hourOf(r.at) != hour {
		return nil
	}
	w := witness{e, newDice()}
	var records []flowmath.Record
	for _, t := range e.again() {
		lot := mix(uint64(t.bytes) ^ uint64(t.index))
		f := flow{
			at: r.at + int64(lot%uint64(50*time.Second)), last: int64(5 * time.Second), host: t.index, peer: t.peer, peerPort: t.port,
			ownPort: ephemeral(lot), transport: t.transport, opened: true, out: t.bytes,
		}
		f.count(0)
		f.out = max(0, f.out-f.packetsOut*header(f.transport)) // the total holds the headers already
		records = append(records, w.both(&f, t.host, r.sensor))
	}
	return records
}

// again is what the sensor wrote again: the three services to which each host sent most,
// and with the first all others.
func (e *Estate) again() []total {
	type key struct {
		index     int32
		peer      netip.Addr
		port      uint16
		transport uint8
	}
	sums := map[key]*total{}
	m, r := e.maker(), e.restart
	for hour := e.hourOf(r.since); hour <= e.hourOf(r.at); hour++ {
		m.hour(hour, func(f *flow) {
			h := &e.hosts[f.host]
			if h.path(f) != r.sensor || f.at >= r.at || f.v6 || !f.opened {
				return
			}
			k := key{f.host, f.peer, f.peerPort, f.transport}
			if sums[k] == nil {
				sums[k] = &total{host: h.sent(f), peer: f.peer, index: f.host, port: f.peerPort, transport: f.transport}
			}
			sums[k].bytes += f.left()
		})
	}
	all := make([]total, 0, len(sums))
	for _, t := range sums {
		all = append(all, *t)
	}
	slices.SortFunc(all, func(a, b total) int {
		return cmp.Or(cmp.Compare(a.index, b.index), cmp.Compare(b.bytes, a.bytes), a.peer.Compare(b.peer), cmp.Compare(a.port, b.port), cmp.Compare(a.transport, b.transport))
	})
	return largest(all)
}

// largest keeps three totals of each host, and adds the others to the first of them.
func largest(all []total) []total {
	const most = 3
	var kept []total
	first, n := 0, 0
	for _, t := range all {
		switch {
		case len(kept) == 0 || kept[first].index != t.index:
			first, n = len(kept), 1
			kept = append(kept, t)
		case n < most:
			n++
			kept = append(kept, t)
		default:
			kept[first].bytes += t.bytes
		}
	}
	return kept
}
