package sqlite

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// spread is the longest flow, in minutes, that is divided over its minutes when
// it is written. Longer ones are kept whole and divided when they are read, so
// that a flow of a month costs one entry and not forty thousand.
const spread = 10

// minuteSum is what one address sent in one minute, or in several for a long
// flow.
type minuteSum struct {
	addr   netip.Addr
	sensor uint64
	// from is nanoseconds since 1970; a long flow has its own times.
	from, to int64
	long     bool
	bytes    int64
	// measured and oneWay count flows: those with and without known volume.
	measured, oneWay uint64
}

func minuteOf(nanos int64) int64 {
	const minute = int64(time.Minute)
	return nanos - ((nanos%minute)+minute)%minute
}

// minutesOf divides flows over the minutes and sums them by address and sensor.
func minutesOf(views []flowmath.View) []minuteSum {
	type key struct {
		addr   netip.Addr
		minute int64
		sensor uint64
	}
	at := make(map[key]int, len(views))
	sums := make([]minuteSum, 0, len(views))
	for i := range views {
		v := &views[i]
		first, last := minuteOf(v.Start), minuteOf(v.End)
		if (last-first)/int64(time.Minute) >= spread {
			s := minuteSum{addr: v.Local, sensor: v.Sensor, from: v.Start, to: v.End, long: true}
			s.count(v, v.Sent)
			sums = append(sums, s)
			continue
		}
		for m := first; m <= last; m += int64(time.Minute) {
			k := key{v.Local, m, v.Sensor}
			n, ok := at[k]
			if !ok {
				n = len(sums)
				at[k] = n
				sums = append(sums, minuteSum{addr: v.Local, sensor: v.Sensor, from: m, to: m + int64(time.Minute)})
			}
			sums[n].count(v, v.Share(v.Sent, m, m+int64(time.Minute)))
		}
	}
	return sums
}

func (s *minuteSum) count(v *flowmath.View, bytes int64) {
	switch {
	case v.Measured:
		s.measured++
		s.bytes = flowmath.Add(s.bytes, bytes)
	case v.OneWay:
		s.oneWay++
	}
}

// appendMinutes encodes the sums of the views, with times relative to base:
//
//	address length 1 byte, address, then varints: sensor, flows measured, flows
//	one-way, bytes, minutes since base and 0, or for a long flow nanoseconds
//	since base and nanoseconds of duration.
func appendMinutes(b []byte, views []flowmath.View, base int64) []byte {
	sums := minutesOf(views)
	slices.SortFunc(sums, func(x, y minuteSum) int {
		return cmp.Or(x.addr.Compare(y.addr), cmp.Compare(x.from, y.from), cmp.Compare(x.sensor, y.sensor))
	})
	for _, s := range sums {
		raw := s.addr.AsSlice()
		b = append(b, byte(len(raw)))
		b = append(b, raw...)
		b = binary.AppendUvarint(b, s.sensor)
		b = binary.AppendUvarint(b, s.measured)
		b = binary.AppendUvarint(b, s.oneWay)
		b = binary.AppendUvarint(b, uint64(s.bytes))
		if s.long {
			b = binary.AppendUvarint(b, uint64(s.from-base))
			b = binary.AppendUvarint(b, uint64(s.to-s.from))
		} else {
			b = binary.AppendUvarint(b, uint64((s.from-base)/int64(time.Minute)))
			b = binary.AppendUvarint(b, 0)
		}
	}
	return b
}

// eachMinute decodes the sums of the addresses that wanted picks.
func eachMinute(b []byte, base int64, wanted func(addr []byte) bool, visit func(minuteSum)) error {
	for len(b) > 0 {
		size := int(b[0])
		if size != 4 && size != 16 || len(b) < 1+size {
			return errCorrupt
		}
		addr := b[1 : 1+size]
		b = b[1+size:]
		var n [6]uint64
		for i := range n {
			v, size := binary.Uvarint(b)
			if size <= 0 {
				return errCorrupt
			}
			n[i], b = v, b[size:]
		}
		if !wanted(addr) {
			continue
		}
		s := minuteSum{addr: addrOf(addr), sensor: n[0], measured: n[1], oneWay: n[2], bytes: int64(n[3]), long: n[5] > 0}
		if s.long {
			s.from = base + int64(n[4])
			s.to = s.from + int64(n[5])
		} else {
			s.from = base + int64(n[4])*int64(time.Minute)
			s.to = s.from + int64(time.Minute)
		}
		visit(s)
	}
	return nil
}
