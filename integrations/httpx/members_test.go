package httpx_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/integrations/httpx/faulty"
)

// An answer that has none of the members is another server's, however well it can be read.
func TestAnswerWithoutItsMembers(t *testing.T) {
	answer := ""
	s := faulty.New(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(answer)) }))
	c := open(t, httpx.Options{})
	for _, tt := range []struct {
		answer  string
		members []string
		fine    bool
	}{
		{`{"value":[]}`, []string{"value"}, true},
		{`{"value":null}`, []string{"value"}, true},
		{`{"errors":[1]}`, []string{"value", "errors"}, true},
		{`{"status":"ok"}`, nil, true},
		{`{"status":"ok"}`, []string{"value", "errors"}, false},
		{`{}`, []string{"value"}, false},
		{`null`, []string{"value"}, false},
	} {
		answer = tt.answer
		for write, kind := range map[bool]integrations.Kind{false: integrations.Unavailable, true: integrations.Ambiguous} {
			for _, out := range []any{nil, new(struct{ Value []int })} {
				_, err := c.JSON(t.Context(), httpx.Request{Op: "ask", Method: http.MethodPost, URL: s.URL(), Write: write, Members: tt.members}, struct{}{}, out)
				if tt.fine {
					if err != nil {
						t.Errorf("%s with %v: %v", tt.answer, tt.members, err)
					}
					continue
				}
				if e := wrong(t, err, kind); !strings.Contains(e.Error(), "no member "+strings.Join(tt.members, " or ")) {
					t.Errorf("%s with %v: %v", tt.answer, tt.members, err)
				}
			}
		}
	}
}

// A refusal says what to check, and in the words of who knows the product why.
func TestRefusalsSayWhatToCheck(t *testing.T) {
	status := 0
	s := faulty.New(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"error":"unauthorized_client","secret":"hunter2"}`))
	}))
	c := open(t, httpx.Options{Credentials: "client_id and its secret"})
	for _, status = range []int{400, 401, 403} {
		_, err := c.OAuth(httpx.Credentials{
			URL: s.URL(), Client: "c", Secret: "hunter2",
			Explain: func(a httpx.Answer) string { return http.StatusText(a.Status) + ": ask the administrator" },
		}).Get(t.Context())
		for _, word := range []string{"check client_id and its secret", http.StatusText(status) + ": ask the administrator"} {
			if e := wrong(t, err, integrations.Denied); !strings.Contains(e.Error(), word) {
				t.Errorf("status %d: %v, want %q in it", status, err, word)
			}
		}
	}
	for _, status = range []int{404, 500, 407} {
		_, err := c.Do(t.Context(), httpx.Request{Op: "ask", Method: http.MethodGet, URL: s.URL()})
		if err == nil || strings.Contains(err.Error(), "check client_id") {
			t.Errorf("status %d: %v", status, err)
		}
	}
}
