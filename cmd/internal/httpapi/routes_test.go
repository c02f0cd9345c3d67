package httpapi

import (
	"crypto/sha256"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// A route that is added without a door admits no client.
func TestARouteWithoutADoorIsShut(t *testing.T) {
	sum := sha256.Sum256([]byte("token"))
	all := Person{Person: incident.Person{ID: "alice"}, May: append(incident.Rights(), "", "raed"), TokenSHA256: sum[:]}
	r := New(Options{People: []Person{all}, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	reached := func(w http.ResponseWriter, _ *http.Request, _ incident.Person) *problem {
		reply(w, http.StatusOK, "reached")
		return nil
	}
	r.add(Route{Pattern: "GET /v1/none", person: reached})
	r.add(may("GET /v1/misspelt", "raed", reached, Operation{}))
	r.add(may("GET /v1/right", incident.MayRead, reached, Operation{}))
	for path, want := range map[string]int{"/v1/none": 403, "/v1/misspelt": 403, "/v1/right": 200} {
		req := httptest.NewRequest("GET", path, nil)
		req.Header.Set("Authorization", "Bearer token")
		w := httptest.NewRecorder()
		r.Handler().ServeHTTP(w, req)
		if w.Code != want {
			t.Errorf("%s: %d %s, want %d", path, w.Code, w.Body, want)
		}
	}
}

// Every route is added to the mux by add, which requires the door.
func TestRoutesAreMountedInOnePlace(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		n += strings.Count(string(text), ".Handle(") + strings.Count(string(text), ".HandleFunc(")
	}
	if n != 1 {
		t.Errorf("routes are mounted in %d places, want in add alone", n)
	}
}
