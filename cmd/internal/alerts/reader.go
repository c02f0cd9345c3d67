package alerts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// reader takes values out of one decoded alert. It remembers the first field
// that is wrong; values read after that are worthless, and the caller throws
// them away. A field that is absent, null or empty is unknown.
type reader struct {
	at     string
	fields map[string]any
	bad    *FieldError
	// strict refuses what it cannot make sense of. A vendor's alert is not
	// refused for that: the value is unknown, with the reason.
	strict bool
}

func (r *reader) fail(path, format string, args ...any) {
	if r.bad == nil {
		r.bad = wrong(join(r.at, path), format, args...)
	}
}

func join(at, path string) string {
	if at == "" || path == "" {
		return at + path
	}
	return at + "." + path
}

// decode reads one JSON object. Numbers stay text, so that no id is rounded.
func decode(path string, data []byte) (map[string]any, *FieldError) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, wrong(path, "is not JSON: %s", jsonProblem(err))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, wrong(path, "has text after the JSON value")
	}
	fields, ok := v.(map[string]any)
	if !ok {
		return nil, wrong(path, "is %s, not an object", kindOf(v))
	}
	return fields, nil
}

// jsonProblem says what is wrong without quoting the body.
func jsonProblem(err error) string {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("byte %d does not belong there", syntax.Offset)
	}
	return "it ends too early"
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "text"
	case json.Number:
		return "a number"
	case bool:
		return "true or false"
	case []any:
		return "a list"
	default:
		return "an object"
	}
}

// lookup finds a dotted path in fields that are nested, flattened, or both.
func lookup(fields map[string]any, path string) any {
	if v, ok := fields[path]; ok && !empty(v) {
		return v
	}
	for i := range len(path) {
		if path[i] != '.' {
			continue
		}
		if inner, ok := fields[path[:i]].(map[string]any); ok {
			if v := lookup(inner, path[i+1:]); !empty(v) {
				return v
			}
		}
	}
	return nil
}

func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return strings.TrimSpace(v) == ""
	case []any:
		return len(v) == 0
	default:
		return false
	}
}

// first returns the first of the paths that holds something.
func (r *reader) first(paths ...string) (path string, v any) {
	for _, path := range paths {
		if v := lookup(r.fields, path); v != nil {
			return path, v
		}
	}
	return "", nil
}

// scalar reduces a value to text. Several different values are not a value:
// they are reported in why.
func (r *reader) scalar(path string, v any) (text, why string) {
	switch v := v.(type) {
	case string:
		return strings.TrimSpace(v), ""
	case json.Number:
		return v.String(), ""
	case bool:
		return strconv.FormatBool(v), ""
	case []any:
		for i, item := range v {
			t, reason := r.scalar(path, item)
			if i > 0 && t != text {
				return "", fmt.Sprintf("the alert names %d values", len(v))
			}
			text, why = t, reason
		}
		return text, why
	default:
		r.fail(path, "is %s, not text", kindOf(v))
		return "", "it is no text"
	}
}

func (r *reader) text(paths ...string) incident.Value[string] {
	path, v := r.first(paths...)
	if v == nil {
		return incident.Value[string]{}
	}
	text, why := r.scalar(path, v)
	if text == "" {
		return incident.NotKnown[string](why)
	}
	return incident.Known(text, incident.FromAlert)
}

// integer reads a count, which is never negative.
func (r *reader) integer(paths ...string) incident.Value[int64] {
	path, v := r.first(paths...)
	if v == nil {
		return incident.Value[int64]{}
	}
	text, why := r.scalar(path, v)
	if text == "" {
		return incident.NotKnown[int64](why)
	}
	n, whole, ok := parseInteger(text)
	if !ok {
		r.fail(path, "%s is not a whole number from 0 to %d", quote(text), int64(math.MaxInt64))
		return incident.Value[int64]{}
	}
	if !whole {
		return incident.Known(n, incident.Computed)
	}
	return incident.Known(n, incident.FromAlert)
}

// port reads a port, which is an integer of 16 bits.
func (r *reader) port(paths ...string) incident.Value[int64] {
	v := r.integer(paths...)
	if n, ok := v.Get(); ok && n > math.MaxUint16 {
		path, _ := r.first(paths...)
		r.fail(path, "%d is not a port", n)
	}
	return v
}

func (r *reader) instant(paths ...string) incident.Value[time.Time] {
	path, v := r.first(paths...)
	if v == nil {
		return incident.Value[time.Time]{}
	}
	text, why := r.scalar(path, v)
	if text == "" {
		return incident.NotKnown[time.Time](why)
	}
	t, zoned, ok := parseTime(text)
	if !ok {
		r.fail(path, "%s is not a time: write RFC 3339, or seconds since 1970", quote(text))
		return incident.Value[time.Time]{}
	}
	if !zoned {
		return incident.Known(t, incident.Assumed)
	}
	return incident.Known(t, incident.FromAlert)
}

func (r *reader) duration(paths ...string) incident.Value[time.Duration] {
	path, v := r.first(paths...)
	if v == nil {
		return incident.Value[time.Duration]{}
	}
	text, why := r.scalar(path, v)
	if text == "" {
		return incident.NotKnown[time.Duration](why)
	}
	d, err := incident.ParseDuration(text)
	if n, whole, ok := parseInteger(text); ok && whole && n < math.MaxInt32 {
		d, err = time.Duration(n)*time.Second, nil
	}
	if err != nil || d <= 0 {
		r.fail(path, "%s is not a duration: write 90s, 15m or 4h, or seconds", quote(text))
		return incident.Value[time.Duration]{}
	}
	return incident.Known(d, incident.FromAlert)
}

// addresses reads a list, or a text of addresses with commas or spaces between
// them. Loopback and link-local addresses name no host and are left out.
func (r *reader) addresses(paths ...string) incident.Value[[]string] {
	path, v := r.first(paths...)
	if v == nil {
		return incident.Value[[]string]{}
	}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	var ips []string
	why := "only loopback and link-local addresses"
	for _, item := range list {
		text, reason := r.scalar(path, item)
		if reason != "" {
			why = reason
		}
		for word := range strings.FieldsFuncSeq(text, separator) {
			ip, err := netip.ParseAddr(word)
			switch {
			case err != nil && r.strict:
				r.fail(path, "%s is not an IP address", quote(word))
			case err != nil:
				why = quote(word) + " is not an IP address"
			default:
				ips = appendHost(ips, ip)
			}
		}
	}
	if len(ips) == 0 {
		return incident.NotKnown[[]string](why)
	}
	return incident.Known(ips, incident.FromAlert)
}

// address reads one address, of any scope.
func (r *reader) address(paths ...string) incident.Value[string] {
	path, v := r.first(paths...)
	if v == nil {
		return incident.Value[string]{}
	}
	text, why := r.scalar(path, v)
	ip, err := netip.ParseAddr(text)
	switch {
	case text == "":
		return incident.NotKnown[string](why)
	case err != nil && r.strict:
		r.fail(path, "%s is not an IP address", quote(text))
		return incident.Value[string]{}
	case err != nil:
		return incident.NotKnown[string](quote(text) + " is not an IP address")
	}
	return incident.Known(canonical(ip), incident.FromAlert)
}

func (r *reader) transport(paths ...string) incident.Value[string] {
	v := r.text(paths...)
	text, ok := v.Get()
	if !ok {
		return v
	}
	name, known := transports()[strings.ToLower(text)]
	switch {
	case !known && r.strict:
		path, _ := r.first(paths...)
		r.fail(path, "%s is not udp, tcp or icmp", quote(text))
		return incident.Value[string]{}
	case !known:
		return incident.NotKnown[string](quote(text) + " is not udp, tcp or icmp")
	}
	return incident.Known(name, v.From())
}

func (r *reader) os(paths ...string) incident.Value[string] {
	v := r.text(paths...)
	if text, ok := v.Get(); ok {
		return incident.Known(family(text), v.From())
	}
	return v
}
