package apispec

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// Parsed returns a description that is not one of ours, made as strict as ours.
func Parsed(name string, text, overlay []byte) (*Spec, error) {
	d, err := parse(name, text, overlay)
	if err != nil {
		return nil, err
	}
	return &Spec{documents: []*document{d}}, nil
}

// Lacks returns what one description names and another does not: operations, and
// parameters of queries.
func (s *Spec) Lacks(other *Spec) []string {
	var lacking []string
	for _, r := range s.documents[0].routes {
		for method, operation := range r.item.Operations() {
			there := other.operation(method, r.template)
			if there == nil {
				lacking = append(lacking, method+" "+r.template)
				continue
			}
			for _, p := range operation.Parameters {
				if p.Value.In == "query" && there.Parameters.GetByInAndName("query", p.Value.Name) == nil {
					lacking = append(lacking, method+" "+r.template+" "+p.Value.Name)
				}
			}
		}
	}
	return lacking
}

func (s *Spec) operation(method, template string) *openapi3.Operation {
	for _, r := range s.documents[0].routes {
		if r.template == template {
			return r.item.GetOperation(method)
		}
	}
	return nil
}

// Prism puts the second validator in front of a handler. It passes everything on,
// and says in a header what it found.
func (s *Spec) Prism(tb testing.TB, next http.Handler) string { return s.prism(tb, next, "tell") }

// NeedPrism skips a test where the second validator is not installed.
func (s *Spec) NeedPrism(tb testing.TB) {
	if _, ok := s.findPrism(tb); !ok {
		skipWithoutPrism(tb)
	}
}

// Violations are what the second validator has against a request or its answer.
func Violations(a *http.Response) []string { return violations(a) }

// Place is where a description has a schema: of a request, or of an answer with
// this status.
type Place struct {
	Method, Path string
	Status       int
}

// Places returns where the description has a schema for JSON, with paths that
// name something in place of each parameter. Of a path with several parameters in
// a part the second validator knows nothing.
func (s *Spec) Places() []Place {
	parameter := regexp.MustCompile(`\{[^{}]+\}`)
	var places []Place
	for _, r := range s.documents[0].routes {
		path := parameter.ReplaceAllString(r.template, "1")
		for method, operation := range r.item.Operations() {
			if strings.Contains(path, "(") {
				continue
			}
			if b := operation.RequestBody; b != nil && b.Value.Content["application/json"] != nil {
				places = append(places, Place{method, path, 0})
			}
			for code, answer := range operation.Responses.Map() {
				if status, err := strconv.Atoi(code); err == nil && answer.Value.Content["application/json"] != nil {
					places = append(places, Place{method, path, status})
				}
			}
		}
	}
	return places
}
