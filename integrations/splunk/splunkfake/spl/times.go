package spl

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// unit is the length of a unit of time by one of its names; months and more are not known.
func unit(name string) (time.Duration, bool) {
	switch strings.ToLower(name) {
	case "s", "sec", "secs", "second", "seconds":
		return time.Second, true
	case "m", "min", "mins", "minute", "minutes":
		return time.Minute, true
	case "h", "hr", "hrs", "hour", "hours":
		return time.Hour, true
	case "d", "day", "days":
		return 24 * time.Hour, true
	case "w", "week", "weeks":
		return 7 * 24 * time.Hour, true
	}
	return 0, false
}

// span reads a length of time, such as 15m.
func span(text string) (time.Duration, bool) {
	parts := regexp.MustCompile(`^(\d*)([a-zA-Z]+)$`).FindStringSubmatch(text)
	if parts == nil {
		return 0, false
	}
	length, ok := unit(parts[2])
	n, err := strconv.Atoi("0" + parts[1])
	if parts[1] == "" {
		n = 1
	}
	return time.Duration(n) * length, ok && err == nil && n > 0
}

// binned is the beginning of the span in which a time is. Spans of days begin at midnight of
// the user.
func (s *search) binned(at float64, length time.Duration) float64 {
	shift := 0.0
	if length%(24*time.Hour) == 0 {
		_, offset := moment(at).In(s.env.Zone).Zone()
		shift = float64(offset)
	}
	n := length.Seconds()
	return math.Floor((at+shift)/n)*n - shift
}

// ParseTime reads a time in Splunk's words, at a time: now, seconds since 1970, or a time
// before or after now, snapped to a unit. Of a parameter it may be a formatted time, too.
func ParseTime(text string, now time.Time, zone *time.Location) (time.Time, bool) {
	if at, err := strconv.ParseFloat(text, 64); err == nil {
		return moment(at), true
	}
	if text == "now" || text == "now()" {
		return now, true
	}
	parts := regexp.MustCompile(`^(?:([+-]\d*)([a-zA-Z]+))?(?:@([a-zA-Z]+))?$`).FindStringSubmatch(text)
	if parts == nil || text == "" {
		return time.Time{}, false
	}
	if parts[2] != "" {
		length, ok := unit(parts[2])
		if len(parts[1]) == 1 {
			parts[1] += "1"
		}
		n, err := strconv.Atoi(parts[1])
		if !ok || err != nil {
			return time.Time{}, false
		}
		now = now.Add(time.Duration(n) * length)
	}
	if parts[3] == "" {
		return now, true
	}
	length, ok := unit(parts[3])
	s := search{env: Env{Zone: zone}}
	return moment(s.binned(seconds(now), length)), ok && length <= 24*time.Hour
}

// formatted reads the times that the parameters of a search may have.
func formatted(text string, zone *time.Location) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999-0700", "2006-01-02T15:04:05.999999999"} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

// bounds sets the time that is searched: by what the search says, else by its parameters. A
// time in the search has no zone and another form than one in a parameter.
func (s *search) bounds(earliest, latest string) {
	read := func(name, inline, parameter string) time.Time {
		if inline != "" {
			if at, ok := ParseTime(inline, s.env.Now, s.env.Zone); ok {
				return at
			}
			at, err := time.ParseInLocation("1/2/2006:15:04:05", inline, s.env.Zone)
			if err != nil {
				s.fail("Invalid value \"%s\" for time term '%s'", inline, name)
			}
			return at
		}
		if parameter == "" {
			return time.Time{}
		}
		at, ok := ParseTime(parameter, s.env.Now, s.env.Zone)
		if !ok {
			at, ok = formatted(parameter, s.env.Zone)
		}
		if !ok {
			s.fail("Invalid %s_time.", name)
		}
		return at
	}
	s.found.Earliest, s.found.Latest = read("earliest", earliest, s.env.Earliest), read("latest", latest, s.env.Latest)
	if s.found.Earliest.Equal(time.Unix(0, 0)) {
		s.found.Earliest = time.Time{}
	}
	if !s.found.Earliest.IsZero() && !s.found.Latest.IsZero() && s.found.Latest.Before(s.found.Earliest) {
		s.fail("Invalid latest_time: latest_time must be after earliest_time.")
	}
	if s.env.Window > 0 {
		end := s.found.Latest
		if end.IsZero() {
			end = s.env.Now
		}
		if begin := end.Add(-s.env.Window); s.found.Earliest.Before(begin) {
			s.found.Earliest = begin
		}
	}
}

// within are the events of the time that is searched: from earliest, up to latest but not at
// it, the newest first.
func (s *search) within(e *Event) bool {
	return !e.Time.Before(s.found.Earliest) && (s.found.Latest.IsZero() || e.Time.Before(s.found.Latest))
}
