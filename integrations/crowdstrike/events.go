package crowdstrike

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

const (
	// pageRows is how many rows a search returns at most: Falcon returns 1,500 of a
	// table, however many there are.
	pageRows = 1000
	// maxPages bounds the pages of one question.
	maxPages = 20
	// early and late are how far the time at which the cloud got an event can be from
	// that of the event on the device: clocks differ, and a device that was offline sends
	// its events when it is back.
	early, late = 10 * time.Minute, 24 * time.Hour
)

// question asks for events of one device. Its texts are our own or were checked: none
// is of an alert.
type question struct {
	op     string
	agent  agentID
	events []string
	// stamp is the field with the event's time by the device's clock, in seconds since
	// 1970; the answer is from From on and before To by it, newest first.
	stamp    string
	from, to time.Time
	// since is when the cloud got the first of them, where that can be long after from:
	// a sensor tells again of what ran before it did. Zero: about from.
	since time.Time
	// where are further filters, and fields what is returned, besides the stamp and the
	// event's own id.
	where, fields []string
	// keep reports whether a row counts; nil: each. At most limit that count are
	// returned.
	keep  func(row) bool
	limit int
}

// cql writes the question in Falcon's query language, for rows before a time, or at it.
func (q question) cql(to time.Time, inclusive bool, rows int) string {
	names := make([]string, 0, len(q.events))
	for _, e := range q.events {
		names = append(names, "#event_simpleName="+e)
	}
	before := "<"
	if inclusive {
		before = "<="
	}
	stages := append([]string{
		"(" + strings.Join(names, " OR ") + ")",
		"aid=" + q.agent.hex,
		q.stamp + ">=" + seconds(q.from),
		q.stamp + before + seconds(to),
	}, q.where...)
	fields := append([]string{"id", "aid", q.stamp}, q.fields...)
	stages = append(stages, fmt.Sprintf("table([%s], sortby=%s, order=desc, limit=%d)", strings.Join(fields, ", "), q.stamp, rows))
	return strings.Join(stages, " | ")
}

// anyOf is a filter for a field with one of these values.
func anyOf(field string, values []string) string {
	quoted := make([]string, 0, len(values))
	for _, v := range values {
		quoted = append(quoted, strconv.Quote(v))
	}
	return "in(field=" + field + ", values=[" + strings.Join(quoted, ", ") + "])"
}

// rows returns the rows of a question, page after page until there are enough of those
// that count. Rows of one time are not cut apart: the next page begins with that time
// again, and what was seen is left out.
func (f *Falcon) rows(ctx context.Context, q question) ([]row, error) {
	var found []row
	seen := map[string]bool{}
	to, inclusive := q.to, false
	for range maxPages {
		ask := pageRows
		if q.keep == nil {
			ask = min(pageRows, q.limit+len(seen))
		}
		r, err := f.search(ctx, q.op, job{Query: q.cql(to, inclusive, ask), Start: millis(q.begin()), End: millis(q.to.Add(late))})
		if err != nil {
			return nil, err
		}
		fresh, err := q.fresh(r.Events, seen)
		if err != nil {
			return nil, err
		}
		for _, row := range fresh {
			if q.keep == nil || q.keep(row) {
				found = append(found, row)
			}
		}
		full := len(r.Events) >= ask
		why := r.partial()
		switch {
		case len(found) >= q.limit:
			return found[:q.limit], nil
		case !full && why != "":
			return nil, integrations.Errorf(integrations.Unavailable, q.op, "Falcon returned a part of the events: %s", why)
		case !full:
			return found, nil
		case len(fresh) == 0:
			return nil, integrations.Errorf(integrations.Unavailable, q.op, "more than %d events are of one time", ask)
		}
		for _, r := range fresh {
			if at := when(r[q.stamp]); at.Before(to) {
				to = at
			}
		}
		inclusive = true
	}
	return nil, integrations.Errorf(integrations.Unavailable, q.op, "there are more than %d events: ask for a shorter time", maxPages*pageRows)
}

// begin is when the cloud can have got the first of the events.
func (q question) begin() time.Time {
	if !q.since.IsZero() {
		return q.since
	}
	return q.from.Add(-early)
}

// fresh are the rows of a page that were not seen before. A row of another device, or
// of a time that was not asked for, is not an answer to the question.
func (q question) fresh(page []row, seen map[string]bool) ([]row, error) {
	var fresh []row
	for _, r := range page {
		at := when(r[q.stamp])
		switch {
		case r["aid"] != "" && !strings.EqualFold(string(r["aid"]), q.agent.hex):
			return nil, integrations.Errorf(integrations.Unavailable, q.op, "Falcon returned events of another device")
		case at.Before(q.from) || !at.Before(q.to):
			continue
		}
		key := r.key()
		if !seen[key] {
			seen[key] = true
			fresh = append(fresh, r)
		}
	}
	return fresh, nil
}

// key tells one event from another.
func (r row) key() string {
	if id := r["id"]; id != "" {
		return string(id)
	}
	all, err := json.Marshal(r) // Its keys are sorted.
	if err != nil {
		return ""
	}
	return string(all)
}

// unquote reads a JSON string.
func unquote(data []byte) (string, error) {
	var s string
	err := json.Unmarshal(data, &s)
	return s, err
}

// seconds writes a time as the sensor does: seconds since 1970 with a fraction.
func seconds(t time.Time) string {
	if ns := t.Nanosecond(); ns%1e6 != 0 {
		return fmt.Sprintf("%d.%09d", t.Unix(), ns)
	}
	return fmt.Sprintf("%d.%03d", t.Unix(), t.Nanosecond()/1e6)
}

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// when reads a time of the sensor; the zero time is none.
func when(t text) time.Time {
	whole, fraction, _ := strings.Cut(string(t), ".")
	s, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || s <= 0 || s > 1<<36 {
		return time.Time{}
	}
	fraction = (fraction + "000000000")[:9]
	ns, err := strconv.ParseInt(fraction, 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(s, ns).UTC()
}
