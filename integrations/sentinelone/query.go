package sentinelone

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

const (
	lakePath = "/sdl/v2/api/queries"
	// pollEvery is how often a query is looked at: once a second is what the documents
	// recommend. A query that nobody looks at for 30 s is ended.
	pollEvery = time.Second
	// queryWithin bounds a query.
	queryWithin = 2 * time.Minute
	// forwardTag is the header by which the data lake finds a query again: that of its last
	// answer goes with the next call.
	forwardTag = "X-Dataset-Query-Forward-Tag"
	tidyWithin = 10 * time.Second
)

// launch is a query to start. Without tenant or accounts the data lake answers with
// nothing, and does not say so; with accounts tenant must be false.
type launch struct {
	Type     string     `json:"queryType"`
	Tenant   bool       `json:"tenant"`
	Accounts []string   `json:"accountIds,omitempty"`
	Start    string     `json:"startTime"`
	End      string     `json:"endTime"`
	Priority string     `json:"queryPriority"`
	PQ       powerQuery `json:"pq"`
}

type powerQuery struct {
	Query  string `json:"query"`
	Result string `json:"resultType"`
}

// lrq is a query's state, and its result where it has ended.
type lrq struct {
	ID        string `json:"id"`
	Completed int    `json:"stepsCompleted"`
	Total     int    `json:"stepsTotal"`
	OldTotal  int    `json:"totalSteps"`
	Data      *table `json:"data"`
	remarks
	Error *struct {
		Message string `json:"message"`
	} `json:"error"`
	Errors []json.RawMessage `json:"errors"`
}

// table is a result.
type table struct {
	Columns []struct {
		Name string `json:"name"`
	} `json:"columns"`
	Values [][]text `json:"values"`
	Rows   [][]text `json:"data"` // as an older interface of the same language names them
	remarks
}

// remarks say what is wrong with a result. Some answers have them beside the result, some
// in it.
type remarks struct {
	Partial         bool   `json:"partialResultsDueToTimeLimit"`
	Omitted         number `json:"omittedEvents"`
	Discarded       number `json:"discardedArrayItems"`
	Elsewhere       text   `json:"fullResultUrl"`
	Warnings        []text `json:"warnings"`
	Recommendations []text `json:"recommendations"`
}

// why is why the result is known not to be all; empty where it may be. Of warnings and
// recommendations only those count that say so: others are advice to whoever wrote the query.
func (r remarks) why() string {
	switch {
	case r.Partial:
		return "it ran out of time"
	case r.Omitted > 0 || r.Discarded > 0:
		return "it left some out"
	case r.Elsewhere != "":
		return "the rest is elsewhere"
	}
	for _, w := range append(r.Warnings, r.Recommendations...) {
		lower := strings.ToLower(string(w))
		for _, word := range []string{"partial", "incomplete", "limited to", "truncat", "exceed"} {
			if strings.Contains(lower, word) {
				return "it says " + strconv.Quote(httpx.Line(string(w)))
			}
		}
	}
	return ""
}

func (q lrq) steps() int { return max(q.Total, q.OldTotal) }

// row is a row of a result by the names of its columns.
type row map[string]text

// rows are a result's rows, and why they are not all; empty where they may be.
func (q lrq) rows(op string) (found []row, partial string, err error) {
	t := q.Data
	values := t.Values
	if values == nil {
		values = t.Rows
	}
	for _, v := range values {
		if len(v) != len(t.Columns) {
			return nil, "", integrations.Errorf(integrations.Unavailable, op, "a row has %d values for %d columns", len(v), len(t.Columns))
		}
		r := row{}
		for i, column := range t.Columns {
			r[column.Name] = v[i]
		}
		found = append(found, r)
	}
	if partial = q.why(); partial == "" {
		partial = t.why()
	}
	return found, partial, nil
}

// search runs a PowerQuery over the time between two points to its end, within one call.
// The query is ended at the data lake in any case.
func (c *Client) search(ctx context.Context, op, query string, from, to time.Time) ([]row, string, error) {
	ctx, cancel := context.WithTimeout(ctx, queryWithin)
	defer cancel()
	in := launch{
		Type: "PQ", Tenant: len(c.config.Accounts) == 0, Accounts: c.config.Accounts, Priority: "HIGH",
		Start: from.UTC().Format(time.RFC3339), End: to.UTC().Add(time.Second - time.Nanosecond).Format(time.RFC3339),
		PQ: powerQuery{Query: query, Result: "TABLE"},
	}
	tag := ""
	q, err := c.lake(ctx, op, http.MethodPost, lakePath, in, &tag)
	if err != nil {
		return nil, "", err
	}
	if !handle(q.ID) {
		return nil, "", integrations.Errorf(integrations.Unavailable, op, "the data lake started a query without an id")
	}
	path := lakePath + "/" + q.ID
	defer func() { c.end(ctx, op, path, tag) }()
	for seen := 0; ; seen = max(seen, q.Completed) {
		if q.Data != nil && q.steps() > 0 && q.Completed >= q.steps() {
			return q.rows(op)
		}
		if err := httpx.Pause(ctx, op, "SentinelOne", c.poll); err != nil {
			return nil, "", err
		}
		seen = max(seen, q.Completed)
		next, err := c.lake(ctx, op, http.MethodGet, path+"?lastStepSeen="+strconv.Itoa(seen), nil, &tag)
		switch {
		case err != nil && integrations.KindOf(err) == integrations.Throttled:
			// The query goes on: what it has done is not thrown away for that.
			continue
		case err != nil && integrations.KindOf(err) == integrations.NotFound:
			return nil, "", integrations.Errorf(integrations.Unavailable, op, "the data lake has ended the query before its time")
		case err != nil:
			return nil, "", err
		}
		q = next
	}
}

// lake makes a call of the data lake. Tag is the routing header of its last answer, and is
// kept up to date.
func (c *Client) lake(ctx context.Context, op, method, path string, in any, tag *string) (lrq, error) {
	// The same token as for the management API, by another word.
	header := http.Header{"Authorization": {"Bearer " + c.config.Token.Reveal()}}
	if *tag != "" {
		header.Set(forwardTag, *tag)
	}
	var q lrq
	a, err := c.api.JSON(ctx, httpx.Request{Op: op, Method: method, URL: c.base + path, Header: header, Limit: eventCalls}, in, nil)
	if next := a.Header.Get(forwardTag); next != "" {
		*tag = next
	}
	if method == http.MethodDelete {
		return q, err
	}
	if err != nil {
		return q, lakeRefused(method, a, err)
	}
	if err := httpx.Decode(a.Body, &q, "id", "stepsCompleted", "data", "error", "errors"); err != nil {
		return q, integrations.Errorf(integrations.Unavailable, op, "%w", err)
	}
	switch {
	case q.Error != nil:
		return q, integrations.Errorf(integrations.Unavailable, op, "the data lake says %q", httpx.Line(q.Error.Message))
	case len(q.Errors) > 0:
		return q, integrations.Errorf(integrations.Unavailable, op, "the data lake says %q", httpx.Line(string(q.Errors[0])))
	}
	return q, nil
}

// lakeRefused adds to an error what the data lake says of it. That it is not found is said of
// a query only; of its launch it means another server.
func lakeRefused(method string, a httpx.Answer, err error) error {
	e, ok := errors.AsType[*integrations.Error](err)
	if !ok || a.Status == 0 {
		return err
	}
	more := *e
	var said struct {
		Message string `json:"message"`
	}
	if httpx.Decode(a.Body, &said) == nil && said.Message != "" {
		more.Err = fmt.Errorf("%w: the data lake says %q", e.Err, httpx.Line(said.Message))
	}
	if e.Kind == integrations.NotFound && method == http.MethodPost {
		more.Kind, more.Err = integrations.Unavailable, fmt.Errorf("%w: check url", more.Err)
	}
	return &more
}

// end ends a query, also when whoever began it has given up. Nobody has to wait for that,
// and its failure is no loss: the data lake ends idle queries by itself.
func (c *Client) end(ctx context.Context, op, path, tag string) {
	ctx = context.WithoutCancel(ctx)
	c.ending.Go(func() {
		ctx, cancel := context.WithTimeout(ctx, tidyWithin)
		defer cancel()
		_, _ = c.lake(ctx, op, http.MethodDelete, path, nil, &tag)
	})
}
