package splunk

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

// An answer that does not fit what Splunk says of it is none.
func TestAnswersThatDoNotFit(t *testing.T) {
	const row = `{"count":"1","first":"1772445600","last":"1772445600"}`
	props := func(rows int, more string) string {
		return fmt.Sprintf(`{"dispatchState":"DONE","isDone":true,"resultCount":%d,"messages":[]%s}`, rows, more)
	}
	page := func(preview bool, rows ...string) string {
		return fmt.Sprintf(`{"preview":%t,"messages":[],"results":[%s]}`, preview, strings.Join(rows, ","))
	}
	for name, c := range map[string]struct {
		job, results string
		want         integrations.Kind
	}{
		"whole":              {props(1, ""), page(false, row), ""},
		"ended before":       {props(1, `,"isFinalized":true`), page(false, row), integrations.Unavailable},
		"another state":      {`{"dispatchState":"FINALIZING","isDone":true,"resultCount":1,"messages":[]}`, page(false, row), integrations.Unavailable},
		"failed":             {props(1, `,"isFailed":"1"`), page(false, row), integrations.Unavailable},
		"no number of rows":  {`{"dispatchState":"DONE","isDone":true,"messages":[]}`, page(false, row), integrations.Unavailable},
		"all that is kept":   {props(maxRows, ""), page(false, row), integrations.Invalid},
		"fewer rows":         {props(1, ""), page(false), integrations.Unavailable},
		"more rows":          {props(1, ""), page(false, row, row), integrations.Unavailable},
		"a preview":          {props(1, ""), page(true, row), integrations.Unavailable},
		"a word at the rows": {props(1, ""), `{"messages":[{"type":"WARN","text":"t"}],"results":[` + row + `]}`, integrations.Unavailable},
		"no rows at all":     {props(1, ""), `{"messages":[]}`, integrations.Unavailable},
		"later than asked":   {props(1, `,"earliestTime":"2026-03-02T09:30:00.000+00:00"`), page(false, row), integrations.Denied},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				switch {
				case r.Method == http.MethodPost:
					w.WriteHeader(http.StatusCreated)
					_, _ = fmt.Fprintf(w, `{"sid":%q}`, r.FormValue("id"))
				case r.Method == http.MethodDelete:
					_, _ = fmt.Fprint(w, `{"messages":[]}`)
				case strings.HasSuffix(r.URL.Path, "/results"):
					_, _ = fmt.Fprint(w, c.results)
				default:
					_, _ = fmt.Fprintf(w, `{"entry":[{"content":%s}]}`, c.job)
				}
			}))
			defer server.Close()
			config := FlowsSpec().NewConfig().(*FlowsConfig)
			config.URL, config.Token, config.Stamp = server.URL, "t", AtEnd
			s, err := OpenFlows(*config)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			from := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
			rows, err := s.search(t.Context(), "look", tstats{from: from, to: from.Add(time.Hour)})
			if name == "whole" {
				if err != nil || len(rows) != 1 || rows[0].count("count") != 1 {
					t.Errorf("the rows are %v: %v", rows, err)
				}
				return
			}
			if err == nil || integrations.KindOf(err) != c.want {
				t.Errorf("the rows are %v: %v, want kind %s", rows, err, c.want)
			}
		})
	}
}
