package flowlog

import (
	"errors"
	"fmt"
	"time"
)

// errNoZone is why a time without a zone cannot be placed.
var errNoZone = errors.New("its times have no zone: give the zone")

// zonedTime reads a time as [parseTime] does, but for one without a zone, which is of the zone given: where
// that is nil, it is not known when it was.
func zonedTime(b []byte, zone *time.Location) (time.Time, error) {
	if t, ok := parseZulu(b); ok {
		return t, nil
	}
	if len(b) > 40 {
		return time.Time{}, fmt.Errorf("%q is not a time", clip(string(b)))
	}
	if t, err := localTime(b, zone, "2006-01-02T15:04:05", time.DateTime); err == nil || errors.Is(err, errNoZone) {
		return t, err
	}
	return parseTime(b)
}

// parseZulu reads a time of RFC 3339 that ends with Z, the most frequent form, without allocating.
func parseZulu(b []byte) (time.Time, bool) {
	const form = "2006-01-02T15:04:05"
	if len(b) <= len(form) || b[len(b)-1] != 'Z' || b[4] != '-' || b[7] != '-' || b[10] != 'T' || b[13] != ':' || b[16] != ':' {
		return time.Time{}, false
	}
	number := func(from, to int, most int64) int {
		n, ok := parseDigits(b[from:to])
		if !ok || n > most {
			return -1
		}
		return int(n)
	}
	year, month, day := number(0, 4, 9999), number(5, 7, 12), number(8, 10, 31)
	hour, minute, second := number(11, 13, 23), number(14, 16, 59), number(17, 19, 59)
	if year < 0 || month < 1 || day < 1 || hour < 0 || minute < 0 || second < 0 {
		return time.Time{}, false
	}
	var nanos int64
	if rest := b[len(form) : len(b)-1]; len(rest) > 0 {
		var ok bool
		if nanos, ok = parseFraction(rest[1:]); !ok || rest[0] != '.' || len(rest) == 1 {
			return time.Time{}, false
		}
	}
	t := time.Date(year, time.Month(month), day, hour, minute, second, int(nanos), time.UTC)
	return t, t.Day() == day // the 31st of a short month is none
}
