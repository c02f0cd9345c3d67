package loganalytics

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
)

type (
	// body is the body of a query.
	body struct {
		Query    string `json:"query"`
		Timespan string `json:"timespan"`
	}
	// answer is the answer to one. Error is set, too, where the tables are a part of it.
	answer struct {
		Tables []table    `json:"tables"`
		Error  *complaint `json:"error"`
	}
	table struct {
		Name    string `json:"name"`
		Columns []struct {
			Name string `json:"name"`
			Type string `json:"type"`
		} `json:"columns"`
		Rows [][]json.RawMessage `json:"rows"`
	}
	complaint struct {
		Code    string      `json:"code"`
		Message string      `json:"message"`
		Inner   *complaint  `json:"innererror"`
		Details []complaint `json:"details"`
	}
)

// tooLarge is in the text of an answer that was cut at the service's bounds.
const tooLarge = "E_QUERY_RESULT_SET_TOO_LARGE"

// primary is the name of the table with the result.
const primary = "PrimaryResult"

// ask runs a query whose records are stamped in [first, last). Answers are not to come from
// the service's cache, which keeps them for two minutes. A part of an answer is an error.
//
// https://learn.microsoft.com/azure/azure-monitor/logs/api/request-format
func (s *Store) ask(ctx context.Context, op, query string, first, last time.Time) ([]row, error) {
	h := http.Header{}
	h.Set("Cache-Control", "no-cache")
	h.Set("Prefer", "wait="+strconv.Itoa(int(math.Ceil(s.config.Timeout.Seconds()))))
	in := body{Query: query, Timespan: moment(first) + "/" + moment(last)}
	var out answer
	r := httpx.Request{Op: op, Method: http.MethodPost, URL: s.query, Header: h, Tokens: s.tokens, Members: []string{"tables"}}
	a, err := s.client.JSON(ctx, r, in, &out)
	if s.stale(ctx, a) {
		a, err = s.client.JSON(ctx, r, in, &out)
	}
	switch {
	case a.Status == http.StatusNoContent:
		// The workspace has no data at all.
		return nil, nil
	case err != nil:
		return nil, refused(op, a, err)
	case out.Error != nil:
		return nil, out.Error.partial(op)
	}
	for i := range out.Tables {
		if out.Tables[i].Name == primary {
			return out.Tables[i].read(op)
		}
	}
	return nil, integrations.Errorf(integrations.Unavailable, op, "the answer has no table %s", primary)
}

// stale reports whether the service refused the token itself, which was dropped then: a new
// one may be taken. It says so with 403, by which others mean what the application may do.
//
// https://learn.microsoft.com/azure/azure-monitor/logs/api/timeouts#common-api-errors
func (s *Store) stale(ctx context.Context, a httpx.Answer) bool {
	var said answer
	if a.Status != http.StatusForbidden || httpx.Decode(a.Body, &said) != nil || said.Error == nil || said.Error.Code != "InvalidAuthenticationToken" {
		return false
	}
	token, err := s.tokens.Get(ctx)
	return err == nil && s.tokens.Drop(token)
}

// moment is a time in ISO 8601, as timespan takes it.
func moment(at time.Time) string { return at.UTC().Format("2006-01-02T15:04:05.0000000Z") }

// all are the complaint and those that it consists of.
func (c *complaint) all() []complaint {
	if c == nil {
		return nil
	}
	list := []complaint{*c}
	for inner := c.Inner; inner != nil && len(list) < 10; inner = inner.Inner {
		list = append(list, *inner)
	}
	for i := range c.Details {
		if len(list) < 20 {
			list = append(list, c.Details[i].all()...)
		}
	}
	return list
}

func (c *complaint) cut() bool {
	for _, one := range c.all() {
		if strings.Contains(one.Message, tooLarge) || strings.Contains(one.Code, tooLarge) {
			return true
		}
	}
	return false
}

// String is what is said, from the outermost to the innermost.
func (c *complaint) String() string {
	var said []string
	for _, one := range c.all() {
		if one.Code != "" {
			said = append(said, httpx.Quote(one.Code))
		}
	}
	all := c.all()
	if last := all[len(all)-1]; last.Message != "" {
		said = append(said, httpx.Quote(last.Message))
	}
	return strings.Join(said, ": ")
}

// partial is the error of an answer that came in part.
func (c *complaint) partial(op string) error {
	if c.cut() {
		return integrations.Errorf(integrations.Invalid, op, "the answer is larger than the service returns, and has a part only: ask for a shorter time: %s", c)
	}
	return integrations.Errorf(integrations.Unavailable, op, "the answer has a part only: %s", c)
}

// refused adds what the service says to a refusal.
func refused(op string, a httpx.Answer, err error) error {
	e, ok := errors.AsType[*integrations.Error](err)
	if !ok || a.Status < 400 {
		return err
	}
	var out answer
	if httpx.Decode(a.Body, &out) != nil || out.Error == nil || out.Error.Code == "" {
		return err
	}
	more := *e
	more.Err = fmt.Errorf("%w: %s", e.Err, out.Error)
	switch {
	case out.Error.cut():
		more.Kind = integrations.Invalid
	case e.Kind == integrations.NotFound:
		// The workspace, or the path, and not the host that is asked about.
		more.Kind = integrations.Unavailable
		more.Err = fmt.Errorf("%w: check workspace and url", more.Err)
	}
	return &more
}

// row is one row of a result: its values by the names of their columns.
type row map[string]json.RawMessage

// read reads the rows of a table.
func (t *table) read(op string) ([]row, error) {
	rows := make([]row, 0, len(t.Rows))
	for _, values := range t.Rows {
		if len(values) != len(t.Columns) {
			return nil, integrations.Errorf(integrations.Unavailable, op, "a row has %d values, and there are %d columns", len(values), len(t.Columns))
		}
		r := make(row, len(values))
		for i, c := range t.Columns {
			r[c.Name] = values[i]
		}
		rows = append(rows, r)
	}
	return rows, nil
}

// reader reads the values of a row, and keeps what is wrong with the first that cannot be
// read: what is left out is missing from an answer.
type reader struct {
	row
	err error
}

func (r *reader) fail(column, what string) {
	if r.err == nil {
		r.err = fmt.Errorf("column %s of a row is %s: %s", column, what, httpx.Quote(string(r.row[column])))
	}
}

// text is a column's text; empty where it is null.
func (r *reader) text(column string) string {
	raw, ok := r.row[column]
	var s *string
	switch {
	case !ok:
		r.fail(column, "missing")
	case json.Unmarshal(raw, &s) != nil:
		r.fail(column, "no text")
	case s != nil:
		return *s
	}
	return ""
}

// float is a column's number. Null, and what is not a number, are 0 only where a sum has no
// rows; they are an error here.
func (r *reader) float(column string) float64 {
	raw, ok := r.row[column]
	f, err := strconv.ParseFloat(strings.Trim(string(raw), `"`), 64)
	if !ok || err != nil || math.IsNaN(f) || math.IsInf(f, 0) {
		r.fail(column, "no number")
		return 0
	}
	return f
}

// whole is a column's whole number.
func (r *reader) whole(column string) int64 {
	f := r.float(column)
	if f != math.Trunc(f) || math.Abs(f) > 1<<62 {
		r.fail(column, "no whole number")
		return 0
	}
	return int64(f)
}

// port is a column's port; a number that is none is 0.
func (r *reader) port(column string) uint16 {
	n := r.whole(column)
	if n < 0 || n > math.MaxUint16 {
		return 0
	}
	return uint16(n)
}

// truth is a column that is 1 or 0.
func (r *reader) truth(column string) bool { return r.whole(column) > 0 }

// at is a column's time.
func (r *reader) at(column string) time.Time {
	at, err := time.Parse(time.RFC3339Nano, r.text(column))
	if err != nil {
		r.fail(column, "no time")
		return time.Time{}
	}
	return at.UTC()
}
