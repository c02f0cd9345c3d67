package alerts

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// parsed reads the one text of a field with a parser that returns why it cannot.
func parsed[T any](r *Reader, parse func(text string) (incident.Value[T], string), paths ...string) incident.Value[T] {
	return firstOf(r, func(v any) (incident.Value[T], string) {
		if _, is := v.(bool); is {
			return incident.Value[T]{}, fmt.Sprintf("it is %v, which is no value of this kind", v)
		}
		text, why := one(v, lines)
		if text == "" {
			return incident.Value[T]{}, why
		}
		return parse(text)
	}, paths...)
}

// Integer reads a count, which is never negative.
func (r *Reader) Integer(paths ...string) incident.Value[int64] {
	return parsed(r, func(text string) (incident.Value[int64], string) {
		n, isWhole, ok := parseInteger(text)
		switch {
		case !ok:
			return incident.Value[int64]{}, fmt.Sprintf("%s is not a whole number from 0 to %d", Quote(text), int64(math.MaxInt64))
		case !isWhole:
			return incident.Known(n, incident.Computed), ""
		}
		return incident.Known(n, incident.FromAlert), ""
	}, paths...)
}

// Size reads a number of bytes, also with its unit.
func (r *Reader) Size(paths ...string) incident.Value[int64] {
	return parsed(r, func(text string) (incident.Value[int64], string) {
		bare := strings.TrimSpace(strings.TrimSuffix(strings.TrimSuffix(text, "bytes"), "B"))
		n, isWhole, ok := parseInteger(bare)
		if ok && isWhole {
			return incident.Known(n, incident.FromAlert), ""
		}
		if rounded, known := parseSize(text); !ok && known {
			n, ok = rounded, true
		}
		if !ok {
			return incident.Value[int64]{}, fmt.Sprintf("%s is not a whole number from 0 to %d", Quote(text), int64(math.MaxInt64))
		}
		return incident.Known(n, incident.Computed), ""
	}, paths...)
}

// number reads a whole number of at most so many bits.
func (r *Reader) number(what string, most int64, paths ...string) incident.Value[int64] {
	return parsed(r, func(text string) (incident.Value[int64], string) {
		n, isWhole, ok := parseInteger(text)
		// Several numbers must not become one: 53,123 is no group of digits here.
		if !ok || !isWhole || n > most || ungrouped(text) != text {
			return incident.Value[int64]{}, Quote(text) + " is not a " + what
		}
		return incident.Known(n, incident.FromAlert), ""
	}, paths...)
}

// Flag reads what is true or false, also as text or as 1 and 0.
func (r *Reader) Flag(paths ...string) incident.Value[bool] {
	return firstOf(r, func(v any) (incident.Value[bool], string) {
		text, why := one(v, lines)
		if text == "" {
			return incident.Value[bool]{}, why
		}
		switch strings.ToLower(text) {
		case "true", "1", "yes":
			return incident.Known(true, incident.FromAlert), ""
		case "false", "0", "no":
			return incident.Known(false, incident.FromAlert), ""
		}
		return incident.Value[bool]{}, Quote(text) + " is neither true nor false"
	}, paths...)
}

// Port reads a TCP or UDP port.
func (r *Reader) Port(paths ...string) incident.Value[int64] {
	return r.number("port", math.MaxUint16, paths...)
}

// PID reads the id of a process.
func (r *Reader) PID(paths ...string) incident.Value[int64] {
	return r.number("process id", math.MaxUint32, paths...)
}

// Instant reads a time; one without a zone counts as assumed.
func (r *Reader) Instant(paths ...string) incident.Value[time.Time] {
	return parsed(r, func(text string) (incident.Value[time.Time], string) {
		t, zoned, ok := parseTime(text)
		switch {
		case !ok:
			return incident.Value[time.Time]{}, Quote(text) + " is not a time: RFC 3339, or seconds since 1970"
		case !zoned:
			return incident.Known(t, incident.Assumed), ""
		}
		return incident.Known(t, incident.FromAlert), ""
	}, paths...)
}

// Duration reads a duration above zero; a bare number is in seconds.
func (r *Reader) Duration(paths ...string) incident.Value[time.Duration] {
	return parsed(r, func(text string) (incident.Value[time.Duration], string) {
		d, err := incident.ParseDuration(text)
		if n, isWhole, ok := parseInteger(text); ok && isWhole && n < math.MaxInt32 {
			d, err = time.Duration(n)*time.Second, nil
		}
		if err != nil || d <= 0 {
			return incident.Value[time.Duration]{}, Quote(text) + " is not a duration: 90s, 15m or 4h, or seconds"
		}
		return incident.Known(d, incident.FromAlert), ""
	}, paths...)
}

// Address reads one address, of any scope.
func (r *Reader) Address(paths ...string) incident.Value[string] {
	return parsed(r, func(text string) (incident.Value[string], string) {
		ip, err := parseAddress(text)
		switch {
		case err != nil:
			return incident.Value[string]{}, Quote(text) + " is not an IP address"
		case ip.IsUnspecified():
			return incident.Value[string]{}, text + " is no address of a host"
		}
		return incident.Known(canonical(ip), incident.FromAlert), ""
	}, paths...)
}

// parseAddress reads an address as products write it: alone, in brackets, with
// a port or with a mask that leaves one host.
func parseAddress(text string) (netip.Addr, error) {
	text = strings.Trim(text, `"'`)
	if p, err := netip.ParseAddrPort(text); err == nil {
		return p.Addr(), nil
	}
	if p, err := netip.ParsePrefix(text); err == nil && p.IsSingleIP() {
		return p.Addr(), nil
	}
	return netip.ParseAddr(strings.Trim(text, "[]"))
}

// Transport reads a transport protocol, in any spelling of it that is known.
func (r *Reader) Transport(paths ...string) incident.Value[string] {
	return incident.Transports().Of(r.Text(paths...))
}

// OS reads an operating system, in any spelling of it that is known.
func (r *Reader) OS(paths ...string) incident.Value[string] {
	return incident.OSes().Of(r.Text(paths...))
}

// Between is the time from one instant to the next, where both are known and in
// that order.
func Between(from, to incident.Value[time.Time]) incident.Value[time.Duration] {
	start, ok := from.Get()
	end, ok2 := to.Get()
	switch {
	case !ok || !ok2:
		why := from.Why()
		if why == "" {
			why = to.Why()
		}
		return incident.NotKnown[time.Duration](why)
	case !end.After(start):
		return incident.NotKnown[time.Duration]("the window ends before it begins")
	}
	return incident.Known(end.Sub(start), incident.Computed)
}
