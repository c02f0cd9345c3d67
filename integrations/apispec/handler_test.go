package apispec_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stanch-soar/stanch/integrations/apispec"
)

// listener is a test that only hears what is reported to it.
type listener struct {
	testing.TB
	mu     sync.Mutex
	heard  []string
	atEnd  []func()
	ended  bool
	forged bool
}

func (l *listener) Errorf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = append(l.heard, fmt.Sprintf(format, args...))
	l.forged = l.forged || l.ended
}

func (l *listener) Cleanup(f func()) { l.atEnd = append(l.atEnd, f) }

func (l *listener) end() {
	for _, f := range l.atEnd {
		f()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = true
}

func (l *listener) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.heard, "\n")
}

const contained = `{"meta":{"query_time":0.1,"trace_id":"t"},"errors":[],"resources":[]}`

func serve(t *testing.T, l *listener, next http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(apispec.Load(t, "crowdstrike").Handler(l, next))
	t.Cleanup(server.Close)
	return server.URL + "/devices/entities/devices-actions/v2?action_name=contain"
}

func post(t *testing.T, url, body string) (int, http.Header, string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = bearer()
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer.StatusCode, answer.Header, string(text), err
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		// The judge has read the body, and leaves it to be read.
		if sent, err := io.ReadAll(r.Body); err != nil || !strings.Contains(string(sent), "ids") {
			http.Error(w, "the body is gone", http.StatusTeapot)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Of-The-Double", "kept")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestHandlerPassesWhatIsRight(t *testing.T) {
	l := &listener{TB: t}
	status, header, body, err := post(t, serve(t, l, says(202, contained)), `{"ids":["`+aid+`"]}`)
	if err != nil || status != 202 || body != contained || header.Get("X-Of-The-Double") != "kept" {
		t.Errorf("got %d %q %v %v, want the double's answer", status, body, header, err)
	}
	if l.all() != "" {
		t.Errorf("reported %s, want nothing", l.all())
	}
}

func TestHandlerRefusesTheClient(t *testing.T) {
	l := &listener{TB: t}
	url := serve(t, l, func(http.ResponseWriter, *http.Request) { t.Error("the double was asked") })
	status, _, _, err := post(t, url, `{"ids":["`+aid+`","`+otherAid+`"]}`)
	if err != nil || status != http.StatusBadRequest {
		t.Errorf("got %d, %v, want 400", status, err)
	}
	// Which operation, where in the body, and what was expected.
	for _, want := range []string{"POST /devices/entities/devices-actions/v2", "/ids", "maxItems"} {
		if !strings.Contains(l.all(), want) {
			t.Errorf("reported %q, want it to contain %q", l.all(), want)
		}
	}
}

func TestHandlerRefusesTheDouble(t *testing.T) {
	for name, next := range map[string]http.HandlerFunc{
		"another status": says(200, contained),
		"another body":   says(202, `{"resources":[]}`),
		"half a body":    says(202, contained[:20]),
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusMovedPermanently)
		},
		"a page": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(202)
		},
		"nothing": func(http.ResponseWriter, *http.Request) {},
	} {
		t.Run(name, func(t *testing.T) {
			l := &listener{TB: t}
			status, _, _, err := post(t, serve(t, l, next), `{"ids":["`+aid+`"]}`)
			if err != nil || status != http.StatusInternalServerError || l.all() == "" {
				t.Errorf("got %d, %v, reported %q, want 500 and a report", status, err, l.all())
			}
		})
	}
}

func TestHandlerLeavesFaultsAlone(t *testing.T) {
	fault := func(w http.ResponseWriter) { w.Header().Set(apispec.FaultHeader, "1") }
	t.Run("a page of a proxy", func(t *testing.T) {
		l := &listener{TB: t}
		status, header, body, err := post(t, serve(t, l, func(w http.ResponseWriter, _ *http.Request) {
			fault(w)
			http.Error(w, "<html>", http.StatusBadGateway)
		}), `{"ids":["`+aid+`"]}`)
		if err != nil || status != http.StatusBadGateway || !strings.Contains(body, "<html>") || header.Get(apispec.FaultHeader) != "" {
			t.Errorf("got %d %q %v %v, want the page without our header", status, body, header, err)
		}
		if l.all() != "" {
			t.Errorf("reported %s, want nothing", l.all())
		}
	})
	t.Run("half an answer", func(t *testing.T) {
		l := &listener{TB: t}
		_, _, body, err := post(t, serve(t, l, func(w http.ResponseWriter, _ *http.Request) {
			fault(w)
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"meta"`)
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}), `{"ids":["`+aid+`"]}`)
		if err == nil || body != `{"meta"` || l.all() != "" {
			t.Errorf("got %q, %v, reported %q, want the first part and an error", body, err, l.all())
		}
	})
	t.Run("a connection that is cut", func(t *testing.T) {
		l := &listener{TB: t}
		_, _, _, err := post(t, serve(t, l, func(w http.ResponseWriter, _ *http.Request) {
			fault(w)
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_ = conn.Close()
		}), `{"ids":["`+aid+`"]}`)
		if err == nil || l.all() != "" {
			t.Errorf("got %v, reported %q, want an error of the connection", err, l.all())
		}
	})
	t.Run("the request is judged all the same", func(t *testing.T) {
		l := &listener{TB: t}
		if status, _, _, err := post(t, serve(t, l, func(w http.ResponseWriter, _ *http.Request) { fault(w) }), `{"ids":[]}`); err != nil || status != 400 || l.all() == "" {
			t.Errorf("got %d, %v, reported %q, want 400 and a report", status, err, l.all())
		}
	})
}

func TestHandlerIsSilentAfterItsTest(t *testing.T) {
	l := &listener{TB: t}
	url := serve(t, l, says(202, contained))
	l.end()
	status, _, _, err := post(t, url, `{"ids":[]}`)
	if err != nil || status != http.StatusServiceUnavailable {
		t.Errorf("got %d, %v, want 503", status, err)
	}
	if l.forged || l.all() != "" {
		t.Errorf("reported %q after its end", l.all())
	}
}

func TestHandlerIsConcurrent(t *testing.T) {
	l := &listener{TB: t}
	url := serve(t, l, says(202, contained))
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			body, want := `{"ids":["`+aid+`"]}`, 202
			if i%2 == 1 {
				body, want = `{"ids":[]}`, 400
			}
			if status, _, _, err := post(t, url, body); err != nil || status != want {
				t.Errorf("got %d, %v, want %d", status, err, want)
			}
		})
	}
	wg.Wait()
	if got := strings.Count(l.all(), "against the description"); got != 10 {
		t.Errorf("reported %d times, want 10", got)
	}
}
