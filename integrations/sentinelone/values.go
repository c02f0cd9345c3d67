package sentinelone

import (
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// number is a number that may also be written as a text; what is none is 0.
type number int64

// UnmarshalJSON implements [json.Unmarshaler].
func (n *number) UnmarshalJSON(data []byte) error {
	v, _ := strconv.ParseInt(string(textOf(data)), 10, 64)
	*n = number(v)
	return nil
}

// text is a value as text, also where it is a number or a truth. Null is empty.
type text string

// UnmarshalJSON implements [json.Unmarshaler].
func (t *text) UnmarshalJSON(data []byte) error {
	*t = textOf(data)
	return nil
}

func textOf(data []byte) text {
	raw := string(data)
	var s string
	switch {
	case raw == "null":
		return ""
	case json.Unmarshal(data, &s) == nil:
		return text(s)
	}
	// A large whole number may come as 1.724151854609E12.
	if f, err := strconv.ParseFloat(raw, 64); err == nil && strings.ContainsAny(raw, ".eE") && f == math.Trunc(f) && math.Abs(f) < 1<<53 {
		return text(strconv.FormatInt(int64(f), 10))
	}
	return text(raw)
}

// when reads a time of an event: milliseconds since 1970, or nanoseconds, or as ISO 8601.
// The zero time is none.
func when(t text) time.Time {
	if at, err := time.Parse(time.RFC3339, string(t)); err == nil {
		return at.UTC()
	}
	n, err := strconv.ParseInt(string(t), 10, 64)
	switch {
	case err != nil || n <= 0:
		return time.Time{}
	case n > 1e17:
		return time.Unix(0, n).UTC()
	}
	return time.UnixMilli(n).UTC()
}

// unheard is a value of which SentinelOne says a word that is not known, or none.
func unheard[T any](word string) incident.Value[T] {
	if word == "" {
		return incident.NotKnown[T]("SentinelOne does not say")
	}
	return incident.NotKnown[T](fmt.Sprintf("SentinelOne says %q", httpx.Line(word)))
}

// said is a text that SentinelOne gives.
func said(text string) incident.Value[string] {
	if text == "" {
		return unheard[string]("")
	}
	return incident.Known(text, incident.FromEDR)
}

// told is a text of an event, or unknown: what is missing there, the agent does not tell.
func told(value text, what string) incident.Value[string] {
	if value == "" {
		return incident.NotKnown[string]("the agent does not tell " + what)
	}
	return incident.Known(string(value), incident.FromEDR)
}

// canonical are the addresses among texts, each once, in their order. Those of a link are
// left out: every link has them.
func canonical(texts ...string) []string {
	var found []string
	for _, text := range texts {
		a, err := netip.ParseAddr(strings.TrimSpace(text))
		if err != nil || a.IsUnspecified() || a.IsLinkLocalUnicast() || a.IsLoopback() {
			continue
		}
		if s := a.Unmap().WithZone("").String(); !slices.Contains(found, s) {
			found = append(found, s)
		}
	}
	return found
}

// base is the last part of a path.
func base(path string) string { return path[strings.LastIndexAny(path, `\/`)+1:] }

// sha256Of is a digest in small letters; empty where there is none.
func sha256Of(t text) text {
	if len(t) != 64 || strings.Trim(string(t), "0") == "" {
		return ""
	}
	return text(strings.ToLower(string(t)))
}
