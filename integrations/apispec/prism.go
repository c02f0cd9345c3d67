package apispec

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

//go:embed prism
var server embed.FS

// violationsHeader is where prism says what it has against a request or an answer.
const violationsHeader = "Sl-Violations"

// Prism puts a second validator, which others wrote, in front of a handler, and
// returns its address. It reads the same strict description, and refuses what is
// against it: a request with a status of 4xx before the handler sees it, an
// answer with 500. Both are application/problem+json. It runs until the test
// ends, and takes seconds to start. Without it the test is skipped.
//
// It does not find everything that Handler does: it ignores parameters that it
// does not know, and what stands before a token.
func Prism(tb testing.TB, name string, next http.Handler) string {
	tb.Helper()
	return Load(tb, name).prism(tb, next, "refuse")
}

func (s *Spec) prism(tb testing.TB, next http.Handler, mode string) string {
	tb.Helper()
	run, ok := s.findPrism(tb)
	if !ok {
		skipWithoutPrism(tb)
	}
	return run(next, mode)
}

func skipWithoutPrism(tb testing.TB) {
	tb.Helper()
	tb.Skip("SKIPPED: the validator prism 5.14.2 is not installed")
}

// Second returns a handler that asks next through prism, whose description is
// this one: what prism has against a request, or against an answer, is an error of
// the test. It passes everything on. Behind [Spec.Handler] it judges a double and a
// client a second time. Paths with several parameters in a part prism does not know:
// next is asked for these without it.
//
// Where prism is not installed, next is returned as it is. It is an error of the test
// where STANCH_PRISM says that it is.
func (s *Spec) Second(tb testing.TB, next http.Handler) http.Handler {
	tb.Helper()
	run, ok := s.findPrism(tb)
	if !ok {
		return next
	}
	behind, err := url.Parse(run(next, "tell"))
	if err != nil {
		tb.Fatalf("the address of prism: %v", err)
	}
	judge := &judge{tb: tb}
	tb.Cleanup(judge.end)
	through := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(behind) },
		ModifyResponse: func(a *http.Response) error {
			// Of what is no answer of the vendor's nothing is asked.
			if a.Header.Get(FaultHeader) == "" {
				for _, text := range violations(a) {
					if strings.HasPrefix(text, "request.path.") && strings.Contains(a.Request.URL.Path, ",") {
						continue // a text with a comma it takes for a list
					}
					judge.errorf("prism, against the description of the API: %s %s: answer %d: %s", a.Request.Method, a.Request.URL.Path, a.StatusCode, text)
				}
			}
			a.Header.Del(violationsHeader)
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			// Of a client that went away nothing is said, and nobody is answered.
			if r.Context().Err() == nil {
				judge.errorf("ask prism: %s %s: %v", r.Method, r.URL.Path, err)
			}
			w.Header().Set(FaultHeader, "no answer")
			w.WriteHeader(http.StatusBadGateway)
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if route, _, err := s.find(r.Method, r.URL); err == nil && strings.Contains(route.Path, "(") {
			next.ServeHTTP(w, r)
			return
		}
		through.ServeHTTP(w, r)
	})
}

// violations are what prism has against a request or its answer, each with where it
// found it.
func violations(a *http.Response) []string {
	var texts []string
	// Where it refuses, prism answers what has no operation itself.
	if strings.HasPrefix(a.Header.Get("Content-Type"), "application/problem+json") {
		texts = append(texts, "request: there is no such operation")
	}
	said := a.Header.Get(violationsHeader)
	if said == "" {
		return texts
	}
	var all []struct {
		Location []string
		Message  string
	}
	if err := json.Unmarshal([]byte(said), &all); err != nil {
		// There are more than a header holds.
		return append(texts, said)
	}
	for _, v := range all {
		texts = append(texts, strings.Join(v.Location, ".")+": "+v.Message)
	}
	return texts
}

// findPrism returns what starts prism in front of a handler, if it is installed.
func (s *Spec) findPrism(tb testing.TB) (run func(next http.Handler, mode string) (address string), ok bool) {
	tb.Helper()
	node, program, ok := inNode("STANCH_PRISM", "@stoplight", "prism-cli", "dist", "index.js")
	if !ok {
		if folder := os.Getenv("STANCH_PRISM"); folder != "" {
			tb.Fatalf("the validator prism is not installed in %q, which STANCH_PRISM names, or there is no Node.js", folder)
		}
		return nil, false
	}
	return func(next http.Handler, mode string) string {
		tb.Helper()
		address, err := s.startPrism(tb, node, program, next, mode)
		if err != nil {
			tb.Fatalf("start prism: %v", err)
		}
		return address
	}, true
}

func (s *Spec) startPrism(tb testing.TB, node, program string, next http.Handler, mode string) (string, error) {
	script, err := server.ReadFile("prism/serve.js")
	if err != nil {
		return "", err
	}
	folder := tb.TempDir()
	var files []string
	for _, d := range s.documents {
		file := filepath.Join(folder, d.name+".json")
		if err := os.WriteFile(file, d.text, 0o600); err != nil {
			return "", err
		}
		files = append(files, file)
	}
	upstream := httptest.NewServer(next)
	tb.Cleanup(upstream.Close)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	cmd := exec.CommandContext(ctx, node, slices.Concat([]string{"-e", string(script), program, upstream.URL, mode}, files)...)
	address, err := begin(cmd, "listening on ")
	if err != nil {
		cancel()
		return "", fmt.Errorf("on %s: %w", strings.Join(files, ", "), err)
	}
	tb.Cleanup(func() { cancel(); _ = cmd.Wait() })
	return address, nil
}
