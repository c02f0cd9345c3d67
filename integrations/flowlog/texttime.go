package flowlog

import (
	"bytes"
	"fmt"
	"time"
)

// monthOf reads the English name of a month in three letters.
func monthOf(b []byte) (time.Month, bool) {
	if len(b) != 3 {
		return 0, false
	}
	const all = "janfebmaraprmayjunjulaugsepoctnovdec"
	for i := 0; i < len(all); i += 3 {
		if b[0]|0x20 == all[i] && b[1]|0x20 == all[i+1] && b[2]|0x20 == all[i+2] {
			return time.Month(i/3 + 1), true
		}
	}
	return 0, false
}

// epochTime reads a whole number of seconds, or of milli-, micro- or nanoseconds, since 1970: they are a thousandfold apart.
func epochTime(b []byte) (time.Time, bool) {
	n, ok := parseDigits19(b)
	if !ok || n < 1e8 {
		return time.Time{}, false
	}
	switch {
	case n < 1e11:
		return time.Unix(n, 0).UTC(), true
	case n < 1e14:
		return time.UnixMilli(n).UTC(), true
	case n < 1e17:
		return time.UnixMicro(n).UTC(), true
	}
	return time.Unix(0, n).UTC(), true
}

// clock is the wall's time in a text, before it is known whose.
type clock struct {
	year  int
	month time.Month
	day   int
	since time.Duration // midnight
}

func (c clock) in(zone *time.Location) time.Time {
	// Not midnight plus: a day may be longer.
	h, m, s := int(c.since/time.Hour), int(c.since/time.Minute%60), int(c.since/time.Second%60)
	return time.Date(c.year, c.month, c.day, h, m, s, int(c.since%time.Second), zone)
}

// date reads a date of ten characters, year first, with any separator.
func (c *clock) date(b []byte) bool {
	if len(b) != 10 || b[4] != b[7] {
		return false
	}
	year, ok := parseDigits(b[:4])
	month, okMonth := parseDigits(b[5:7])
	day, okDay := parseDigits(b[8:])
	c.year, c.month, c.day = int(year), time.Month(month), int(day)
	return ok && okMonth && okDay && c.real()
}

// real reports whether there is such a day.
func (c *clock) real() bool {
	return c.month >= 1 && c.month <= 12 && c.day >= 1 && time.Date(c.year, c.month, c.day, 0, 0, 0, 0, time.UTC).Day() == c.day
}

// time reads hours, minutes and seconds, with or without a fraction.
func (c *clock) time(b []byte) bool {
	if len(b) < 8 || b[2] != ':' || b[5] != ':' {
		return false
	}
	hour, ok := parseDigits(b[:2])
	minute, okMinute := parseDigits(b[3:5])
	second, okSecond := parseDigits(b[6:8])
	var nanos int64
	okNanos := len(b) == 8
	if !okNanos && (b[8] == '.' || b[8] == ',') && len(b) > 9 {
		nanos, okNanos = parseFraction(b[9:])
	}
	c.since = time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second + time.Duration(nanos)
	return ok && okMinute && okSecond && okNanos && hour < 24 && minute < 60 && second < 60
}

// textTime reads a time as products write it: a number since 1970, RFC 3339, or the parts of a date in words or numbers, with
// the zone at the end or that which is given.
func textTime(b []byte, zone *time.Location) (time.Time, error) {
	if t, ok := epochTime(b); ok {
		return t, nil
	}
	var words [6][]byte
	n := 0
	for rest := b; len(rest) > 0 && n < len(words); n++ {
		words[n], rest, _ = bytes.Cut(rest, []byte{' '})
		rest = bytes.TrimLeft(rest, " ")
		if n == len(words)-1 && len(rest) > 0 {
			return time.Time{}, notTime(b)
		}
	}
	c, rest, ok := clockOf(words[:n])
	if !ok {
		return zonedTime(b, zone)
	}
	if len(rest) > 1 {
		return time.Time{}, notTime(b)
	}
	if len(rest) == 1 {
		if zone, ok = zoneOf(rest[0]); !ok {
			return time.Time{}, notTime(b)
		}
	}
	if zone == nil {
		return time.Time{}, errNoZone
	}
	return c.in(zone).UTC(), nil
}

func notTime(b []byte) error { return fmt.Errorf("%q is not a time", clip(string(b))) }

// clockOf reads a date and a time from the first words, and returns those after them.
func clockOf(words [][]byte) (c clock, rest [][]byte, ok bool) {
	if len(words) >= 2 && c.date(words[0]) {
		return c, words[2:], c.time(words[1])
	}
	if len(words) >= 5 {
		if _, ok := monthOf(words[1]); ok { // the day of the week
			year := words[4]
			if len(words) == 5 {
				return c.words(words[1], words[2], year, words[3], nil)
			}
		}
	}
	if len(words) >= 4 {
		return c.words(words[0], words[1], words[2], words[3], words[4:])
	}
	return c, nil, false
}

func (c clock) words(month, day, year, at []byte, rest [][]byte) (clock, [][]byte, bool) {
	m, ok := monthOf(month)
	d, okDay := parseDigits(day)
	y, okYear := parseDigits(year)
	c.year, c.month, c.day = int(y), m, int(d)
	return c, rest, ok && okDay && okYear && len(year) == 4 && len(day) <= 2 && c.real() && c.time(at)
}
