package httpapi_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/httpapi"
	"github.com/stanch-soar/stanch/cmd/internal/reference"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// described is the API's description as a reader of it sees it.
var described = sync.OnceValues(func() (routers.Router, error) {
	text, err := reference.OpenAPI()
	if err != nil {
		return nil, err
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, err
	}
	return gorillamux.NewRouter(doc)
})

// checkDescribed compares an answer of the server with the API's description:
// every answer of these tests is one that the description allows.
func checkDescribed(t *testing.T, req *http.Request, sent []byte, resp *http.Response, body []byte) {
	t.Helper()
	router, err := described()
	if err != nil {
		t.Fatal(err)
	}
	to := req.Clone(t.Context())
	to.URL = &url.URL{Path: req.URL.Path, RawPath: req.URL.RawPath, RawQuery: req.URL.RawQuery}
	to.Body = io.NopCloser(bytes.NewReader(sent))
	route, params, err := router.FindRoute(to)
	if err != nil {
		if resp.StatusCode < http.StatusBadRequest {
			t.Errorf("%s %s is answered with %d and not described: %v", req.Method, req.URL.Path, resp.StatusCode, err)
		}
		return
	}
	err = openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &openapi3filter.RequestValidationInput{Request: to, PathParams: params, Route: route},
		Status:                 resp.StatusCode, Header: resp.Header, Body: io.NopCloser(bytes.NewReader(body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
	if err != nil {
		t.Errorf("%s %s: the answer %d %.300s is not as described: %.600v", req.Method, req.URL.Path, resp.StatusCode, body, err)
	}
}

// Every route is described, and the description of no other.
func TestEveryRouteIsDescribed(t *testing.T) {
	if _, err := described(); err != nil {
		t.Fatal(err)
	}
	text, err := reference.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	var got, want []string
	for path, item := range doc.Paths.Map() {
		for method, o := range item.Operations() {
			got = append(got, method+" "+path)
			if o.Summary == "" || o.Responses.Len() == 0 {
				t.Errorf("%s %s is described without a summary or an answer", method, path)
			}
		}
	}
	r := httpapi.New(options(t))
	r.Interactions("{integration}", http.NotFoundHandler())
	for _, route := range r.Routes() {
		want = append(want, route.Pattern)
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("described are\n%s\nroutes are\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestAnswersAreAsDescribed asks every route for success, over a case that has all
// that a case can have; call compares the answers.
func TestAnswersAreAsDescribed(t *testing.T) {
	s := newSide(t)
	id := host(t)
	seen := map[string]bool{}
	ask := func(method, path string, body any) answer {
		t.Helper()
		a := s.call(method, path, aliceToken, body)
		if a.status >= http.StatusBadRequest {
			t.Errorf("%s %s: %d %s", method, path, a.status, a.body)
		}
		seen[method+" "+path] = true
		return a
	}
	s.send(alert("described-1", "ask", id))
	var c incident.Case
	for deadline := time.Now().Add(time.Minute); len(c.Approvals) == 0; {
		ask("GET", "/v1/cases/ask/"+id, nil).is(http.StatusOK, &c)
		if time.Now().After(deadline) {
			t.Fatalf("nobody is asked: %+v", c.Status)
		}
	}
	ask("POST", "/v1/cases/ask/"+id+"/decide", api.DecideRequest{Approve: true, Plan: c.Approvals[0].PlanDigest})
	for deadline := time.Now().Add(time.Minute); c.Status != incident.Contained; {
		ask("GET", "/v1/cases/ask/"+id, nil).is(http.StatusOK, &c)
		if time.Now().After(deadline) {
			t.Fatalf("the host is not contained: %s", c.Status)
		}
	}
	var leases api.LeaseList
	ask("GET", "/v1/leases", nil).is(http.StatusOK, &leases)
	ask("GET", "/v1/leases/drift", nil)
	ask("GET", "/v1/cases?status=open&limit=5", nil)
	lease := c.Steps[len(c.Steps)-1].Lease
	ask("POST", "/v1/leases/extend", api.LeaseRequest{ID: lease, Reason: "forensics", For: 2 * time.Hour})
	ask("POST", "/v1/leases/release", api.LeaseRequest{ID: lease, Reason: "cleaned"})
	ask("POST", "/v1/cases/ask/"+id+"/close", api.ReasonRequest{Reason: "the tests are over"})
	ask("GET", "/v1/budget", nil)
	ask("GET", "/healthz", nil)
	ask("GET", "/readyz", nil)
	ask("GET", "/metrics", nil)
	s.call("POST", "/v1/alerts/siem", siemToken, several(alert("described-2", "note", id), `{"id":"described-3","host":{"port":1}}`)).is(http.StatusAccepted, nil)
	var rejected api.RejectedList
	ask("GET", "/v1/rejected", nil).is(http.StatusOK, &rejected)
	for path, body := range map[string]any{"/v1/cases/no/such/close": api.ReasonRequest{Reason: "r"}, "/v1/pause": api.ReasonRequest{}, "/v1/leases/release": "{", "/v1/rejected/siem/none/retry": nil} {
		if a := s.call("POST", path, aliceToken, body); a.status < http.StatusBadRequest {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	s.call("GET", "/v1/cases", "", nil).is(http.StatusUnauthorized, nil)
	if len(seen) < 11 {
		t.Errorf("%d routes were asked: %v", len(seen), seen)
	}
}
