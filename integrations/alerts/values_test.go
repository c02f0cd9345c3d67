package alerts

import (
	"testing"
	"time"
)

func TestParseTime(t *testing.T) {
	want := time.Date(2026, 3, 1, 3, 12, 45, 0, time.UTC)
	for text, c := range map[string]struct {
		at        time.Time
		zoned, ok bool
	}{
		"2026-03-01T03:12:45Z":              {want, true, true},
		"2026-03-01T08:12:45+0500":          {want, true, true},
		"2026-03-01T08:12:45.1234567+05:00": {want.Add(123456700), true, true},
		"2026-03-01 03:12:45 UTC":           {want, true, true},
		"2026-03-01 03:12:45 CEST":          {},
		"2026-03-01 03:12:45":               {want, false, true},
		"1772334765":                        {want, true, true},
		"1772334765.5":                      {want.Add(time.Second / 2), true, true},
		"1772334765000":                     {want, true, true},
		"1772334765000000":                  {want, true, true},
		"1772334765000000000":               {want, true, true},
		"0":                                 {},
		"99999999999999999999":              {},
		"yesterday":                         {},
		"1772334765.x":                      {},
	} {
		at, zoned, ok := parseTime(text)
		if ok != c.ok || ok && (!at.Equal(c.at) || zoned != c.zoned) {
			t.Errorf("%s: %s, %t, %t; want %v", text, at, zoned, ok, c)
		}
	}
}

func TestGroupedNumbers(t *testing.T) {
	for text, want := range map[string]int64{
		"4,294,967,296": 4294967296, "4.294.967.296": 4294967296, "4 294 967 296": 4294967296, "4\u202f294": 4294, "4'294'967": 4294967,
		"4,294,967.75": 4294967, "1,000": 1000, "133.000": 133, "12": 12, "0x1f4": 500, "4.2e3": 4200, "+7": 7,
		"4,29": -1, "4,2949": -1, ",294": -1, "1,,000": -1, "4,294,96": -1, "1e400": -1, "-1": -1, "-1,000": -1, "NaN": -1, "Infinity": -1, "1.2.3": -1, "five": -1,
	} {
		n, _, ok := parseInteger(text)
		if ok != (want >= 0) || ok && n != want {
			t.Errorf("%q is read as %d, %t; want %d", text, n, ok, want)
		}
	}
}
