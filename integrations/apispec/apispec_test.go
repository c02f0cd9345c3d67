package apispec_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/apispec"
)

// exchange is a request, or an answer to one, and what is wrong with it: a part
// of the complaint, or nothing. Every request is sent to the second validator,
// too, unless it is told what only ours finds.
type exchange struct {
	name   string
	spec   string
	method string
	path   string
	header http.Header
	body   string
	// Of an answer, its status and its body; a request has none.
	status int
	answer string
	wrong  string
	// theirs is a part of what the second validator must say, if it must be that.
	theirs string
	// ours is why the second validator judges otherwise, if it does.
	ours string
}

func (e exchange) request(t *testing.T) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), e.method, e.path, strings.NewReader(e.body))
	for name, values := range e.header {
		r.Header[name] = values
	}
	return r
}

// document reads a JSON document of testdata.
func document(t *testing.T, name string) map[string]json.RawMessage {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(text, &parts); err != nil {
		t.Fatal(err)
	}
	return parts
}

func headers(pairs ...string) http.Header {
	h := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		h.Set(pairs[i], pairs[i+1])
	}
	return h
}

func bearer() http.Header {
	return headers("Authorization", "Bearer token-of-this-test", "Content-Type", "application/json")
}

func judge(t *testing.T, exchanges []exchange) {
	t.Helper()
	specs := map[string]*apispec.Spec{}
	for _, e := range exchanges {
		t.Run(e.name, func(t *testing.T) {
			spec := specs[e.spec]
			if spec == nil {
				spec = apispec.Load(t, e.spec)
				specs[e.spec] = spec
			}
			var err error
			if e.status == 0 {
				err = spec.CheckRequest(e.request(t), []byte(e.body))
			} else {
				err = spec.CheckAnswer(e.method, e.path, e.status, headers("Content-Type", "application/json"), []byte(e.answer))
			}
			switch {
			case e.wrong == "" && err != nil:
				t.Errorf("refused: %v", err)
			case e.wrong != "" && err == nil:
				t.Errorf("accepted, want a complaint with %q", e.wrong)
			case e.wrong != "" && !strings.Contains(err.Error(), e.wrong):
				t.Errorf("got %v, want a complaint with %q", err, e.wrong)
			}
		})
	}
}
