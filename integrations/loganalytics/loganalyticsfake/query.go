package loganalyticsfake

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/apispec"
	"github.com/stanch-soar/stanch/integrations/edrtest/kql"
)

// serve runs a query and writes what comes of it, or returns why it does not.
func (d *Double) serve(w http.ResponseWriter, q request, f Fault) *refusal {
	now := d.o.Now().UTC()
	var span kql.Bounds
	for _, text := range q.timespans {
		from, to, ok := timespan(text, now)
		if !ok {
			return invalid([2]string{"ValidationError", "The timespan '" + text + "' is not valid."})
		}
		span = narrow(span, kql.Bounds{From: from, To: to})
	}
	if d.o.Takes != nil && d.o.Takes(q.query) > q.wait {
		return slow()
	}
	var inputs []any
	result, err := kql.Run(q.query, kql.Source{
		Now: now, Time: "TimeGenerated", Ingested: ingested, Columns: d.columns,
		Rows: func(table string, b kql.Bounds) [][]any {
			rows := d.scan(table, narrow(span, b))
			inputs = append(inputs, map[string]any{"tableName": table, "rowsCount": len(rows)})
			return rows
		},
	})
	var refusal *kql.Error
	if errors.As(err, &refusal) {
		return explained(refusal)
	}
	if d.empty() {
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	d.write(w, q, f, result, inputs)
	return nil
}

// explained is the product's answer to a query that is refused. Of the codes SYN0002,
// SEM0100 and SEM0260 are reported; of what is refused besides the code is not documented.
func explained(e *kql.Error) *refusal {
	switch {
	case e.Syntax:
		return invalid([2]string{"SyntaxError", "A syntax error has occurred."}, [2]string{"SYN0002", e.Message})
	case e.Unresolved:
		return invalid([2]string{"SemanticError", "A semantic error occurred."}, [2]string{"SEM0100", e.Message})
	case strings.Contains(e.Message, "Unknown function"):
		return invalid([2]string{"SemanticError", "A semantic error occurred."}, [2]string{"SEM0260", e.Message})
	}
	return invalid([2]string{"SemanticError", "A semantic error occurred."}, [2]string{"SEM0001", e.Message})
}

// narrow is what is within both bounds.
func narrow(a, b kql.Bounds) kql.Bounds {
	if a.From.After(b.From) {
		b.From = a.From
	}
	if b.To.IsZero() || !a.To.IsZero() && a.To.Before(b.To) {
		b.To = a.To
	}
	return b
}

// write writes a result, as much of it as the limits leave.
func (d *Double) write(w http.ResponseWriter, q request, f Fault, t kql.Table, inputs []any) {
	var details []any
	if d.o.Warns {
		for _, name := range t.Missing {
			details = append(details, detail("-2133196790", "Failed to resolve table or column expression named '"+name+"'", 3, "Warning"))
		}
	}
	rows, size := [][]any{}, 0
	for _, row := range t.Rows {
		cells := make([]any, len(row))
		for i, v := range row {
			cells[i] = encoded(v, t.Columns[i].Type)
		}
		text, err := json.Marshal(cells)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		if size += len(text); size > d.o.MostBytes {
			details = append(details, tooLarge(fmt.Sprintf("data size limit %d", d.o.MostBytes)))
			break
		}
		if len(rows) == d.o.MostRows {
			details = append(details, tooLarge(fmt.Sprintf("record count limit %d", d.o.MostRows)))
			break
		}
		rows = append(rows, cells)
	}
	if f.Partial {
		rows = rows[:len(rows)/2]
		details = append(details, detail("-2133196799", "Query execution has exceeded the allowed limits (E_RUNAWAY_QUERY)", 2, "Error"))
	}
	columns := []any{}
	for _, c := range t.Columns {
		columns = append(columns, map[string]any{"name": c.Name, "type": string(c.Type)})
	}
	body := map[string]any{"tables": []any{map[string]any{"name": "PrimaryResult", "columns": columns, "rows": rows}}}
	if len(details) > 0 {
		body["error"] = map[string]any{
			"code": "PartialError", "message": "There were some errors when processing your query.", "details": details,
		}
	}
	if q.statistics {
		body["statistics"] = map[string]any{"query": map[string]any{
			"executionTime": 0.0156, "datasetStatistics": []any{map[string]any{"tableRowCount": len(rows), "tableSize": size}}, "inputDatasetStatistics": inputs,
		}}
	}
	// The product was recorded with it: it says nothing where the answer is there.
	w.Header().Set("Retry-After", "0")
	w.Header().Set("Access-Control-Expose-Headers", "Retry-After,Age,WWW-Authenticate,x-resource-identities,x-ms-status-location")
	if f.Torn {
		tear(w, body)
		return
	}
	writeJSON(w, http.StatusOK, body)
}

func tear(w http.ResponseWriter, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		text = nil
	}
	w.Header().Set(apispec.FaultHeader, "torn")
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(http.StatusOK)
	_, _ = w.Write(text[:len(text)/2])
}

func tooLarge(what string) map[string]any {
	return detail("-2133196797", "Query result set has exceeded the internal "+what+" (E_QUERY_RESULT_SET_TOO_LARGE; see https://aka.ms/kustoquerylimits)", 2, "Error")
}

func detail(code, message string, severity int, name string) map[string]any {
	return map[string]any{
		"code": "EngineError", "message": "Something went wrong processing your query on the server.",
		"innererror": map[string]any{"code": code, "message": message, "severity": severity, "severityName": name},
	}
}

// encoded writes a value as answers have it: dates with up to seven digits of a fraction,
// dynamic values as texts of JSON, and what is no number as a text.
func encoded(v any, t kql.Type) any {
	switch v := v.(type) {
	case time.Time:
		return v.UTC().Truncate(100 * time.Nanosecond).Format("2006-01-02T15:04:05.9999999Z")
	case time.Duration:
		return kql.FormatSpan(v)
	case float64:
		switch {
		case math.IsNaN(v):
			return "NaN"
		case math.IsInf(v, 1):
			return "Infinity"
		case math.IsInf(v, -1):
			return "-Infinity"
		}
		return v
	case string:
		return v
	}
	if t != kql.Dynamic || v == nil {
		return v
	}
	text, err := json.Marshal(plain(v))
	if err != nil {
		return nil
	}
	return string(text)
}

// plain makes the times in a dynamic value texts.
func plain(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = plain(v[i])
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for k := range v {
			out[k] = plain(v[k])
		}
		return out
	case time.Time, time.Duration, float64:
		return encoded(v, kql.String)
	}
	return v
}

// timespan reads a duration, or a start and an end with a slash between, of which one can be
// a duration. A duration alone ends now.
func timespan(text string, now time.Time) (from, to time.Time, ok bool) {
	first, second, two := strings.Cut(text, "/")
	lasting, isLasting := duration(first)
	if !two {
		return now.Add(-lasting), now, isLasting
	}
	start, isStart := date(first)
	end, isEnd := date(second)
	length, isLength := duration(second)
	switch {
	case isStart && isEnd:
		return start, end, !end.Before(start)
	case isStart && isLength:
		return start, start.Add(length), true
	case isLasting && isEnd:
		return end.Add(-lasting), end, true
	}
	return from, to, false
}

func date(s string) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.9999999", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), true
		}
	}
	return time.Time{}, false
}

var isoDuration = regexp.MustCompile(`^P(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?$`)

func duration(s string) (time.Duration, bool) {
	m := isoDuration.FindStringSubmatch(s)
	if m == nil || strings.HasSuffix(s, "T") || s == "P" {
		return 0, false
	}
	var sum time.Duration
	for i, each := range []time.Duration{7 * 24 * time.Hour, 24 * time.Hour, time.Hour, time.Minute, time.Second} {
		n, err := strconv.Atoi("0" + m[i+1])
		if err != nil || n > 100_000 {
			return 0, false
		}
		sum += time.Duration(n) * each
	}
	return sum, true
}
