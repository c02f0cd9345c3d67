package crowdstrike

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// aid is a device of these tests.
const aid = "877761efa8db44d7a9c1f8d22fd1a0b4"

// recorder is a server that answers by path as a test says, and keeps what it was asked.
type recorder struct {
	mu      sync.Mutex
	answers map[string][]reply
	asked   []asked
}

// reply is an answer; the last one of a path is given again and again.
type reply struct {
	status int
	body   string
}

type asked struct{ method, path, query, body string }

// ok is an answer with resources.
func ok(resources string) reply {
	return reply{http.StatusOK, `{"meta":{"trace_id":"4f9e"},"errors":[],"resources":` + resources + `}`}
}

// falcon returns a customer of whom a recorder answers. Its answers are by method and
// path.
func falcon(t *testing.T, answers map[string][]reply) (*Falcon, *recorder) {
	t.Helper()
	r := &recorder{answers: answers}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	f, err := open(Config{
		ClientID: "client", ClientSecret: "hush-hush", Cloud: "us-1", Repository: defaultRepository, URL: server.URL,
		Access: httpx.Access{Timeout: 10 * time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f, r
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	w.Header().Set("Content-Type", "application/json")
	if req.URL.Path == tokenPath {
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"access_token":"token","token_type":"bearer","expires_in":1799}`)
		return
	}
	r.mu.Lock()
	r.asked = append(r.asked, asked{req.Method, req.URL.Path, req.URL.RawQuery, string(body)})
	key := req.Method + " " + req.URL.Path
	list := r.answers[key]
	if len(list) > 1 {
		r.answers[key] = list[1:]
	}
	r.mu.Unlock()
	if len(list) == 0 {
		w.WriteHeader(http.StatusNotFound)
		_, _ = io.WriteString(w, `{"errors":[{"code":404,"message":"there is none"}],"resources":[]}`)
		return
	}
	w.WriteHeader(list[0].status)
	_, _ = io.WriteString(w, list[0].body)
}

// requests are what was asked, without tokens and what tidies up.
func (r *recorder) requests() []asked {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(r.asked), func(a asked) bool { return a.method == http.MethodDelete })
}

// writes are the requests that change something.
func (r *recorder) writes() []asked {
	return slices.DeleteFunc(r.requests(), func(a asked) bool {
		return a.method == http.MethodGet || a.path != actionsPath && a.path != tagsPath && !strings.HasPrefix(a.path, "/real-time-response/entities/a")
	})
}

func target(t *testing.T, id string) incident.Target {
	t.Helper()
	var made incident.Target
	data, err := json.Marshal(map[string]string{"id": id})
	if err == nil {
		err = json.Unmarshal(data, &made)
	}
	if err != nil {
		t.Fatal(err)
	}
	return made
}

func isolation(t *testing.T, id string) incident.Order {
	t.Helper()
	return incident.Order{Key: "lease/1", Action: incident.Isolate, Target: target(t, id), Reason: "test"}
}
