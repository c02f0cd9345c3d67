package defender

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

const (
	// huntingKept is how far back hunting has events.
	huntingKept = 30 * 24 * time.Hour
	// maxRows is how many events are asked for at once. Microsoft returns up to 100,000, or
	// 30,000, as its pages differ.
	maxRows = 5_000
)

// kql is a query of advanced hunting. It is built from the names of tables and columns in
// this package, and from values that were checked: ids, addresses, numbers and times, and
// names of devices that have nothing but letters and digits of ASCII, -, _ and dots. No
// other text of an alert is ever in one.
type kql struct{ strings.Builder }

// events begins a query of one device's events in [from, to).
func events(table string, id machineID, from, to time.Time) *kql {
	return between(table, "DeviceId == \""+string(id)+"\"", from, to)
}

// between begins a query of the events in [from, to) that meet a condition.
func between(table, condition string, from, to time.Time) *kql {
	q := &kql{}
	q.WriteString(table)
	q.where(condition)
	q.where("Timestamp >= " + datetime(from) + " and Timestamp < " + datetime(to))
	return q
}

func (q *kql) where(condition string) *kql {
	q.WriteString("\n| where " + condition)
	return q
}

// top keeps the n newest events.
func (q *kql) top(n int) *kql {
	q.WriteString("\n| top " + strconv.Itoa(n) + " by Timestamp desc")
	return q
}

// join adds the columns of another query's rows with the same value in a column, where
// there are any.
func (q *kql) join(other *kql, column string) *kql {
	q.WriteString("\n| join kind=leftouter (" + other.String() + ") on " + column)
	return q
}

// project ends the query with the columns that are wanted.
func (q *kql) project(columns []string) string {
	q.WriteString("\n| project " + strings.Join(columns, ", "))
	return q.String()
}

// newest ends the query: at most n of the newest events, with these columns.
func (q *kql) newest(n int, columns []string) string { return q.top(n).project(columns) }

// datetime is a time as KQL writes it, in its unit of 100 ns.
func datetime(at time.Time) string {
	return "datetime(" + at.UTC().Format("2006-01-02T15:04:05.0000000Z") + ")"
}

// anyOf is a list for the operator in.
func anyOf[T int | int64 | string](values []T) string {
	parts := make([]string, 0, len(values))
	for _, v := range values {
		switch v := any(v).(type) {
		case string:
			parts = append(parts, `"`+v+`"`)
		default:
			parts = append(parts, fmt.Sprint(v))
		}
	}
	return "(" + strings.Join(parts, ", ") + ")"
}

// spelt are the ways in which hunting may write an address: an IPv4 one within IPv6 too.
func spelt(ip netip.Addr) []string {
	if ip.Is4() {
		return []string{ip.String(), "::ffff:" + ip.String()}
	}
	return []string{ip.String()}
}

// row is one event: its columns, whatever the case of their names.
type row map[string]json.RawMessage

// UnmarshalJSON implements [json.Unmarshaler].
func (r *row) UnmarshalJSON(data []byte) error {
	var columns map[string]json.RawMessage
	if err := json.Unmarshal(data, &columns); err != nil {
		return fmt.Errorf("read an event: %w", err)
	}
	*r = make(row, len(columns))
	for name, value := range columns {
		(*r)[strings.ToLower(name)] = value
	}
	return nil
}

// text is a column's text; empty where it has none.
func (r row) text(column string) string {
	raw := r[strings.ToLower(column)]
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	if t := strings.TrimSpace(string(raw)); t != "null" {
		return t
	}
	return ""
}

// number is a column's whole number, which some answers have as text.
func (r row) number(column string) (int64, bool) {
	n, err := strconv.ParseInt(strings.TrimSpace(r.text(column)), 10, 64)
	return n, err == nil
}

// truth is a column that is true or false, which some answers have as 1 and 0.
func (r row) truth(column string) (value, known bool) {
	switch strings.ToLower(r.text(column)) {
	case "true", "1":
		return true, true
	case "false", "0":
		return false, true
	}
	return false, false
}

func (r row) at(column string) time.Time { return momentOf(r.text(column)) }

// huntingBody is the body of a query. Its name has a capital letter, and matters.
type huntingBody struct{ Query string }

// hunt runs a query.
func (c *Client) hunt(ctx context.Context, op, kql string) ([]row, error) {
	var out struct {
		Results []row `json:"results"`
	}
	asked := call{op: op, method: http.MethodPost, path: "/v1.0/security/runHuntingQuery", limit: huntingCalls, members: []string{"results"}}
	_, err := c.graph.ask(ctx, asked, huntingBody{kql}, &out)
	return out.Results, err
}

// window checks the window and the limit of a query.
func (c *Client) window(op string, from, to time.Time, limit int) error {
	switch {
	case limit <= 0 || !from.Before(to):
		return integrations.Errorf(integrations.Invalid, op, "the query has no time or no limit")
	case c.now().Sub(to) > huntingKept:
		return integrations.Errorf(integrations.Invalid, op, "hunting has the events of 30 days, and %s is longer ago", to.UTC().Format(time.RFC3339))
	}
	return nil
}
