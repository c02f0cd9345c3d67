// Package sqstest judges what tests send to SQS, and what an SQS answers, by the description
// of the API from which AWS makes its own clients.
//
// It holds names, types, what is required and which values there are; ranges of numbers, and
// what an operation does, it does not hold.
package sqstest

import (
	"bytes"
	_ "embed" // The description.
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
)

//go:embed api-2.json
var description []byte

// common are the errors that every operation has beside its own. What AWS's page does not have,
// and SQS says all the same, is below.
//
// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
var common = []string{
	"AccessDeniedException", "IncompleteSignature", "InternalFailure", "InvalidAction", "InvalidClientTokenId",
	"NotAuthorized", "OptInRequired", "RequestExpired", "ServiceUnavailable", "ThrottlingException", "ValidationError",
	"InvalidParameterValue", "MissingParameter", "SerializationException", "SignatureDoesNotMatch",
}

// queryError is the code of old, and whose fault the error is.
var queryError = regexp.MustCompile(`^[A-Za-z.]+;(Sender|Receiver)$`)

type ref struct{ Shape string }

// shape is a type of the description.
type shape struct {
	Type               string
	Required, Enum     []string
	Members            map[string]ref
	Member, Key, Value ref
}

type operation struct {
	Input, Output ref
	Errors        []ref
}

type model struct {
	Metadata struct {
		JSONVersion, TargetPrefix string
		// AWSQueryCompatible says that errors have the code that they had in XML, too.
		AWSQueryCompatible *struct{}
	}
	Operations map[string]operation
	Shapes     map[string]shape
}

// Handler passes requests on to next. What the description has against a request or against its
// answer is an error of the test, which must outlive the handler.
func Handler(tb testing.TB, next http.Handler) http.Handler {
	tb.Helper()
	var m model
	if err := json.Unmarshal(description, &m); err != nil {
		tb.Fatal(err)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // The client is gone.
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		name, op, err := m.request(r, body)
		if err != nil {
			tb.Errorf("against the description of SQS: %v", err)
			next.ServeHTTP(w, r)
			return
		}
		said := httptest.NewRecorder()
		next.ServeHTTP(said, r)
		// Of what the client does not wait for nothing is asked.
		if err := m.answer(op, said); err != nil && r.Context().Err() == nil {
			tb.Errorf("against the description of SQS: %s: the answer %d: %v", name, said.Code, err)
		}
		for name, values := range said.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(said.Code)
		_, _ = w.Write(said.Body.Bytes()) // The client is gone.
	})
}

// content is the type of what is sent either way.
func (m *model) content() string { return "application/x-amz-json-" + m.Metadata.JSONVersion }

func (m *model) request(r *http.Request, body []byte) (string, operation, error) {
	name, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), m.Metadata.TargetPrefix+".")
	op, known := m.Operations[name]
	switch {
	case r.Method != http.MethodPost || r.URL.Path != "/":
		return "", op, fmt.Errorf("%s %s is not POST /", r.Method, r.URL.Path)
	case r.Header.Get("Content-Type") != m.content():
		return "", op, fmt.Errorf("the content type %q is not %s", r.Header.Get("Content-Type"), m.content())
	case !ok || !known:
		return "", op, fmt.Errorf("there is no target %q", r.Header.Get("X-Amz-Target"))
	}
	if err := m.document(op.Input, body); err != nil {
		return "", op, fmt.Errorf("%s: the request: %w", name, err)
	}
	return name, op, nil
}

func (m *model) answer(op operation, said *httptest.ResponseRecorder) error {
	if content, _, err := mime.ParseMediaType(said.Header().Get("Content-Type")); err != nil || content != m.content() {
		return fmt.Errorf("the content type %q is not %s", content, m.content())
	}
	if said.Code == http.StatusOK {
		if op.Output.Shape == "" {
			return nil
		}
		return m.document(op.Output, said.Body.Bytes())
	}
	var refusal struct {
		Type string `json:"__type"`
	}
	if err := json.Unmarshal(said.Body.Bytes(), &refusal); err != nil {
		return err
	}
	code := refusal.Type[strings.LastIndex(refusal.Type, "#")+1:]
	if said.Code < 400 || !slices.Contains(common, code) && !slices.Contains(op.Errors, ref{code}) {
		return fmt.Errorf("the operation has no error %q", refusal.Type)
	}
	if m.Metadata.AWSQueryCompatible != nil && !queryError.MatchString(said.Header().Get("X-Amzn-Query-Error")) {
		return fmt.Errorf("%s has no code of old: %q", refusal.Type, said.Header().Get("X-Amzn-Query-Error"))
	}
	return nil
}

func (m *model) document(of ref, body []byte) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return err
	}
	return m.check("", of, v)
}

// check judges a value at a place.
func (m *model) check(at string, of ref, v any) error {
	s, known := m.Shapes[of.Shape]
	if !known {
		return fmt.Errorf("%s: the description lacks %s", at, of.Shape)
	}
	switch v := v.(type) {
	case map[string]any:
		return m.fields(at, s, v)
	case []any:
		for i, element := range v {
			if s.Type != "list" {
				break
			}
			if err := m.check(fmt.Sprintf("%s/%d", at, i), s.Member, element); err != nil {
				return err
			}
		}
		return s.is(at, v, "list")
	case string:
		if len(s.Enum) > 0 && !slices.Contains(s.Enum, v) {
			return fmt.Errorf("%s: %q is none of the values of %s", at, v, of.Shape)
		}
		return s.is(at, v, "string", "blob")
	case bool:
		return s.is(at, v, "boolean")
	case json.Number:
		if _, err := v.Int64(); err != nil {
			return fmt.Errorf("%s: %w", at, err)
		}
		return s.is(at, v, "integer")
	}
	return fmt.Errorf("%s: there is a %v", at, v)
}

// fields judges a map, or a structure.
func (m *model) fields(at string, s shape, values map[string]any) error {
	for _, name := range s.Required {
		if _, ok := values[name]; !ok {
			return fmt.Errorf("%s/%s is missing", at, name)
		}
	}
	for name, value := range values {
		of := s.Value
		if s.Type == "structure" {
			var known bool
			if of, known = s.Members[name]; !known {
				return fmt.Errorf("%s/%s is not known", at, name)
			}
		} else if err := m.check(at, s.Key, name); err != nil {
			return err
		}
		if err := m.check(at+"/"+name, of, value); err != nil {
			return err
		}
	}
	return s.is(at, values, "structure", "map")
}

func (s shape) is(at string, v any, types ...string) error {
	if slices.Contains(types, s.Type) {
		return nil
	}
	return fmt.Errorf("%s: %v is no %s", at, v, s.Type)
}
