package wazuhfake

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"
)

// sortValue is what an alert is sorted by in a field: a time is in milliseconds.
func sortValue(a alert, field string) any {
	v, found := at(a.source, field)
	switch {
	case field == "_id":
		return a.id
	case isTime(field):
		return a.at.UnixMilli()
	case !found:
		return nil
	}
	return v
}

func isTime(field string) bool { return field == "timestamp" || field == "@timestamp" }

func sortValues(a alert, keys []sortKey) []any {
	values := make([]any, 0, len(keys))
	for _, k := range keys {
		values = append(values, sortValue(a, k.field))
	}
	return values
}

// compareHit orders the values of an alert against others. Text is ordered as text,
// also where it holds a number.
func compareHit(a alert, keys []sortKey, others []any) int {
	for i, k := range keys {
		have, other := sortValue(a, k.field), others[i]
		n := 0
		if isTime(k.field) || k.field == "rule.level" {
			n = compare(fmt.Sprint(have), number64(other))
		} else {
			n = strings.Compare(fmt.Sprint(have), fmt.Sprint(other))
		}
		if k.descending {
			n = -n
		}
		if n != 0 {
			return n
		}
	}
	return 0
}

// number64 is a number of JSON as text.
func number64(v any) string {
	if n, is := v.(float64); is {
		return fmt.Sprintf("%.0f", n)
	}
	return fmt.Sprint(v)
}

func sortHits(found []alert, keys []sortKey) {
	slices.SortStableFunc(found, func(a, b alert) int { return compareHit(a, keys, sortValues(b, keys)) })
}

// afterHit drops what comes before the values of a hit, and that hit itself.
func afterHit(found []alert, req request) []alert {
	if req.after == nil {
		return found
	}
	return slices.DeleteFunc(found, func(a alert) bool { return compareHit(a, req.sort, req.after) <= 0 })
}

// sourceOf is the document with the members that were asked for: true, false, a
// name, names, or an object of those to include. A name can hold stars.
func sourceOf(source document, asked json.RawMessage) any {
	var wanted []string
	var one string
	var choice struct{ Includes, Excludes []string }
	switch {
	case len(asked) == 0 || string(asked) == "true":
		return source
	case string(asked) == "false":
		return document{}
	case json.Unmarshal(asked, &one) == nil:
		wanted = []string{one}
	case json.Unmarshal(asked, &wanted) == nil:
	case json.Unmarshal(asked, &choice) == nil:
		wanted = choice.Includes
	}
	return chosen(source, "", wanted)
}

func chosen(source document, prefix string, wanted []string) document {
	out := document{}
	for name, v := range source {
		full := prefix + name
		matches := slices.ContainsFunc(wanted, func(w string) bool {
			ok, err := path.Match(w, full)
			return err == nil && ok || strings.HasPrefix(full+".", w+".")
		})
		if matches {
			out[name] = v
			continue
		}
		if inner, is := v.(document); is {
			if kept := chosen(inner, full+".", wanted); len(kept) > 0 {
				out[name] = kept
			}
		}
	}
	return out
}

// momentOf reads a time of a query: in ISO form, in milliseconds, or as a span
// before now.
func momentOf(v any, now time.Time) (time.Time, error) {
	switch v := v.(type) {
	case float64:
		return time.UnixMilli(int64(v)).UTC(), nil
	case string:
		if span, relative := strings.CutPrefix(v, "now"); relative {
			if span == "" {
				return now, nil
			}
			if days, is := strings.CutSuffix(span, "d"); is {
				before, err := time.ParseDuration(days + "h")
				return now.Add(24 * before), err
			}
			before, err := time.ParseDuration(span)
			return now.Add(before), err
		}
		for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.000-0700", "2006-01-02"} {
			if t, err := time.Parse(layout, v); err == nil {
				return t, nil
			}
		}
	}
	return time.Time{}, parsing("failed to parse date field [%v] with format [strict_date_optional_time||epoch_millis]", v)
}
