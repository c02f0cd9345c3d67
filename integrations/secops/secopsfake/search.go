package secopsfake

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// largestPage is what pages are capped at; it is documented of the same operation for curated
// rules, as is the size of a page that nobody chose.
const (
	largestPage = 1000
	usualPage   = 100
)

// question is what a list asks.
type question struct {
	rule, state string
	start, end  time.Time
	created     bool
	size        int
	after       string // the id, or the position, after which the page begins
}

// search answers a list. The query is taken as camelCase; the older spelling with _ is what
// no page of this version has.
func (d *Double) search(query url.Values, text string) (map[string]any, *refusal) {
	q, refused := ask(query)
	if refused != nil {
		return nil, refused
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.queries = append(d.queries, text)
	found := d.found(q)
	at := 0
	if q.after != "" && d.o.Positions {
		at, _ = strconv.Atoi(q.after)
		at = min(at, len(found))
	} else if q.after != "" {
		at = slices.IndexFunc(found, func(e entry) bool { return e.id == q.after }) + 1
	}
	end := min(at+min(q.size, cmp.Or(d.o.MaxPage, largestPage)), len(found))
	body := map[string]any{}
	list, truncated := d.bounded(found[at:end])
	// An empty list is left out, as all empty members are.
	if len(list) > 0 {
		body["detections"] = list
	}
	if truncated {
		body["respTooLargeDetectionsTruncated"] = true
	}
	switch {
	case d.looping:
		body["nextPageToken"] = token(query, cmp.Or(q.after, "0"))
	case end < len(found) && d.o.Positions:
		body["nextPageToken"] = token(query, strconv.Itoa(end))
	case end < len(found):
		body["nextPageToken"] = token(query, found[end-1].id)
	}
	return body, nil
}

// found are the detections that a question asks for, in the order of lists. The caller holds
// the lock.
func (d *Double) found(q question) []entry {
	now := d.o.Now()
	var found []entry
	for _, e := range d.entries {
		at := e.detected
		if q.created {
			at = e.created
		}
		switch {
		case e.visible.After(now), e.created.After(now),
			!q.start.IsZero() && at.Before(q.start), !q.end.IsZero() && !at.Before(q.end),
			q.state != "" && e.state != q.state, !d.asked(q.rule, e):
		default:
			found = append(found, e)
		}
	}
	slices.SortStableFunc(found, func(a, b entry) int {
		if d.o.Unordered {
			return cmp.Compare(reversed(a.id), reversed(b.id))
		}
		x, y := a.detected, b.detected
		if q.created {
			x, y = a.created, b.created
		}
		return cmp.Or(y.Compare(x), cmp.Compare(a.id, b.id))
	})
	return found
}

func reversed(s string) string {
	b := []byte(s)
	slices.Reverse(b)
	return string(b)
}

// asked reports whether a rule as it is named is the one of a detection. A rule alone is its
// latest revision; both wildcards are taken, since Google's pages show the one and the other.
func (d *Double) asked(rule string, e entry) bool {
	if rule == "-" || rule == "*" {
		return true
	}
	id, revision, named := strings.Cut(rule, "@")
	switch {
	case id != e.rule:
		return false
	case revision == "-" || revision == "*":
		return true
	case named:
		return e.version == rule
	}
	return e.version == d.revision[e.rule]
}

// bounded are the detections of a page that are within the bound of its size.
func (d *Double) bounded(page []entry) (list []json.RawMessage, truncated bool) {
	total := 0
	for _, e := range page {
		total += len(e.body)
		if d.o.MaxBytes > 0 && total > d.o.MaxBytes {
			return list, true
		}
		list = append(list, e.body)
	}
	return list, false
}

// token names the page after what was listed last, and the question that it is a page of.
func token(query url.Values, after string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(rest(query) + "\n" + after))
}

// rest is a question without its page.
func rest(query url.Values) string {
	q := url.Values{}
	for name, values := range query {
		if name != "pageToken" {
			q[name] = values
		}
	}
	return q.Encode()
}

// ask reads the parameters of a list.
func ask(query url.Values) (question, *refusal) {
	bad := func(format string, args ...any) (question, *refusal) {
		return question{}, refuse(http.StatusBadRequest, "INVALID_ARGUMENT", format, args...)
	}
	q := question{rule: query.Get("ruleId"), size: usualPage}
	known := []string{"ruleId", "alertState", "startTime", "endTime", "listBasis", "pageSize", "pageToken", "alt"}
	for name := range query {
		if !slices.Contains(known, name) {
			return bad("Invalid JSON payload received. Unknown name %q: Cannot bind query parameter.", name)
		}
	}
	if q.rule == "" {
		return bad("rule_id is required")
	}
	var err error
	for name, into := range map[string]*time.Time{"startTime": &q.start, "endTime": &q.end} {
		if !query.Has(name) {
			continue
		}
		if *into, err = time.Parse(time.RFC3339Nano, query.Get(name)); err != nil {
			return bad("Invalid value at '%s' (type.googleapis.com/google.protobuf.Timestamp)", name)
		}
	}
	if !q.start.IsZero() && !q.end.IsZero() && !q.start.Before(q.end) {
		return bad("start_time must be before end_time")
	}
	switch query.Get("listBasis") {
	case "CREATED_TIME":
		q.created = true
	case "", "LIST_BASIS_UNSPECIFIED", "DETECTION_TIME":
	default:
		return bad("Invalid value at 'list_basis'")
	}
	switch state := query.Get("alertState"); state {
	case "ALERTING", "NOT_ALERTING":
		q.state = state
	case "", "UNSPECIFIED":
	default:
		return bad("Invalid value at 'alert_state'")
	}
	if size := query.Get("pageSize"); size != "" {
		n, err := strconv.Atoi(size)
		if err != nil || n < 0 {
			return bad("Invalid value at 'page_size'")
		}
		q.size = min(cmp.Or(n, usualPage), largestPage)
	}
	return q.page(query)
}

// page reads the page token: all else must be as it was with the page before.
func (q question) page(query url.Values) (question, *refusal) {
	if !query.Has("pageToken") || query.Get("pageToken") == "" {
		return q, nil
	}
	text, err := base64.RawURLEncoding.DecodeString(query.Get("pageToken"))
	of, after, ok := strings.Cut(string(text), "\n")
	if err != nil || !ok || of != rest(query) {
		return question{}, refuse(http.StatusBadRequest, "INVALID_ARGUMENT", "page_token is invalid, or another parameter than with the page before")
	}
	q.after = after
	return q, nil
}
