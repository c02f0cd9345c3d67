package httpapi_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/httpapi"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// doors are the routes that require no right, each with why.
var doors = map[string]httpapi.Door{
	// The machine's own health, and counters without names.
	"GET /healthz": httpapi.DoorOpen,
	"GET /readyz":  httpapi.DoorOpen,
	"GET /metrics": httpapi.DoorOpen,

	// The source's credential, and the messenger's signature.
	"POST /v1/alerts/{source}":      httpapi.DoorSender,
	"POST /v1/alerts/{source}/test": httpapi.DoorSender,
	"POST /v1/interactions/use":     httpapi.DoorSender,

	// The case knows its approvers.
	"POST /v1/cases/{playbook}/{subject}/decide": httpapi.DoorPerson,
}

// rightOnly is a person with these rights alone, whose token is their id.
func rightOnly(id string, may ...incident.Right) httpapi.Person {
	p := person(id, id)
	p.May = may
	return p
}

// allBut are all rights but one.
func allBut(right incident.Right) []incident.Right {
	return slices.DeleteFunc(incident.Rights(), func(r incident.Right) bool { return r == right })
}

// routesOf returns a receiver for some people, and its routes.
func routesOf(t *testing.T, people ...httpapi.Person) (*side, []httpapi.Route) {
	t.Helper()
	o := options(t)
	o.Log, o.People = slog.New(slog.DiscardHandler), people
	r := httpapi.New(o)
	r.Interactions("use", http.NotFoundHandler())
	return newSide(t, func(into *httpapi.Options) { *into = o }), r.Routes()
}

// pathOf fills the wildcards of a pattern with an id that does not exist.
func pathOf(pattern string) (method, path string) {
	method, path, _ = strings.Cut(pattern, " ")
	return method, strings.NewReplacer("{playbook}", "contain", "{subject}", "nobody", "{source}", "siem", "{id}", "0").Replace(path)
}

// Every route has a right, or is in the list of those that require none.
func TestEveryRouteHasADoor(t *testing.T) {
	_, routes := routesOf(t)
	if len(routes) < 18 {
		t.Fatalf("there are %d routes", len(routes))
	}
	for _, route := range routes {
		if want, ok := doors[route.Pattern]; ok {
			if route.Door != want {
				t.Errorf("%s is %q, want %q", route.Pattern, route.Door, want)
			}
		} else if !slices.Contains(incident.Rights(), incident.Right(route.Door)) {
			t.Errorf("%s takes no right: its door is %q", route.Pattern, route.Door)
		}
	}
}

// A route is reached with its right alone, and not with all the others.
func TestARouteTakesItsRight(t *testing.T) {
	var people []httpapi.Person
	for _, right := range incident.Rights() {
		people = append(people, rightOnly("only-"+string(right), right), rightOnly("all-but-"+string(right), allBut(right)...))
	}
	people = append(people, rightOnly("nothing"))
	s, routes := routesOf(t, people...)
	for _, route := range routes {
		if _, ok := doors[route.Pattern]; ok {
			continue
		}
		method, path := pathOf(route.Pattern)
		for _, who := range []string{"nothing", "all-but-" + string(route.Door)} {
			refused := s.call(method, path, who, nil).refused(http.StatusForbidden, "forbidden")
			if refused.Missing != string(route.Door) || !strings.Contains(refused.Error, string(route.Door)) {
				t.Errorf("%s told %s: %+v", route.Pattern, who, refused)
			}
		}
		if a := s.call(method, path, "only-"+string(route.Door), nil); a.status == http.StatusForbidden || a.status == http.StatusUnauthorized {
			t.Errorf("%s with its right: %d %s", route.Pattern, a.status, a.body)
		}
		s.call(method, path, "stranger", nil).refused(http.StatusUnauthorized, "unauthorized")
	}
}

// A thousand requests of each kind by a person who has every other right change
// nothing: active leases stay active, and containment is not paused.
func TestAThousandRequestsWithoutTheRight(t *testing.T) {
	owner := newSide(t)
	h := host(t)
	ref := owner.send(alert("a", "high_egress", h)).Cases[0]
	before := owner.until(ref, "the host is contained", contained)
	lease := before.Steps[0].Lease
	requests := map[incident.Right][]struct {
		method, path string
		body         any
	}{
		incident.MayRead:    {{"GET", "/v1/cases/" + ref.ID, nil}, {"GET", "/v1/leases", nil}, {"GET", "/v1/budget", nil}, {"GET", "/v1/cases?status=open", nil}},
		incident.MayRelease: {{"POST", "/v1/leases/release", api.LeaseRequest{ID: lease, Reason: "r"}}, {"POST", "/v1/release", api.SinceRequest{Since: time.Hour, Reason: "r"}}, {"POST", "/v1/cases/" + ref.ID + "/close", api.ReasonRequest{Reason: "r"}}},
		incident.MayExtend:  {{"POST", "/v1/leases/extend", api.LeaseRequest{ID: lease, Reason: "r", For: 13 * 24 * time.Hour}}},
		incident.MayPause:   {{"POST", "/v1/pause", api.ReasonRequest{Reason: "r"}}, {"POST", "/v1/resume", api.ReasonRequest{Reason: "r"}}},
		incident.MayRetry:   {{"POST", "/v1/rejected/siem/0/retry", nil}},
	}
	for _, right := range incident.Rights() {
		s, _ := routesOf(t, rightOnly("eve", allBut(right)...), rightOnly("reader"))
		for i := range 1000 {
			r := requests[right][i%len(requests[right])]
			who := "eve"
			if i%10 == 9 {
				who = "reader"
			}
			a := s.call(r.method, r.path, who, r.body)
			if a.status != http.StatusForbidden || strings.Contains(string(a.body), h) {
				t.Fatalf("request %d without %s: %s %s: %d %s", i, right, r.method, r.path, a.status, a.body)
			}
		}
	}
	after := owner.show(ref.ID, ref.Run)
	if !contained(after) || !after.Steps[0].Until.Equal(before.Steps[0].Until) || len(after.Timeline) < len(before.Timeline) {
		t.Errorf("the case is %s, its lease until %s, before %s", after.Status, after.Steps[0].Until, before.Steps[0].Until)
	}
	var budget protocol.BudgetState
	if owner.call("GET", "/v1/budget", aliceToken, nil).is(200, &budget); budget.Paused != nil {
		t.Errorf("containment is paused by %s", budget.Paused.By)
	}
}

// docs/security.md has one row for each right, with every route that requires it.
func TestTheTableOfRightsIsWhole(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "security.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, routes := routesOf(t)
	for _, right := range incident.Rights() {
		at := strings.Index(string(text), fmt.Sprintf("| `%s` |", right))
		if at < 0 {
			t.Errorf("docs/security.md has no row for %s", right)
			continue
		}
		row, _, _ := strings.Cut(string(text)[at:], "\n")
		for _, route := range routes {
			if has := strings.Contains(row, "`"+route.Pattern+"`"); has != (route.Door == httpapi.Door(right)) {
				t.Errorf("the row of %s has %s: %t", right, route.Pattern, has)
			}
		}
	}
}
