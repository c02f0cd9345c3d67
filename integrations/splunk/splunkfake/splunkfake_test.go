package splunkfake

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/apispec"
)

const rule = "7B5C5D1A-0F2E-4C3B-8A9D-1E2F3A4B5C6D@@notable@@0123456789abcdef0123456789abcdef"

const asJSON = "?output_mode=json"

// ask sends a request, and returns the status and the answer.
func ask(t *testing.T, h http.Handler, method, path string, form url.Values) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(form.Encode()))
	r.Header.Set("Authorization", "Bearer "+Analyst().Text)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

func want(t *testing.T, h http.Handler, method, path string, form url.Values, status int, text string) {
	t.Helper()
	if got, said := ask(t, h, method, path, form); got != status || !strings.Contains(said, text) {
		t.Errorf("%s %s %v: %d %s, want %d and %q in it", method, path, form, got, said, status, text)
	}
}

func comment(pairs ...string) url.Values {
	form := url.Values{"ruleUIDs": {rule}, "comment": {"text"}}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return form
}

func of(query, more string) string {
	return Collection + "?output_mode=json&query=" + url.QueryEscape(query) + more
}

func judged(t *testing.T, o Options) (http.Handler, *Double) {
	t.Helper()
	d := New(t, o)
	return apispec.Load(t, "splunk-es").Handler(t, d), d
}

func TestUpdates(t *testing.T) {
	h, d := judged(t, Options{})
	want(t, h, "POST", Update+asJSON, comment(), 200, `"success":true`)
	if got := d.Reviews(rule); len(got) != 1 || got[0].Status != nil {
		t.Errorf("reviews %v, want one without a state", got)
	}
	want(t, h, "POST", Update+asJSON, comment("status", "5"), 200, `"message":"1 event updated successfully"`)
	// What is not said stays.
	want(t, h, "POST", Update+asJSON, comment("comment", "more"), 200, `"failure_count":0`)
	if got := d.Status(rule); got != "5" {
		t.Errorf("the state is %s, want 5", got)
	}
	// Whether there is an event of an id is not looked at.
	want(t, h, "POST", Update+asJSON, comment("ruleUIDs", "A@@notable@@0"), 200, `"success":true`)
	d.Fail(NotSaved, 1)
	want(t, h, "POST", Update+asJSON, comment(), 200, `"success":false`)
	d.Fail(Traced, 1)
	want(t, h, "POST", Update+asJSON, comment(), 200, `"tb":`)
	if n := len(d.Reviews(rule)); n != 3 {
		t.Errorf("there are %d reviews, want 3", n)
	}
}

func TestUpdatesThatAreRefused(t *testing.T) {
	h, _ := judged(t, Options{LeastComment: 20})
	want(t, h, "POST", Update+asJSON, comment(), 200, "20 characters long")
	h, _ = judged(t, Options{NoClosing: true})
	want(t, h, "POST", Update+asJSON, comment("status", "5"), 200, `"details":{"transition from New to Closed is not allowed":1}`)
	// These requests are not what the description of the API takes.
	d := New(t, Options{})
	for name, value := range map[string]string{"ruleUIDs": "1", "urgency": "urgent", "status": "closed", "newOwner": "nobody-there"} {
		want(t, d, "POST", Update+asJSON, comment(name, value), 400, "ValueError: Invalid")
	}
	want(t, d, "POST", Update+asJSON, url.Values{"ruleUIDs": {rule}}, 400, "is required")
	want(t, d, "POST", Update+asJSON, url.Values{"comment": {"text"}}, 200, "No search ID or ruleUIDs were provided.")
	want(t, d, "POST", Update+asJSON, url.Values{"comment": {"text"}, "searchID": {"1.2"}}, 200, "no longer accessible")
	want(t, d, "GET", Update+asJSON, nil, 405, "Invalid method")
	two := comment()
	two.Add("ruleUIDs", "A@@notable@@0")
	want(t, d, "POST", Update+asJSON, two, 200, `"message":"2 events updated successfully"`)
}

func TestReviews(t *testing.T) {
	h, d := judged(t, Options{MostRows: 2})
	for _, text := range []string{"one", "two", "three"} {
		d.ReviewByHand(rule, text, "")
	}
	d.ReviewByHand("A@@notable@@0", "other", "2")
	comments := func(more string) string {
		t.Helper()
		_, said := ask(t, h, "GET", of(`{"rule_id":"`+rule+`"}`, more), nil)
		var rows []struct{ Comment string }
		if err := json.Unmarshal([]byte(said), &rows); err != nil {
			t.Fatalf("%s: %v", said, err)
		}
		all := ""
		for _, r := range rows {
			all += r.Comment + " "
		}
		return all
	}
	for more, expected := range map[string]string{"": "three two ", "&sort=time": "one two ", "&sort=time:-1&limit=1": "three ", "&sort=time&skip=2&limit=5": "three "} {
		if got := comments(more); got != expected {
			t.Errorf("%s: %q, want %q", more, got, expected)
		}
	}
	d.Fail(StoreDown, 1)
	want(t, h, "GET", of(`{"rule_id":"`+rule+`"}`, ""), nil, 503, "KV Store")
	want(t, d, "GET", of(`{"status":"2","$or":[{"rule_id":"x"},{"rule_id":{"$ne":"y"}}]}`, "&fields=comment"), nil, 200, `"comment":"other"`)
	want(t, d, "GET", of(`{"status":2}`, ""), nil, 200, "[]")
	want(t, d, "GET", of(`{"time":{"$regex":"1"}}`, ""), nil, 400, "unknown operator")
}

func TestWhoMay(t *testing.T) {
	for _, c := range []struct {
		token        Token
		method, path string
		status       int
	}{
		{Token{Text: "other"}, "POST", Update + asJSON, 401},
		{Token{Text: Analyst().Text}, "POST", Update + asJSON, 403},
		{Token{Text: Analyst().Text}, "GET", of(`{"rule_id":"`+rule+`"}`, ""), 403},
	} {
		h, _ := judged(t, Options{Tokens: []Token{c.token}})
		form := comment()
		if c.method == "GET" {
			form = nil
		}
		want(t, h, c.method, c.path, form, c.status, `{"messages":[{"type":`)
	}
	h, _ := judged(t, Options{})
	want(t, h, "GET", Context+asJSON, nil, 200, `"capabilities":["edit_notable_events",`)
	// Errors are XML unless JSON is asked for.
	want(t, New(t, Options{Tokens: []Token{{Text: "other"}}}), "POST", Update, nil, 401, `<msg type="WARN">call not properly authenticated</msg>`)
}
