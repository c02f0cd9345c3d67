package apispec_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/apispec"
)

const containPath = "/devices/entities/devices-actions/v2?action_name=contain"

// caseHeader tells the server behind the validator which answer to give.
const caseHeader = "X-Of-This-Test"

// tables are the exchanges of all descriptions. The first validator judges them
// in the tests beside them.
func tables() map[string]func(*testing.T) []exchange {
	return map[string]func(*testing.T) []exchange{
		"crowdstrike": crowdstrike, "graph": graph, "defender": defender, "microsoft-login": microsoftLogin, "azure-blob": azureBlob,
		"kibana-alerts": kibanaAlerts, "splunk-es": splunkES, "splunk-search": splunkSearch, "loganalytics": logAnalytics,
		"sentinelone": sentinelOne, "kibana": kibana, "elasticsearch": elasticsearch, "wazuh": wazuh,
		"sentinel": sentinel, "secops": secOps, "google-token": googleToken,
	}
}

func TestEveryDescriptionHasExchanges(t *testing.T) {
	for _, name := range apispec.Names() {
		wrong, right := 0, 0
		if table := tables()[name]; table != nil {
			for _, e := range table(t) {
				if e.wrong == "" {
					right++
				} else {
					wrong++
				}
			}
		}
		if wrong == 0 || right == 0 {
			t.Errorf("%s: %d right and %d wrong exchanges, want some of each", name, right, wrong)
		}
	}
}

// Two validators that others wrote agree on every exchange, except for what is
// said to be found by ours only.
func TestPrismAgrees(t *testing.T) {
	for name, table := range tables() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := apispec.Load(t, name)
			exchanges := append(table(t), nothings(t, spec)...)
			url := spec.Prism(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				i, err := strconv.Atoi(r.Header.Get(caseHeader))
				if err != nil || i >= len(exchanges) {
					http.Error(w, "no such case", http.StatusTeapot)
					return
				}
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(max(exchanges[i].status, http.StatusOK))
				_, _ = io.WriteString(w, cmp.Or(exchanges[i].answer, "{}"))
			}))
			for i, e := range exchanges {
				found := found(t, url, i, e)
				if expected := (e.wrong != "") != (e.ours != ""); (len(found) > 0) != expected {
					t.Errorf("%s: prism found %q, ours %q (%s)", e.name, found, e.wrong, e.ours)
				}
				if said := strings.ToLower(strings.Join(found, ". ")); !strings.Contains(said, e.theirs) {
					t.Errorf("%s: prism found %q, want it to say %q", e.name, found, e.theirs)
				}
			}
		})
	}
}

// nothings has a text in every place where a description has a schema. A schema
// that the second validator cannot read it takes for none, and says so nowhere:
// so each must refuse what is not even an object.
func nothings(t *testing.T, spec *apispec.Spec) []exchange {
	t.Helper()
	const text = `"no object"`
	var all []exchange
	for _, p := range spec.Places() {
		e := exchange{name: fmt.Sprintf("%s %s %d", p.Method, p.Path, p.Status), method: p.Method, path: p.Path, status: p.Status, header: bearer(), answer: text, wrong: "an object", theirs: "body must be"}
		if p.Status == 0 {
			e.body = text
		}
		all = append(all, e)
	}
	if len(all) == 0 {
		t.Fatal("there are no schemas")
	}
	return all
}

func TestPrismRefuses(t *testing.T) {
	asked := 0
	url := apispec.Prism(t, "crowdstrike", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, contained)
	})) + containPath
	if status, _, body, err := post(t, url, `{"ids":["`+aid+`"]}`); err != nil || status != http.StatusAccepted || asked != 1 {
		t.Errorf("got %d %s, %v, and the handler was asked %d times, want 202 and once", status, body, err, asked)
	}
	if status, _, _, err := post(t, url, `{"ids":["`+aid+`","`+otherAid+`"]}`); err != nil || status < 400 || asked != 1 {
		t.Errorf("got %d, %v, and the handler was asked %d times, want a refusal and not again", status, err, asked)
	}
}

// What the second validator has against a request or an answer fails the test, and the
// client is answered all the same. What a double declares to be no answer of the vendor's
// is not judged.
func TestSecond(t *testing.T) {
	spec := apispec.Load(t, "microsoft-login", "crowdstrike")
	spec.NeedPrism(t)
	l := &listener{TB: t}
	var header http.Header
	var answer string
	wait := func() {}
	second := spec.Second(l, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		wait()
		maps.Copy(w.Header(), header)
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, answer)
	}))
	server := httptest.NewServer(second)
	t.Cleanup(server.Close)
	const one, two = `{"ids":["` + aid + `"]}`, `{"ids":["` + aid + `","` + otherAid + `"]}`
	fault := http.Header{apispec.FaultHeader: {"half an answer"}}
	for _, c := range []struct {
		name, path, body, answer string
		header                   http.Header
		finds                    string
	}{
		{"right", containPath, one, contained, nil, ""},
		{"two hosts", containPath, two, contained, nil, "request.body.ids"},
		{"a wrong answer", containPath, one, `{"meta":1}`, nil, "response.body"},
		{"a fault", containPath, one, `{"meta":1}`, fault, ""},
		{"no operation", "/devices/all", one, `{}`, nil, "route not found"},
	} {
		l.heard, header, answer = nil, c.header, c.answer
		status, got, body, err := post(t, server.URL+c.path, c.body)
		if err != nil || status != http.StatusAccepted || body != c.answer || got.Get("Sl-Violations") != "" {
			t.Errorf("%s: answered %d %s, %v, violations %q; want it as it was", c.name, status, body, err, got.Get("Sl-Violations"))
		}
		if heard := l.all(); (heard == "") != (c.finds == "") || !strings.Contains(heard, c.finds) {
			t.Errorf("%s: reported %q, want %q", c.name, heard, c.finds)
		}
	}
	// A client that goes away is no mistake, and its answer is not one of the vendor's.
	l.heard, answer = nil, contained
	asked, done := make(chan struct{}), make(chan struct{})
	wait = func() { close(asked); <-done }
	ctx, leave := context.WithCancel(t.Context())
	go func() { <-asked; leave() }()
	w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(ctx, http.MethodPost, containPath, strings.NewReader(one))
	r.Header = bearer()
	spec.Handler(l, second).ServeHTTP(w, r)
	close(done)
	if w.Code != http.StatusBadGateway || l.all() != "" {
		t.Errorf("a client that went away: answered %d, and reported %q; want 502, and nothing", w.Code, l.all())
	}
	wait, l.heard = func() {}, nil
	l.end()
	if _, _, _, err := post(t, server.URL+containPath, two); err == nil && l.all() != "" {
		t.Errorf("reported %q after the test's end", l.all())
	}
}

// found returns what the second validator has against a request, or an answer.
func found(t *testing.T, url string, i int, e exchange) []string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), e.method, url+e.path, strings.NewReader(e.body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range e.header {
		r.Header[name] = values
	}
	r.Header.Set(caseHeader, strconv.Itoa(i))
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	of := "request"
	if e.status != 0 {
		of = "response"
	}
	return slices.DeleteFunc(apispec.Violations(answer), func(text string) bool { return !strings.HasPrefix(text, of) })
}
