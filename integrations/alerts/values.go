package alerts

import (
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// quoteAll quotes the first few of several texts.
func quoteAll(texts []string) string {
	const most = 5
	var quoted []string
	for _, t := range texts[:min(len(texts), most)] {
		quoted = append(quoted, Quote(t))
	}
	if len(texts) > most {
		quoted = append(quoted, "…")
	}
	return strings.Join(quoted, ", ")
}

// Quote shows the attacker's text in a message: escaped, and short.
func Quote(s string) string {
	const most = 40
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return strconv.QuoteToASCII(s)
}

func separator(r rune) bool { return r == ',' || r == ';' || unicode.IsSpace(r) }

// canonical is the one spelling of an address: no zone, and IPv4 as IPv4.
func canonical(ip netip.Addr) string { return ip.Unmap().WithZone("").String() }

// appendHost adds an address that can name a host, once.
func appendHost(ips []string, ip netip.Addr) []string {
	ip = ip.Unmap()
	broadcast := netip.AddrFrom4([4]byte{255, 255, 255, 255})
	if ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified() || ip.IsMulticast() || ip == broadcast {
		return ips
	}
	if s := canonical(ip); !slices.Contains(ips, s) {
		ips = append(ips, s)
	}
	return ips
}

// parseInteger reads a number that is not negative, as JSON, Splunk (133.000 or
// 4,294,967) or Windows (0x1f4) write it. A fraction is cut off, and whole is
// false. A number that a float cannot hold exactly must be written as an integer.
func parseInteger(s string) (n int64, whole, ok bool) {
	s = ungrouped(s)
	if hex, found := strings.CutPrefix(strings.ToLower(s), "0x"); found {
		n, err := strconv.ParseInt(hex, 16, 64)
		return n, true, err == nil && n >= 0
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return n, true, n >= 0
	}
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || math.IsNaN(f) || f < 0 || f > 1<<53 {
		return 0, false, false
	}
	return int64(f), f == math.Trunc(f), true
}

// parseSize reads a size with its unit, as people write it: 4.2 GB, or 4,294.97 MB. Of 4,294 MB
// nobody knows whether it is four or four thousand.
func parseSize(text string) (bytes int64, ok bool) {
	at := max(strings.IndexFunc(text, unicode.IsLetter), 0)
	if number := strings.TrimSpace(text[:at]); strings.Count(number, ",") != 1 || strings.Contains(number, ".") {
		text = ungrouped(number) + text[at:]
	}
	bytes, err := incident.ParseSize(text)
	return bytes, err == nil
}

// ungrouped removes what people put between groups of three digits: commas,
// blanks, apostrophes, and points where there are several. One comma before
// three digits is such a group, as Splunk and spreadsheets write it.
func ungrouped(s string) string {
	if digits(s) {
		return s
	}
	for _, sign := range []string{",", " ", "\u00a0", "\u202f", "'", "’", "_", "."} {
		number, fraction, _ := strings.Cut(s, ".")
		if sign == "." {
			number, fraction = s, ""
		}
		groups := strings.Split(number, sign)
		if len(groups) < 2 || sign == "." && len(groups) < 3 || len(groups[0]) < 1 || len(groups[0]) > 3 {
			continue
		}
		if slices.ContainsFunc(groups[1:], func(g string) bool { return len(g) != 3 }) || slices.ContainsFunc(groups, func(g string) bool { return !digits(g) }) {
			continue
		}
		if fraction != "" {
			fraction = "." + fraction
		}
		return strings.Join(groups, "") + fraction
	}
	return s
}

// parseTime reads RFC 3339 with any number of digits in the fraction and the
// zone with or without colon, or the time since 1970. A time without a zone is
// read as UTC, and zoned is false.
func parseTime(s string) (t time.Time, zoned, ok bool) {
	if t, ok := parseEpoch(s); ok {
		return t, true, plausible(t)
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05Z0700", "2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 Z0700", "2006-01-02 15:04:05 MST"} {
		t, err := time.Parse(layout, s)
		// A zone that is only a name has no offset, unless it is UTC's.
		if err == nil && (layout[len(layout)-1] != 'T' || strings.HasSuffix(s, "UTC") || strings.HasSuffix(s, "GMT")) {
			return t.UTC(), true, plausible(t)
		}
	}
	for _, layout := range []string{"2006-01-02T15:04:05", time.DateTime} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, false, plausible(t)
		}
	}
	return time.Time{}, false, false
}

// parseEpoch reads seconds since 1970 with or without a fraction, or whole
// milli-, micro- or nanoseconds, distinguished by their number of digits.
func parseEpoch(s string) (time.Time, bool) {
	if f, err := strconv.ParseFloat(s, 64); err == nil && strings.ContainsAny(s, "eE") && f >= 0 && f < math.MaxInt64 {
		s = strconv.FormatFloat(f, 'f', -1, 64) // Some write 1.772334765123E12.
	}
	whole, fraction, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || len(fraction) > 0 && !digits(fraction) {
		return time.Time{}, false
	}
	switch l := len(whole); {
	case l <= 11:
		nanos, _ := strconv.ParseInt((fraction + "000000000")[:9], 10, 64)
		return time.Unix(n, nanos).UTC(), true
	case l <= 14:
		return time.UnixMilli(n).UTC(), true
	case l <= 17:
		return time.UnixMicro(n).UTC(), true
	default:
		return time.Unix(0, n).UTC(), true
	}
}

func digits(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// plausible refuses times that result from a wrong unit.
func plausible(t time.Time) bool { return t.Year() >= 1990 && t.Year() < 2100 }
