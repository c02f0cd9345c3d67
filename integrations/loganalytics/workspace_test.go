package loganalytics

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/edrtest/kql"
	"github.com/stanch-soar/stanch/integrations/httpx/faulty"
)

// workspace is a workspace with some tables: it runs the queries that it gets on the records
// that are within their timespan. Its tables have the documented columns.
type workspace struct {
	tb      testing.TB
	columns map[string][]kql.Column
	rows    map[string][][]any

	mu    sync.Mutex
	asked []body
}

// columnsOf reads the columns of the tables that queries are judged by.
func columnsOf(tb testing.TB) map[string][]kql.Column {
	tb.Helper()
	data, err := os.ReadFile("../apispec/kql/loganalytics.json")
	if err != nil {
		tb.Fatal(err)
	}
	var in struct {
		Tables map[string]string `json:"tables"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		tb.Fatal(err)
	}
	tables := map[string][]kql.Column{}
	for name, list := range in.Tables {
		for one := range strings.SplitSeq(strings.Trim(list, "()"), ", ") {
			column, typ, _ := strings.Cut(one, ": ")
			tables[name] = append(tables[name], kql.Column{Name: column, Type: kql.Type(typ)})
		}
	}
	return tables
}

// newWorkspace is a workspace whose table has the records.
func newWorkspace(tb testing.TB, table string, records []record) *workspace {
	tb.Helper()
	w := &workspace{tb: tb, columns: columnsOf(tb), rows: map[string][][]any{}}
	for _, r := range records {
		row := make([]any, len(w.columns[table]))
		for i, c := range w.columns[table] {
			v, ok := r[c.Name]
			delete(r, c.Name)
			switch n := v.(type) {
			case int:
				v = int64(n)
			case time.Time:
				// The service keeps times in units of 100 ns.
				v = n.UTC().Truncate(100 * time.Nanosecond)
			}
			if !ok && c.Type == kql.String {
				v = ""
			}
			row[i] = v
		}
		for name := range r {
			tb.Errorf("table %s has no column %s", table, name)
		}
		w.rows[table] = append(w.rows[table], row)
	}
	return w
}

// ServeHTTP implements [http.Handler].
func (w *workspace) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	var in body
	if r.Method != http.MethodPost || r.URL.Path != "/v1/workspaces/"+someID+"/query" || json.NewDecoder(r.Body).Decode(&in) != nil {
		w.tb.Errorf("%s %s is no query", r.Method, r.URL.Path)
	}
	w.mu.Lock()
	w.asked = append(w.asked, in)
	w.mu.Unlock()
	from, to, _ := strings.Cut(in.Timespan, "/")
	first, errFirst := time.Parse(time.RFC3339Nano, from)
	last, errLast := time.Parse(time.RFC3339Nano, to)
	if errFirst != nil || errLast != nil || !strings.Contains(in.Query, "| where TimeGenerated >= "+datetime(first)+" and TimeGenerated < "+datetime(last)) {
		w.tb.Errorf("the query is not bounded as its timespan is, %q: %s", in.Timespan, in.Query)
	}
	result, err := kql.Run(in.Query, kql.Source{
		Now:     time.Now(),
		Columns: func(table string) ([]kql.Column, bool) { c, ok := w.columns[table]; return c, ok },
		Rows:    func(table string, _ kql.Bounds) [][]any { return w.within(table, first, last) },
	})
	if err != nil {
		w.tb.Errorf("%v in %s", err, in.Query)
		w.say(out, http.StatusBadRequest, map[string]any{"error": map[string]any{"code": "BadArgumentError", "message": err.Error()}})
		return
	}
	w.say(out, http.StatusOK, map[string]any{"tables": []any{tableOf(result)}})
}

func (w *workspace) within(table string, first, last time.Time) [][]any {
	var stamp int
	for i, c := range w.columns[table] {
		if c.Name == "TimeGenerated" {
			stamp = i
		}
	}
	var rows [][]any
	for _, row := range w.rows[table] {
		if at, ok := row[stamp].(time.Time); ok && !at.Before(first) && at.Before(last) {
			rows = append(rows, row)
		}
	}
	return rows
}

// tableOf is a result as the service writes it.
func tableOf(t kql.Table) map[string]any {
	columns, rows := []any{}, []any{}
	for _, c := range t.Columns {
		columns = append(columns, map[string]any{"name": c.Name, "type": c.Type})
	}
	for _, row := range t.Rows {
		values := make([]any, len(row))
		for i, v := range row {
			if at, ok := v.(time.Time); ok {
				v = at.UTC().Format("2006-01-02T15:04:05.9999999Z")
			}
			values[i] = v
		}
		rows = append(rows, values)
	}
	return map[string]any{"name": "PrimaryResult", "columns": columns, "rows": rows}
}

func (w *workspace) say(out http.ResponseWriter, status int, v any) {
	out.Header().Set("Content-Type", "application/json; charset=utf-8")
	out.WriteHeader(status)
	if err := json.NewEncoder(out).Encode(v); err != nil {
		w.tb.Errorf("encode: %v", err)
	}
}

// served is a workspace behind a server that can be broken.
type served struct {
	*workspace
	*faulty.Server
	login string
}

// serve serves a workspace whose table of the layout has the records.
func serve(tb testing.TB, l Layout, records []record) served {
	tb.Helper()
	c := defaults()
	c.Layout = l
	w := newWorkspace(tb, c.layout().table, records)
	login := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
		out.Header().Set("Content-Type", "application/json")
		_, _ = out.Write([]byte(`{"token_type":"Bearer","expires_in":3599,"access_token":"t"}`))
	}))
	tb.Cleanup(login.Close)
	return served{w, faulty.New(tb, w), login.URL}
}

func (s served) open(l Layout, set ...func(*Config)) *Store {
	s.tb.Helper()
	c := defaults()
	c.Tenant, c.ClientID, c.Workspace, c.ClientSecret, c.Layout = someID, someID, someID, secret, l
	c.URL, c.LoginURL, c.Longest = s.URL(), s.login, 2*time.Hour
	for _, f := range set {
		f(c)
	}
	// The documents' limit is for a run of minutes; a suite asks as often in seconds.
	store, err := open(*c, nil)
	if err != nil {
		s.tb.Fatal(err)
	}
	s.tb.Cleanup(func() { _ = store.Close() })
	return store
}

func recordsOf(l Layout, seen []contract.Seen) []record {
	records := make([]record, len(seen))
	for i, f := range seen {
		records[i] = recordOf(l, f)
	}
	return records
}

// summed has the service sum however few the flows are.
func summed(s *Store) { s.few = 0 }

func harness(l Layout, skip map[string]string, set ...func(*Store)) contract.FlowsHarness {
	var mu sync.Mutex
	servers := map[integrations.Flows]served{}
	return contract.FlowsHarness{
		Knobs: contract.Knobs{Kind: "loganalytics", Skip: skip, Secrets: []string{secret}},
		OpenSeen: func(t testing.TB, seen []contract.Seen) integrations.Flows {
			w := serve(t, l, recordsOf(l, seen))
			s := w.open(l)
			for _, f := range set {
				f(s)
			}
			mu.Lock()
			defer mu.Unlock()
			servers[s] = w
			return s
		},
		Break: func(f integrations.Flows, fault contract.Fault) {
			mu.Lock()
			defer mu.Unlock()
			servers[f].Break(fault)
		},
	}
}
