package defendfake

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// column is one of a table, with the type that an answer names.
type column struct{ name, kind string }

// table is what a query has come to after a command.
type table struct {
	columns []column
	rows    []row
}

// query is a query of ES|QL that is run.
type query struct {
	d        *Double
	by       Credential
	text     string
	params   params
	filter   func(document) bool
	table    table
	bound    bound
	settled  bool // rows were dropped or counted: what follows bounds nothing
	limited  bool
	warnings []string
}

func (d *Double) serveQuery(header http.Header, by Credential, r *http.Request) (any, *refusal) {
	var in struct {
		Query    string
		Filter   map[string]any
		Params   []any
		Columnar bool
		Locale   string
		Profile  bool
	}
	if refused := decodeStrict(r, &in); refused != nil {
		return nil, refused
	}
	for name, values := range r.URL.Query() {
		switch {
		case name == "allow_partial_results", name == "format" && values[0] == "json", name == "drop_null_columns" && values[0] == "false", name == "pretty":
		default:
			return nil, elasticError(http.StatusBadRequest, "illegal_argument_exception", "request [/_query] contains unrecognized parameter: [%s]", name)
		}
	}
	if in.Query == "" {
		return nil, elasticError(http.StatusBadRequest, "action_request_validation_exception", "Validation Failed: 1: [query] is required;")
	}
	params, refused := readParams(in.Params)
	if refused != nil {
		return nil, refused
	}
	q := &query{d: d, by: by, text: blank(in.Query), params: params, filter: func(document) bool { return true }}
	if in.Filter != nil {
		if q.filter, q.bound, refused = d.parseQuery(in.Filter); refused != nil {
			return nil, refused
		}
	}
	if refused = q.run(); refused != nil {
		return nil, refused
	}
	d.check(q.bound, false, in.Query)
	d.mu.Lock()
	partial := d.partial
	d.mu.Unlock()
	if partial != Whole && r.URL.Query().Get("allow_partial_results") == "false" {
		return nil, elasticError(http.StatusInternalServerError, "no_shard_available_action_exception", "no shard available")
	}
	for _, w := range q.warnings {
		header.Add("Warning", fmt.Sprintf(`299 Elasticsearch-%s-0000000 "%s"`, version, strings.ReplaceAll(w, `"`, `\"`)))
	}
	return q.answer(in.Columnar, partial != Whole), nil
}

func (q *query) answer(columnar, partial bool) map[string]any {
	columns := []any{}
	for _, c := range q.table.columns {
		columns = append(columns, map[string]any{"name": c.name, "type": c.kind})
	}
	values := [][]any{}
	if columnar {
		for _, c := range q.table.columns {
			list := []any{}
			for _, r := range q.table.rows {
				list = append(list, jsonValue(r[c.name]))
			}
			values = append(values, list)
		}
	} else {
		for _, r := range q.table.rows {
			list := []any{}
			for _, c := range q.table.columns {
				list = append(list, jsonValue(r[c.name]))
			}
			values = append(values, list)
		}
	}
	return map[string]any{"took": 4, "is_partial": partial, "columns": columns, "values": values}
}

// jsonValue is a value as an answer has it.
func jsonValue(v any) any {
	switch v := v.(type) {
	case time.Time:
		return isoTime(v)
	case []any:
		if len(v) == 1 {
			return jsonValue(v[0])
		}
	}
	return v
}

// run executes the commands of a query.
func (q *query) run() *refusal {
	all := stages(q.text)
	if refused := q.from(all[0]); refused != nil {
		return refused
	}
	for _, s := range all[1:] {
		if refused := q.command(s); refused != nil {
			return refused
		}
	}
	if !q.limited {
		q.warnings = append(q.warnings, fmt.Sprintf("No limit defined, adding default limit of [%d]", q.d.o.DefaultRows))
		q.cut(q.d.o.DefaultRows)
	}
	q.cut(q.d.o.MostRows)
	return nil
}

func (q *query) cut(most int) { q.table.rows = q.table.rows[:min(most, len(q.table.rows))] }

// from reads the indices, and takes their events.
func (q *query) from(s stage) *refusal {
	words := strings.TrimSpace(s.text)
	keyword, rest, _ := strings.Cut(words, " ")
	if !strings.EqualFold(keyword, "from") {
		return syntaxError(q.text, s.at, "mismatched input '%s' expecting {'from', 'row', 'show'}", keyword)
	}
	indices := strings.Fields(strings.ReplaceAll(rest, ",", " "))
	var metadata []string
	if at := slices.IndexFunc(indices, func(w string) bool { return strings.EqualFold(w, "metadata") }); at >= 0 {
		indices, metadata = indices[:at], indices[at+1:]
	}
	for i := range indices {
		indices[i] = strings.Trim(indices[i], `"`)
	}
	names, refused := q.d.resolve(q.by, strings.Join(indices, ","), url.Values{})
	if len(indices) == 0 {
		return syntaxError(q.text, s.at, "mismatched input '<EOF>' expecting UNQUOTED_SOURCE")
	}
	if refused != nil && refused.status == http.StatusForbidden {
		return refused
	}
	if refused != nil || len(names) == 0 {
		return planError(q.text, s.at, "Unknown index [%s]", strings.Join(indices, ","))
	}
	types := mappingsOf(names)
	for name, kind := range types {
		q.table.columns = append(q.table.columns, column{name, kind})
	}
	slices.SortFunc(q.table.columns, func(a, b column) int { return strings.Compare(a.name, b.name) })
	for _, m := range metadata {
		if m != "_id" && m != "_index" {
			return planError(q.text, s.at, "unsupported metadata field [%s]", m)
		}
		q.table.columns = append(q.table.columns, column{m, "keyword"})
	}
	q.load(names, types)
	return nil
}

// load makes rows of the events. Those of a partial answer are fewer.
func (q *query) load(names []string, types mapping) {
	docs := slices.DeleteFunc(q.d.documents(names), func(doc document) bool { return !q.filter(doc) })
	q.d.mu.Lock()
	if q.d.partial != Whole {
		docs = docs[:len(docs)/2]
	}
	q.d.mu.Unlock()
	for _, doc := range docs {
		r := row{"_id": doc.id, "_index": backing(doc.stream)}
		for name := range types {
			switch v := doc.fields[name].(type) {
			case nil:
			case []string:
				list := []any{}
				for _, e := range slices.Sorted(slices.Values(v)) { // an index does not keep their order
					list = append(list, e)
				}
				r[name] = list
			case time.Time:
				r[name] = v.Truncate(time.Millisecond)
			default:
				r[name] = v
			}
		}
		q.table.rows = append(q.table.rows, r)
	}
}
