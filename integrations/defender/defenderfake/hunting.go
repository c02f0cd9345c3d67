package defenderfake

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest/kql"
)

const (
	huntingDays = 30 * 24 * time.Hour
	maxRows     = 100_000
)

// Graph serves the hunting of Microsoft Graph.
func (d *Double) Graph() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.before(r)
		if r.Method != http.MethodPost || r.URL.Path != "/v1.0/security/runHuntingQuery" {
			d.denyGraph(w, refuse(http.StatusBadRequest, "BadRequest", "Resource not found for the segment '%s'.", r.URL.Path))
			return
		}
		if refused := d.hunt(w, r); refused != nil {
			d.denyGraph(w, refused)
		}
	})
}

func (d *Double) hunt(w http.ResponseWriter, r *http.Request) *refusal {
	if refused := d.mayHunt(r); refused != nil {
		return refused
	}
	query, timespan, refused := huntingRequest(r)
	if refused != nil {
		return refused
	}
	now := d.world.Now()
	from, to, ok := window30(timespan, now)
	if !ok {
		return refuse(http.StatusBadRequest, "BadRequest", "Invalid Timespan.")
	}
	a := &archive{d: d, from: from, to: to, bounded: timespan != ""}
	result, err := kql.Run(query, kql.Source{Now: now, Columns: columnsOf, Rows: a.rows})
	var refusal *kql.Error
	if errors.As(err, &refusal) {
		kind := "semantic"
		if refusal.Syntax {
			kind = "syntax"
		}
		return refuse(http.StatusBadRequest, "BadRequest", "%s. Fix %s errors in your query.", strings.TrimSuffix(refusal.Message, "."), kind)
	}
	// Whether an answer that was cut says so is not documented: it does not.
	result.Rows = result.Rows[:min(len(result.Rows), or(d.o.MaxRows, maxRows))]
	d.writeResult(w, result)
	return nil
}

// mayHunt checks the token, its role and the quotas of the tenant.
func (d *Double) mayHunt(r *http.Request) *refusal {
	c, reason := d.bearer(r, graphResource)
	if reason != "" {
		return refuse(http.StatusUnauthorized, "InvalidAuthenticationToken", "%s", reason)
	}
	allowed := false
	for _, role := range c.Roles {
		allowed = allowed || role == huntingRead
	}
	// The pages give this text for calls without the permission, and none for tenants
	// without the licence.
	if !allowed || d.o.Plan == Business || d.o.Plan == Plan1 {
		return refuse(http.StatusForbidden, "Forbidden", "Auth token does not contain valid permissions or user does not have valid roles.")
	}
	if refused := d.limit("hunting", or(d.o.HuntingPerMinute, huntingPerMinute), math.MaxInt); refused != nil {
		return refused
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if wait := d.spent.Sub(d.world.Now()); wait > 0 {
		refused := refuse(http.StatusTooManyRequests, "TooManyRequests", "The tenant has reached 100%% of the allocated resources.")
		refused.after = wait
		return refused
	}
	if len(d.failures) > 0 {
		status := d.failures[0]
		d.failures = d.failures[1:]
		return refuse(status, "UnknownError", "")
	}
	return nil
}

// huntingRequest reads a query. The pages spell the parameters Query and Timespan,
// the metadata query and timespan.
func huntingRequest(r *http.Request) (query, timespan string, refused *refusal) {
	body, refused := decode(r, "Query", "query", "Timespan", "timespan")
	if refused != nil {
		refused.code = "BadRequest"
		return "", "", refused
	}
	texts := map[string]string{}
	for key, v := range body {
		s, ok := v.(string)
		if !ok && v != nil || texts[strings.ToLower(key)] != "" {
			return "", "", refuse(http.StatusBadRequest, "BadRequest", "Invalid value for parameter %s.", key)
		}
		texts[strings.ToLower(key)] = s
	}
	if texts["query"] == "" {
		return "", "", refuse(http.StatusBadRequest, "BadRequest", "The query is empty.")
	}
	query = texts["query"]
	// Characters outside of ASCII arrive only where the charset is said.
	if !strings.Contains(strings.ToLower(r.Header.Get("Content-Type")), "charset=utf-8") {
		query = strings.Map(func(r rune) rune {
			if r > 127 {
				return '?'
			}
			return r
		}, query)
	}
	return query, texts["timespan"], nil
}

// window30 is the time that a Timespan leaves: dates and durations in the forms
// that the page lists, within the last 30 days.
func window30(timespan string, now time.Time) (from, to time.Time, ok bool) {
	from, to = now.Add(-huntingDays), now
	first, second, two := strings.Cut(timespan, "/")
	start, isStart := date(first)
	lasting, isLasting := duration(first)
	switch {
	case timespan == "":
		return from, to, true
	case !two && isStart:
		from = later(from, start)
	case !two && isLasting:
		from = later(from, now.Add(-lasting))
	case two && isLasting:
		end, isEnd := date(second)
		if !isEnd {
			return from, to, false
		}
		from, to = later(from, end.Add(-lasting)), end
	case two && isStart:
		end, isEnd := date(second)
		if length, isLength := duration(second); isLength {
			end, isEnd = start.Add(length), true
		}
		if !isEnd {
			return from, to, false
		}
		from, to = later(from, start), end
	default:
		return from, to, false
	}
	return from, to, true
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func date(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

var isoDuration = regexp.MustCompile(`^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$`)

// duration reads a duration of ISO 8601 in weeks, days, hours, minutes and seconds.
func duration(s string) (time.Duration, bool) {
	m := isoDuration.FindStringSubmatch(s)
	if m == nil || strings.HasSuffix(s, "T") || s == "P" {
		return 0, false
	}
	var sum time.Duration
	for i, each := range []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second} {
		if m[i+1] == "" {
			continue
		}
		n, err := strconv.Atoi(m[i+1])
		if err != nil || n > 100_000 {
			return 0, false
		}
		sum += time.Duration(n) * each
	}
	return sum, true
}

// typeName is how results name a type.
func typeName(t kql.Type) string {
	return map[kql.Type]string{
		kql.String: "String", kql.Int: "Int32", kql.Long: "Int64", kql.Real: "Double", kql.Bool: "Boolean",
		kql.Datetime: "DateTime", kql.Timespan: "TimeSpan", kql.Dynamic: "Object",
	}[t]
}

func (d *Double) writeResult(w http.ResponseWriter, t kql.Table) {
	name, kind := "name", "type"
	if d.o.UpperSchema {
		name, kind = "Name", "Type"
	}
	schema := []map[string]string{}
	for _, c := range t.Columns {
		schema = append(schema, map[string]string{name: c.Name, kind: typeName(c.Type)})
	}
	results := []map[string]any{}
	for _, row := range t.Rows {
		result := map[string]any{}
		for i, c := range t.Columns {
			result[c.Name] = encoded(row[i])
		}
		results = append(results, result)
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#microsoft.graph.security.huntingQueryResults",
		"schema":         schema, "results": results,
	})
}

// encoded writes a value as results do.
func encoded(v any) any {
	switch v := v.(type) {
	case time.Time:
		return kql.FormatTime(v)
	case time.Duration:
		return kql.FormatSpan(v)
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = encoded(v[i])
		}
		return out
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return json.RawMessage("null")
		}
	}
	return v
}
