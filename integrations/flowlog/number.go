package flowlog

import (
	"bytes"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// parseAddr reads an address and makes it canonical: an IPv4 address that is
// mapped into IPv6 is the IPv4 address; a mask, blanks and a zone are ignored.
func parseAddr(b []byte) (netip.Addr, error) {
	if a, ok := parseIPv4(b); ok {
		return a, nil
	}
	if len(b) > 64 {
		return netip.Addr{}, fmt.Errorf("%q is not an address", clip(string(b)))
	}
	if a, ok := flowmath.AddressIn(string(b)); ok {
		return a, nil
	}
	a, err := netip.ParseAddr(string(b))
	if err != nil {
		return netip.Addr{}, fmt.Errorf("%q is not an address", clip(string(b)))
	}
	return a.Unmap().WithZone(""), nil
}

// parseIPv4 reads the plain form of an IPv4 address without allocating.
func parseIPv4(b []byte) (netip.Addr, bool) {
	var out [4]byte
	part, digits, n := 0, 0, 0
	for _, c := range b {
		switch {
		case c >= '0' && c <= '9' && digits < 3 && (digits == 0 || n > 0):
			n, digits = n*10+int(c-'0'), digits+1
		case c == '.' && digits > 0 && n <= 255 && part < 3:
			out[part] = byte(n)
			part, digits, n = part+1, 0, 0
		default:
			return netip.Addr{}, false
		}
	}
	if part != 3 || digits == 0 || n > 255 {
		return netip.Addr{}, false
	}
	out[3] = byte(n)
	return netip.AddrFrom4(out), true
}

func parsePort(b []byte) (uint16, error) {
	n, ok := parseDigits(b)
	if !ok || n > math.MaxUint16 {
		return 0, fmt.Errorf("%q is not a port", clip(string(b)))
	}
	return uint16(n), nil
}

// parseCount reads a counter. A float without a fraction is one too: some
// shippers write every number so.
func parseCount(b []byte) (int64, error) {
	if n, ok := parseDigits(b); ok {
		return n, nil
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil || f < 0 || f > flowmath.MaxBytes || f != math.Trunc(f) {
		return 0, fmt.Errorf("%q is not a count", clip(string(b)))
	}
	return int64(f), nil
}

// parseDigits reads a plain decimal of at most 18 digits.
func parseDigits(b []byte) (int64, bool) {
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	var n int64
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, true
}

// parseSeconds reads decimal seconds to the nanosecond, which a float64 of
// today's epoch cannot hold.
func parseSeconds(b []byte) (time.Duration, error) {
	whole, fraction := b, []byte(nil)
	for i, c := range b {
		if c == '.' {
			whole, fraction = b[:i], b[i+1:]
			break
		}
	}
	seconds, ok := parseDigits(whole)
	if ok && seconds < math.MaxInt64/int64(time.Second)-1 {
		if nanos, ok := parseFraction(fraction); ok {
			return time.Duration(seconds)*time.Second + time.Duration(nanos), nil
		}
	}
	f, err := strconv.ParseFloat(string(b), 64)
	if err != nil || !(f >= 0 && f < float64(math.MaxInt64/int64(time.Second)-1)) {
		return 0, fmt.Errorf("%q is not a time in seconds", clip(string(b)))
	}
	return time.Duration(f * float64(time.Second)), nil
}

// parseSince reads a number of milli-, micro- or nanoseconds since 1970 and
// returns nanoseconds. It is not ok where the number is of seconds.
func parseSince(b []byte) (int64, bool) {
	whole, fraction, _ := bytes.Cut(b, []byte{'.'})
	n, ok := parseDigits19(whole)
	part, okPart := parseFraction(fraction)
	if !ok || !okPart {
		f, err := strconv.ParseFloat(string(b), 64)
		if err != nil || !(f >= 0 && f < math.MaxInt64) {
			return 0, false
		}
		n, part = int64(f), 0
	}
	const endOfSeconds = 100_000_000_000 // the year 5138
	unit := int64(time.Nanosecond)
	switch {
	case n < endOfSeconds:
		return 0, false
	case n < endOfSeconds*1e3:
		unit = int64(time.Millisecond)
	case n < endOfSeconds*1e6:
		unit = int64(time.Microsecond)
	}
	if n > math.MaxInt64/unit-1 {
		return 0, false
	}
	return n*unit + part*unit/int64(time.Second), true
}

// parseFraction reads the digits after a decimal point as nanoseconds; further
// digits are below what is kept.
func parseFraction(b []byte) (int64, bool) {
	var nanos int64
	scale := int64(time.Second)
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		if scale > 1 {
			scale /= 10
			nanos += int64(c-'0') * scale
		}
	}
	return nanos, true
}

// parseTime reads a time as a decimal number since 1970 or as RFC 3339, also with
// an offset without colon as Suricata writes it. The number is of seconds, or of
// milli-, micro- or nanoseconds: Zeek writes either of the first two, shippers any,
// and the times of an age are a thousandfold apart.
func parseTime(b []byte) (time.Time, error) {
	if d, err := parseSeconds(b); err == nil {
		return time.Unix(0, int64(d)).UTC(), nil
	}
	if nanos, ok := parseSince(b); ok {
		return time.Unix(0, nanos).UTC(), nil
	}
	if len(b) <= 40 {
		for _, layout := range [...]string{
			time.RFC3339Nano, "2006-01-02T15:04:05.999999999Z0700", "2006-01-02T15:04:05.999999999", time.DateTime, "2006-01-02 15:04:05Z07:00",
		} {
			if t, err := time.Parse(layout, string(b)); err == nil {
				return t.UTC(), nil
			}
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time", clip(string(b)))
}

// clip shortens text of a record for an error.
func clip(s string) string {
	const most = 40
	if len(s) > most {
		return s[:most] + "…"
	}
	return s
}
