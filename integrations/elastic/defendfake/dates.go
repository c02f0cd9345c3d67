package defendfake

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// dateOf reads a time in ISO 8601, or one that is counted from now, such as
// now-15m.
func dateOf(in string, now time.Time) (time.Time, error) {
	if math := regexp.MustCompile(`^now(?:([+-])(\d+)([smhdw]))?(?:/([smhd]))?$`).FindStringSubmatch(in); math != nil && !now.IsZero() {
		units := map[string]time.Duration{
			"s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour, "w": 7 * 24 * time.Hour,
		}
		n, _ := strconv.Atoi(math[2]) // empty is 0
		length := time.Duration(n) * units[math[3]]
		if math[1] == "-" {
			length = -length
		}
		return now.Add(length).Truncate(units[math[4]]), nil // by nothing changes nothing
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, in); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("failed to parse date field [%s] with format [strict_date_optional_time||epoch_millis]", in)
}

// formatDate writes a time in one of the formats that are asked for by name.
func formatDate(t time.Time, format string) any {
	switch format {
	case "epoch_millis":
		return formatInt(t.UnixMilli())
	case "strict_date_optional_time_nanos":
		return t.UTC().Format(time.RFC3339Nano)
	default:
		return isoTime(t)
	}
}
