package sentinelone

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

const (
	// maxRows is how many rows a query returns at most. Without a limit of its own a query
	// returns 1,000, and says so in an advice only.
	maxRows = 5000
	// maxPages bounds the pages of one question.
	maxPages = 10
	// apart is how far the time at which the data lake keeps an event can be from that of
	// the event on the device.
	apart = 10 * time.Minute
)

// The types of events, and the field with the event's time by the device's clock.
const (
	ipConnect     = "IP Connect"
	created       = "Process Creation"
	commandScript = "Command Script"
	eventTime     = "event.time"
)

// question asks for events of one device, from From on and before To, newest first. Its
// texts are our own or were checked: none is of an alert.
type question struct {
	op       string
	agent    uuid
	event    string
	from, to time.Time
	// where are further filters, and fields what is returned.
	where, fields []string
	// keep reports whether a row counts; nil: each. At most limit that count are returned.
	keep  func(row) bool
	limit int
}

// powerQuery writes the question for rows before a time, or at it.
func (q question) powerQuery(to time.Time, inclusive bool, rows int) string {
	before := " < "
	if inclusive {
		before = " <= "
	}
	terms := append([]string{
		"dataSource.name = 'SentinelOne'", "event.type = '" + q.event + "'", "agent.uuid = '" + q.agent.text + "'",
		eventTime + " >= " + millis(q.from), eventTime + before + millis(to),
	}, q.where...)
	fields := append([]string{"event.id", "agent.uuid", eventTime}, q.fields...)
	return strings.Join(terms, " and ") + " | sort -" + eventTime + " | limit " + strconv.Itoa(rows) + " | columns " + strings.Join(fields, ", ")
}

// anyOf is a filter for a field with one of these numbers or texts, as they stand in a query.
func anyOf(field string, values []string) string {
	return field + " in (" + strings.Join(values, ", ") + ")"
}

// events returns the rows of a question, page after page until there are enough of those
// that count. Rows of one time are not cut apart: the next page begins with that time again,
// and what was seen is left out.
func (c *Client) events(ctx context.Context, q question) ([]row, error) {
	var found []row
	seen := map[string]bool{}
	to, inclusive := ceil(q.to), false
	for range maxPages {
		ask := maxRows
		if q.keep == nil {
			ask = min(maxRows, q.limit+len(seen))
		}
		page, partial, err := c.search(ctx, q.op, q.powerQuery(to, inclusive, ask), q.from.Add(-apart), q.to.Add(apart))
		if err != nil {
			return nil, err
		}
		if partial != "" {
			return nil, integrations.Errorf(integrations.Unavailable, q.op, "the data lake returned a part of the events: %s", partial)
		}
		fresh, err := q.fresh(page, seen)
		if err != nil {
			return nil, err
		}
		for _, r := range fresh {
			if at := when(r[eventTime]); at.Before(to) {
				to = at
			}
			if q.keep == nil || q.keep(r) {
				found = append(found, r)
			}
		}
		switch {
		case len(found) >= q.limit:
			return found[:q.limit], nil
		case len(page) < ask:
			return found, nil
		case len(fresh) == 0:
			return nil, integrations.Errorf(integrations.Unavailable, q.op, "more than %d events are of one time", ask)
		}
		inclusive = true
	}
	return nil, integrations.Errorf(integrations.Unavailable, q.op, "there are more than %d events: ask for a shorter time", maxPages*maxRows)
}

// fresh are the rows of a page that were not seen before. A row of another device, or of a
// time that was not asked for, is not an answer to the question.
func (q question) fresh(page []row, seen map[string]bool) ([]row, error) {
	var fresh []row
	for _, r := range page {
		at := when(r[eventTime])
		switch {
		case r["agent.uuid"] != "" && !q.agent.same(string(r["agent.uuid"])):
			return nil, integrations.Errorf(integrations.Unavailable, q.op, "the data lake returned events of another device")
		case at.IsZero():
			return nil, integrations.Errorf(integrations.Unavailable, q.op, "an event has the time %q", httpx.Line(string(r[eventTime])))
		}
		key := r.key()
		if seen[key] {
			continue
		}
		seen[key] = true
		if !at.Before(q.from) && at.Before(q.to) {
			fresh = append(fresh, r)
		}
	}
	return fresh, nil
}

// key tells one event from another. That event.id alone does is not documented.
func (r row) key() string {
	all, err := json.Marshal(r) // Its keys are sorted.
	if err != nil {
		return ""
	}
	return string(all)
}

// millis writes a time as events have it.
func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// ceil is the next whole millisecond, where a time is none.
func ceil(t time.Time) time.Time {
	if whole := t.Truncate(time.Millisecond); !whole.Equal(t) {
		return whole.Add(time.Millisecond)
	}
	return t
}

// eventsOf reads the device's name among the events.
func (c *Client) eventsOf(ctx context.Context, op string, id agentID) (uuid, error) {
	a, err := c.agent(ctx, op, id)
	if err != nil {
		return uuid{}, err
	}
	u, ok := parseUUID(a.UUID)
	if !ok {
		return uuid{}, integrations.Errorf(integrations.Unavailable, op, "SentinelOne gives the device the uuid %q: its events cannot be asked for", httpx.Line(a.UUID))
	}
	return u, nil
}

// bounds checks the time and the limit of a query.
func bounds(op string, from, to time.Time, limit int) error {
	if limit <= 0 || limit > maxPages*maxRows || !from.Before(to) {
		return integrations.Errorf(integrations.Invalid, op, "the query has no time, or its limit is not between 1 and %d", maxPages*maxRows)
	}
	return nil
}

func numbers(of []int64) []string {
	texts := make([]string, 0, len(of))
	for _, n := range of {
		texts = append(texts, strconv.FormatInt(n, 10))
	}
	return once(texts)
}

// quoted is a text in a query. Only texts without quotes and backslashes are.
func quoted(text string) string { return fmt.Sprintf("'%s'", text) }
