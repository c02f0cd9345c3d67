package apiclient_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/apiclient"
)

const token = "a-token-that-nobody-may-see"

// serve answers every request with a status and a body, and keeps the last.
func serve(t *testing.T, status int, header http.Header, body string) (*apiclient.Client, *http.Request) {
	t.Helper()
	last := &http.Request{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*last = *r.Clone(r.Context())
		for name, values := range header {
			w.Header()[name] = values
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return dial(t, server.URL), last
}

func dial(t *testing.T, url string) *apiclient.Client {
	t.Helper()
	c, err := apiclient.New(url, token)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestEveryFailureIsOneClearMessage(t *testing.T) {
	for name, tt := range map[string]struct {
		status  int
		header  http.Header
		body    string
		want    string
		mistake bool
	}{
		"a token that is not known": {401, nil, `{"error":"a person's token is needed","kind":"unauthorized"}`, "set STANCH_TOKEN, or STANCH_TOKEN_FILE", true},
		"nothing of that name":      {404, nil, `{"error":"there is no case a/b","kind":"not_found"}`, "there is no case a/b", true},
		"a rule that refused":       {409, nil, `{"error":"eve may not","kind":"not_an_approver"}`, "refused (not an approver): eve may not", true},
		"a wrong field":             {400, nil, `{"error":"a reason is required","kind":"invalid","field":"reason"}`, "reason: a reason is required", true},
		"what is kept":              {422, nil, `{"error":"is not a field","kind":"rejected","field":"hots","rejected":"siem/0"}`, "rejected: hots: is not a field; kept as siem/0", true},
		"several that are kept":     {422, nil, `{"error":"is no list","kind":"rejected","field":"alerts[0].ip","rejected":"siem/0","alerts":[{},{},{}]}`, "rejected: alerts[0].ip: is no list; kept as siem/0, and 2 more alerts of the request were rejected and kept", true},
		"too much":                  {429, http.Header{"Retry-After": {"5"}}, `{"error":"send it again later","kind":"throttled"}`, "send it again later, in 5 s", false},
		"an engine that is away":    {503, nil, `{"error":"show case a/b: the engine did not answer","kind":"unavailable"}`, "the engine did not answer", false},
		"another product":           {404, nil, "<html>not here</html>", "is it Stanch?", false},
		"a redirect":                {302, http.Header{"Location": {"http://192.0.2.1/"}}, "", "is it Stanch?", false},
		"a torn answer":             {200, nil, `{"id":"a/b"`, "is it Stanch of this version?", false},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := serve(t, tt.status, tt.header, tt.body)
			_, err := c.Case(t.Context(), "a/b", "")
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), token) {
				t.Fatalf("the error is %v, want %q in it", err, tt.want)
			}
			e, ok := errors.AsType[*apiclient.Error](err)
			if mistake := ok && e.Mistake(); mistake != tt.mistake {
				t.Errorf("%v is a mistake: %t", err, mistake)
			}
		})
	}
}

func TestNothingListens(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	want := "nothing listens at " + server.URL + ": is `stanch serve` running there?"
	if _, err := dial(t, server.URL).Leases(t.Context()); err == nil || err.Error() != want {
		t.Errorf("the error is %v, want %s", err, want)
	}
}

func TestARequestIsWhatTheServerReads(t *testing.T) {
	c, last := serve(t, 200, nil, `{}`)
	if _, err := c.Case(t.Context(), "note/ws%2f42 x", "r&1"); err != nil {
		t.Fatal(err)
	}
	if last.URL.Path != "/v1/cases/note/ws%2f42 x" || last.URL.Query().Get("run") != "r&1" || last.Header.Get("Authorization") != "Bearer "+token {
		t.Errorf("asked for %q %q with %v", last.URL.Path, last.URL.RawQuery, last.Header)
	}
	if _, err := c.Send(t.Context(), "si/em", []byte("{}"), func(r *http.Request) { r.Header.Set("X-Proof", "p") }); err != nil {
		t.Fatal(err)
	}
	if last.URL.EscapedPath() != "/v1/alerts/si%2Fem" || last.Header.Get("Authorization") != "" || last.Header.Get("X-Proof") != "p" {
		t.Errorf("sent to %q with %v: a source gets no person's token", last.URL.EscapedPath(), last.Header)
	}
	if _, err := c.Cases(t.Context(), api.CaseFilter{Status: "open", Limit: 7}); err != nil {
		t.Fatal(err)
	}
	if last.URL.RawQuery != "limit=7&status=open" {
		t.Errorf("listed with %q", last.URL.RawQuery)
	}
}

func TestWithoutATokenNobodyIsAsked(t *testing.T) {
	c, last := serve(t, 200, nil, `{}`)
	anonymous, err := apiclient.New(c.URL(), "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = anonymous.ReleaseSince(t.Context(), api.SinceRequest{})
	if e, ok := errors.AsType[*apiclient.Error](err); !ok || !e.Mistake() || last.URL != nil {
		t.Errorf("the error is %v, the server was asked %v", err, last.URL)
	}
	if err := anonymous.Alive(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAnAddressIsChecked(t *testing.T) {
	for _, bad := range []string{"", "127.0.0.1:8080", "ftp://stanch.example", "https://", "https://user:secret@stanch.example", "https://stanch.example?x=1", "::"} {
		if _, err := apiclient.New(bad, token); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
	c, err := apiclient.New("https://stanch.example/below/", token)
	if err != nil || c.URL() != "https://stanch.example/below" {
		t.Errorf("the address is %v, %v", c.URL(), err)
	}
}
