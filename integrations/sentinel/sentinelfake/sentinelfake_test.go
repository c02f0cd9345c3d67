package sentinelfake_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/apispec"
	"github.com/stanch-soar/stanch/integrations/sentinel/sentinelfake"
)

const incident = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"

// caller calls a double as no client of ours may.
type caller struct {
	t      *testing.T
	double *sentinelfake.Double
	url    string
	token  string
}

func open(t *testing.T, o sentinelfake.Options, wrap func(http.Handler) http.Handler) *caller {
	t.Helper()
	d := sentinelfake.New(o)
	handler := d.Handler()
	if wrap != nil {
		handler = wrap(handler)
	}
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	c := &caller{t: t, double: d, url: server.URL}
	status, body := c.login(url.Values{})
	if c.token, _ = body["access_token"].(string); status != http.StatusOK || c.token == "" {
		t.Fatalf("the login was answered %d %v", status, body)
	}
	return c
}

func (c *caller) login(change url.Values) (int, map[string]any) {
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {c.double.ClientID}, "client_secret": {c.double.ClientSecret},
		"scope": {"https://management.azure.com/.default"},
	}
	for key, values := range change {
		form[key] = values
	}
	return c.do(http.MethodPost, "/"+c.double.Tenant+"/oauth2/v2.0/token", form.Encode(), "application/x-www-form-urlencoded")
}

// call calls the provider below its root.
func (c *caller) call(method, rest, body string) (int, map[string]any) {
	return c.do(method, c.double.Root()+rest, body, "application/json")
}

func (c *caller) do(method, path, body, kind string) (int, map[string]any) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.url+path, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = a.Body.Close() }()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	var answer map[string]any
	_ = json.Unmarshal(text, &answer)
	return a.StatusCode, answer
}

func code(answer map[string]any) string {
	e, _ := answer["error"].(map[string]any)
	word, _ := e["code"].(string)
	return word
}

func TestRefusedLogins(t *testing.T) {
	c := open(t, sentinelfake.Options{}, nil)
	for key, want := range map[string]struct {
		value string
		code  float64
	}{
		"client_id": {incident, 700016}, "client_secret": {"x", 7000215}, "scope": {"https://graph.microsoft.com/.default", 500011}, "grant_type": {"password", 70003},
	} {
		status, body := c.login(url.Values{key: {want.value}})
		if codes, _ := body["error_codes"].([]any); status < 400 || len(codes) != 1 || codes[0] != want.code {
			t.Errorf("another %s is answered %d %v, want AADSTS%v", key, status, body, want.code)
		}
	}
}

func TestRefusedCalls(t *testing.T) {
	c := open(t, sentinelfake.Options{EtagRequired: true}, nil)
	c.double.Add(sentinelfake.Incident{Name: incident})
	const version = "?api-version=2024-03-01"
	closed := func(more string) string {
		return `{"properties": {"title": "t", "severity": "Low", "status": "Closed"` + more + `}}`
	}
	for name, x := range map[string]struct {
		method, rest, body string
		status             int
		code               string
	}{
		"no version":             {"GET", "/incidents", "", 400, "MissingApiVersionParameter"},
		"an unknown version":     {"GET", "/incidents?api-version=1", "", 400, "NoRegisteredProviderFound"},
		"no such incident":       {"GET", "/incidents/x" + version, "", 404, "NotFound"},
		"another method":         {"PATCH", "/incidents/" + incident + version, "{}", 405, "UnsupportedApiVersion"},
		"no classification":      {"PUT", "/incidents/" + incident + version, closed(""), 400, "BadRequest"},
		"no reason":              {"PUT", "/incidents/" + incident + version, closed(`, "classification": "BenignPositive"`), 400, "BadRequest"},
		"another one's reason":   {"PUT", "/incidents/" + incident + version, closed(`, "classification": "TruePositive", "classificationReason": "InaccurateData"`), 400, "BadRequest"},
		"no etag":                {"PUT", "/incidents/" + incident + version, closed(`, "classification": "Undetermined"`), 409, "Conflict"},
		"a comment that is long": {"PUT", "/incidents/" + incident + "/comments/" + incident + version, `{"properties": {"message": "` + strings.Repeat("x", 30_001) + `"}}`, 400, "BadRequest"},
	} {
		if status, answer := c.call(x.method, x.rest, x.body); status != x.status || code(answer) != x.code {
			t.Errorf("%s: answered %d %v, want %d %s", name, status, answer, x.status, x.code)
		}
	}
}

// Comments come in pages, newest first, and a person's is not an application's to change. The
// description of the API judges them.
func TestComments(t *testing.T) {
	c := open(t, sentinelfake.Options{CommentPage: 2}, func(h http.Handler) http.Handler {
		return apispec.Load(t, "sentinel", "microsoft-login").Handler(t, h)
	})
	c.double.Add(sentinelfake.Incident{Name: incident})
	const version = "?api-version=2024-03-01"
	c.double.Comment(incident, incident, "mine")
	own := strings.Replace(incident, "3f", "4f", 1)
	for _, message := range []string{"one", "two"} {
		c.call("PUT", "/incidents/"+incident+"/comments/"+own+version, `{"properties": {"message": "`+message+`"}}`)
	}
	if status, _ := c.call("PUT", "/incidents/"+incident+"/comments/"+incident+version, `{"properties": {"message": "ours"}}`); status != http.StatusForbidden {
		t.Errorf("a person's comment is changed with %d", status)
	}
	c.double.Comment(incident, strings.Replace(incident, "3f", "5f", 1), "later")
	_, page := c.call("GET", "/incidents/"+incident+"/comments"+version, "")
	next, _ := page["nextLink"].(string)
	first, _ := page["value"].([]any)
	_, rest := c.do("GET", strings.TrimPrefix(next, c.url), "", "application/json")
	second, _ := rest["value"].([]any)
	if len(first) != 2 || len(second) != 1 || rest["nextLink"] != nil {
		t.Errorf("the pages have %d and %d comments, and then %v", len(first), len(second), rest["nextLink"])
	}
	var all []string
	for _, one := range c.double.Comments(incident) {
		all = append(all, one.Message)
	}
	if got := strings.Join(all, " "); got != "mine two later" {
		t.Errorf("the comments are %q", got)
	}
}

func TestRead(t *testing.T) {
	for message, want := range map[string][2]string{
		`a &#42;b&#42; <br>c`:  {"a *b* \nc", "a *b* \nc"},
		`*b* \* _i_`:           {`*b* \* _i_`, "b * i"},
		`<b>x</b> &lt;i&gt;`:   {"x <i>", "x <i>"},
		`[t](https://e.x) # h`: {"[t](https://e.x) # h", "t # h"},
		"# h":                  {"# h", "h"},
	} {
		if got := [2]string{sentinelfake.Read(message, sentinelfake.AsHTML), sentinelfake.Read(message, sentinelfake.AsMarkdown)}; got != want {
			t.Errorf("%q is read as %q, want %q", message, got, want)
		}
	}
}
