package incident

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

type unit struct {
	name  string
	scale int64
}

// The units that playbooks may write, longest name first so that a suffix
// match is exact. Rates are decimal, as networks count; sizes come in both.
func sizeUnits() []unit {
	return []unit{
		{"KiB", 1 << 10},
		{"MiB", 1 << 20},
		{"GiB", 1 << 30},
		{"KB", 1e3},
		{"MB", 1e6},
		{"GB", 1e9},
	}
}

func rateUnits() []unit {
	return []unit{{"kbit", 1e3}, {"Mbit", 1e6}, {"Gbit", 1e9}}
}

func parseUnit(s, what string, units []unit) (int64, error) {
	names := make([]string, 0, len(units))
	for _, u := range units {
		names = append(names, u.name)
		number, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		f, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		n := f * float64(u.scale)
		if err != nil || math.IsNaN(n) || n < 0 || n > math.MaxInt64/2 {
			return 0, fmt.Errorf("%q is not a %s", s, what)
		}
		return int64(math.Round(n)), nil
	}
	return 0, fmt.Errorf("%q is not a %s: write a number and one of %s", s, what, strings.Join(names, ", "))
}

// ParseSize reads a size such as "10MiB" and returns bytes.
func ParseSize(s string) (int64, error) { return parseUnit(s, "size", sizeUnits()) }

// ParseRate reads a rate such as "2Mbit" and returns bits per second.
func ParseRate(s string) (int64, error) { return parseUnit(s, "rate", rateUnits()) }

// ParseDuration reads a Go duration, or days such as "14d".
func ParseDuration(s string) (time.Duration, error) {
	if number, ok := strings.CutSuffix(s, "d"); ok {
		f, err := strconv.ParseFloat(number, 64)
		if err != nil || math.IsNaN(f) || math.Abs(f) > 36500 {
			return 0, fmt.Errorf("%q is not a duration", s)
		}
		return time.Duration(f * float64(24*time.Hour)), nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration: write 90s, 15m, 4h or 14d", s)
	}
	return d, nil
}

// FormatSize writes bytes for people, in binary units.
func FormatSize(n int64) string {
	switch {
	case n >= 1<<30:
		return trimFloat(float64(n)/(1<<30)) + " GiB"
	case n >= 1<<20:
		return trimFloat(float64(n)/(1<<20)) + " MiB"
	case n >= 1<<10:
		return trimFloat(float64(n)/(1<<10)) + " KiB"
	default:
		return strconv.FormatInt(n, 10) + " B"
	}
}

// FormatRate writes bits per second for people.
func FormatRate(n int64) string {
	switch {
	case n >= 1e9:
		return trimFloat(float64(n)/1e9) + " Gbit/s"
	case n >= 1e6:
		return trimFloat(float64(n)/1e6) + " Mbit/s"
	case n >= 1e3:
		return trimFloat(float64(n)/1e3) + " kbit/s"
	default:
		return strconv.FormatInt(n, 10) + " bit/s"
	}
}

// FormatDuration writes a duration for people: no trailing zero parts.
func FormatDuration(d time.Duration) string {
	if d >= time.Second {
		d = d.Round(time.Second)
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}

func trimFloat(f float64) string {
	return strings.TrimSuffix(strconv.FormatFloat(f, 'f', 1, 64), ".0")
}
