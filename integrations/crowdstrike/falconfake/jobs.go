package falconfake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// unpolled is how long a search lives that nobody asks for.
const unpolled = 90 * time.Second

// job is a search.
type job struct {
	repository string
	query      *query
	text       string
	around     *around
	start, end time.Time
	// asked is when it was last asked for.
	asked     time.Time
	polls     int
	cancelled bool
	result    *rows
	// numeric writes @timestamp as a number. The documents show both.
	numeric bool
}

// around asks for the events next to one.
type around struct {
	EventID string `json:"eventId"`
	Before  int    `json:"numberOfEventsBefore"`
	After   int    `json:"numberOfEventsAfter"`
}

// rows are the result of a search.
type rows struct {
	events []event
	// matched is how many events passed the filters, scanned how many were looked at.
	matched, scanned int
	aggregate, cut   bool
	fields           []string
	warnings         []string
}

// repositories are those that documents name; the sensors' events are in some.
func repositories() map[string]bool {
	return map[string]bool{
		"search-all": true, "investigate_view": true, "xdr": true,
		"third-party": false, "falcon_for_it_view": false, "forensics_view": false,
	}
}

func (d *Double) startSearch(c *call) reply {
	if _, ok := repositories()[c.repository]; !ok {
		return c.refuse(http.StatusForbidden, "access to repository %s denied", c.repository)
	}
	now := d.w.Now()
	j := &job{repository: c.repository, asked: now}
	if err := d.readSearch(c, j); err != nil {
		return c.refuse(http.StatusBadRequest, "%v", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.cancels > 0 {
		d.cancels--
		j.cancelled = true
	}
	id := "P-" + d.nextID()
	j.numeric = len(d.jobs)%2 == 1
	d.jobs[id] = j
	return reply{status: http.StatusOK, body: object{"id": id, "hashedQueryOnView": fmt.Sprintf("%d_hash", len(d.jobs))}}
}

func (d *Double) readSearch(c *call, j *job) error {
	f, err := c.fields()
	if err != nil {
		return err
	}
	var live bool
	var arguments map[string]string
	for name, out := range map[string]any{"queryString": &j.text, "isLive": &live, "arguments": &arguments, "around": &j.around} {
		if err := f.read(name, name == "queryString", out); err != nil {
			return err
		}
	}
	if live {
		d.complain("a live search never ends")
		return fmt.Errorf("the double runs no live searches")
	}
	now := d.w.Now()
	if _, ok := f["start"]; !ok {
		d.complain("the search %q has no start", j.text)
	}
	if j.start, err = searchTime(f["start"], now, now.Add(-24*time.Hour)); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	if j.end, err = searchTime(f["end"], now, now); err != nil {
		return fmt.Errorf("end: %w", err)
	}
	if !j.start.Before(j.end) {
		return fmt.Errorf("start %s is not before end %s", stamp(j.start), stamp(j.end))
	}
	if j.query, err = parseQuery(j.text, arguments); err != nil {
		return err
	}
	d.judge(j.query, j.text)
	// What is wrong with the values of functions shows when they run.
	_, err = d.search(j)
	return err
}

// judge fails the test for queries that no client may send though the product runs
// them.
func (d *Double) judge(q *query, text string) {
	for _, word := range q.loose {
		d.complain("the search %q has %q, which the product looks for in the text of all events", text, word)
	}
	if q.mixed {
		d.complain("the search %q mixes and with or without parentheses: which binds tighter is not documented", text)
	}
	for _, part := range q.unbounded() {
		d.complain("the search %q reads every host in %s", text, part)
	}
}

// job returns one that is alive. The lock must be held.
func (d *Double) job(c *call) *job {
	j := d.jobs[c.job]
	if j == nil || j.repository != c.repository || !d.w.Now().Before(j.asked.Add(unpolled)) {
		return nil
	}
	return j
}

// pollSearch tells how far a search is, with what it has so far: the newest events
// first.
func (d *Double) pollSearch(c *call) reply {
	d.mu.Lock()
	defer d.mu.Unlock()
	j := d.job(c)
	if j == nil {
		return reply{status: http.StatusNotFound}
	}
	j.asked = d.w.Now()
	if j.result == nil {
		r, err := d.search(j)
		if err != nil {
			return c.refuse(http.StatusBadRequest, "%v", err)
		}
		j.result = r
	}
	j.polls++
	done := j.polls > d.o.Polls
	events := j.result.events
	if !done || j.cancelled {
		events = events[:len(events)/2]
	}
	return reply{status: http.StatusOK, body: d.searchBody(j, events, done)}
}

func (d *Double) stopSearch(c *call) reply {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.job(c) == nil {
		return reply{status: http.StatusNotFound, header: unjudged()}
	}
	delete(d.jobs, c.job)
	return reply{status: http.StatusOK}
}

func (d *Double) searchBody(j *job, events []event, done bool) object {
	list := make([]object, 0, len(events))
	for _, e := range events {
		o := object{}
		for k, v := range e {
			o[k] = v
		}
		if _, ok := e["@timestamp"]; ok && j.numeric {
			o["@timestamp"] = e.at()
		}
		list = append(list, o)
	}
	warnings := []object{}
	for _, w := range j.result.warnings {
		warnings = append(warnings, object{"category": "Query", "classification": "Warning", "code": "QueryWarning", "message": w})
	}
	if d.warning != "" {
		warnings = append(warnings, object{"category": "Query", "classification": "Warning", "code": "QueryWarning", "message": d.warning})
	}
	return object{
		"cancelled": j.cancelled && done, "done": done, "events": list, "filesUsed": []any{}, "filterMatches": []any{},
		"queryEventDistribution": object{
			"bucket_first_bucket": millis(j.start), "bucket_last_bucket": millis(j.end),
			"bucket_span_humanized": "1 minute", "bucket_span_millis": "60000",
		},
		"warnings": warnings, "metaData": d.searchMeta(j, len(list), done),
	}
}

func millis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 10) }

// searchMeta is the side of the answer. That a result is cut is told here alone:
// hasMoreEvents, which example answers show and no text explains, and eventCount.
func (d *Double) searchMeta(j *job, shown int, done bool) object {
	spent := object{}
	for _, span := range []string{"oneMinute", "tenMinutes", "hour", "day"} {
		spent[span] = object{"liveCost": 0, "queryCount": 1, "staticCost": 1}
	}
	count, workDone := j.result.matched, 1
	if d.o.CountRows {
		count = shown
	}
	if !done {
		workDone = 0
	}
	return object{
		"eventCount": count, "processedEvents": j.result.scanned, "isAggregate": j.result.aggregate,
		"pollAfter": int(d.o.PollAfter.Milliseconds()), "processedBytes": 512 * j.result.scanned,
		"queryStart": j.start.UnixMilli(), "queryEnd": j.end.UnixMilli(), "queuedMillis": 0, "responderVHost": 1,
		"resultBufferSize": shown, "timeMillis": 12, "totalWork": 1, "workDone": workDone, "warning": "",
		"warnings": append([]string{}, j.result.warnings...), "fieldOrder": append([]string{}, j.result.fields...),
		"extraData":   object{"hasMoreEvents": strconv.FormatBool(j.result.cut)},
		"filterQuery": object{"queryString": j.text, "start": j.start.UnixMilli(), "end": j.end.UnixMilli(), "isLive": false},
		"costs":       object{"liveCost": 0, "liveCostRate": 0, "staticCost": 1, "staticCostRate": 0},
		"digestFlow": object{
			"ingestTimeKnownGood": j.end.UnixMilli(), "maxIngestLatency": 0, "minIngestTimeIncluded": j.start.UnixMilli(),
		},
		"querySpent": spent, "quotaTotalSpent": spent,
	}
}

// searchTime reads a point in time: milliseconds since 1970, as a number or a text,
// "now", or how long before now, such as 30m or 24hours. Other texts are none.
func searchTime(text json.RawMessage, now, fallback time.Time) (time.Time, error) {
	if text == nil {
		return fallback, nil
	}
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		s = string(text)
	}
	return relativeTime(s, now)
}

func relativeTime(s string, now time.Time) (time.Time, error) {
	if s == "now" {
		return now, nil
	}
	unit := strings.TrimLeft(s, "0123456789")
	n, err := strconv.ParseInt(strings.TrimSuffix(s, unit), 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("invalid time %q", s)
	}
	units := []struct {
		names []string
		long  time.Duration
	}{
		{[]string{"ms", "millis", "milliseconds"}, time.Millisecond},
		{[]string{"s", "sec", "secs", "second", "seconds"}, time.Second},
		{[]string{"m", "min", "mins", "minute", "minutes"}, time.Minute},
		{[]string{"h", "hr", "hrs", "hour", "hours"}, time.Hour},
		{[]string{"d", "day", "days"}, 24 * time.Hour},
		{[]string{"w", "week", "weeks"}, 7 * 24 * time.Hour},
	}
	for _, u := range units {
		if slices.Contains(u.names, unit) {
			return now.Add(-time.Duration(n) * u.long), nil
		}
	}
	if unit != "" {
		return time.Time{}, fmt.Errorf("invalid time %q", s)
	}
	return time.UnixMilli(n).UTC(), nil
}
