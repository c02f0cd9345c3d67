package apispec

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// call is a request that was found in a description.
type call struct {
	route *routers.Route
	input *openapi3filter.RequestValidationInput
}

// CheckRequest returns what is wrong with a request, or nil. Of the request it
// reads method, URL and headers; its body is given apart, and left unread.
func (s *Spec) CheckRequest(r *http.Request, body []byte) error {
	_, err := s.request(r, body)
	return err
}

// CheckAnswer returns what is wrong with an answer to a request with this method
// and path, or nil. The path is escaped as in a URL, and holds no query.
func (s *Spec) CheckAnswer(method, path string, status int, header http.Header, body []byte) error {
	u, err := url.ParseRequestURI(path)
	if err != nil {
		return err
	}
	c, err := s.call(&http.Request{Method: method, URL: u, Header: http.Header{}})
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return c.answer(status, header, body)
}

func (s *Spec) call(r *http.Request) (*call, error) {
	route, values, err := s.find(r.Method, r.URL)
	if err != nil {
		return nil, err
	}
	return &call{route, &openapi3filter.RequestValidationInput{
		Request:     r,
		PathParams:  values,
		QueryParams: r.URL.Query(),
		Route:       route,
		Options: &openapi3filter.Options{
			MultiError:            true,
			IncludeResponseStatus: true,
			SkipSettingDefaults:   true,
			AuthenticationFunc:    authenticated,
		},
	}}, nil
}

func (s *Spec) request(r *http.Request, body []byte) (*call, error) {
	c, err := s.call(r)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", r.Method, r.URL.EscapedPath(), err)
	}
	// The libraries may read and replace what they are given.
	own := r.Clone(r.Context())
	own.Body, own.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	c.input.Request = own
	problems := c.queryProblems()
	operation := c.route.Operation
	if operation.Security != nil && len(*operation.Security) == 0 && r.Header.Get("Authorization") != "" {
		problems = append(problems, "credentials: the operation takes none in a header, and they would be given to whom they are not for")
	}
	switch {
	case operation.Deprecated:
		problems = append(problems, "the vendor retires this operation: "+operation.Description)
	case operation.RequestBody == nil && len(body) > 0:
		problems = append(problems, "the operation takes no body")
	case len(body) > 0 && isJSON(r.Header):
		if err := wellFormed(body); err != nil {
			problems = append(problems, "body: "+err.Error())
		}
	}
	if err := openapi3filter.ValidateRequest(r.Context(), c.input); err != nil {
		problems = append(problems, describe(err)...)
	}
	return c, c.complaint("request", problems)
}

// answer judges an answer to the call.
func (c *call) answer(status int, header http.Header, body []byte) error {
	of := fmt.Sprintf("answer %d", status)
	// The library takes some redirects for granted.
	if c.route.Operation.Responses.Status(status) == nil && c.route.Operation.Responses.Default() == nil {
		return c.complaint(of, []string{fmt.Sprintf("the operation has no such answer, but %s", strings.Join(slices.Sorted(maps.Keys(c.route.Operation.Responses.Map())), ", "))})
	}
	var problems []string
	if isJSON(header) {
		if err := wellFormed(body); err != nil {
			problems = append(problems, "body: "+err.Error())
		}
	}
	err := openapi3filter.ValidateResponse(context.Background(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: c.input,
		Status:                 status,
		Header:                 header,
		Body:                   io.NopCloser(bytes.NewReader(body)),
		Options:                c.input.Options,
	})
	if err != nil {
		problems = append(problems, describe(err)...)
	}
	return c.complaint(of, problems)
}

func (c *call) complaint(of string, problems []string) error {
	if len(problems) == 0 {
		return nil
	}
	return fmt.Errorf("%s %s: %s:\n\t%s", c.route.Method, c.route.Path, of, strings.Join(problems, "\n\t"))
}

// queryProblems finds what the library accepts in a query: a parameter that does
// not exist, one that is repeated though it holds one value, and a list in one
// text where the vendor takes repeated parameters.
func (c *call) queryProblems() []string {
	var problems []string
	if _, err := url.ParseQuery(c.input.Request.URL.RawQuery); err != nil {
		problems = append(problems, "query: "+err.Error())
	}
	for _, name := range slices.Sorted(maps.Keys(c.input.QueryParams)) {
		values := c.input.QueryParams[name]
		p := c.route.Operation.Parameters.GetByInAndName(openapi3.ParameterInQuery, name)
		if p == nil {
			p = c.route.PathItem.Parameters.GetByInAndName(openapi3.ParameterInQuery, name)
		}
		if p == nil {
			problems = append(problems, fmt.Sprintf("query %q: there is no such parameter", name))
			continue
		}
		list := p.Schema != nil && p.Schema.Value.Type.Is(openapi3.TypeArray)
		repeated := list && (p.Explode == nil || *p.Explode)
		if len(values) > 1 && !repeated {
			problems = append(problems, fmt.Sprintf("query %q: %d times, but it is not repeated", name, len(values)))
		}
		if repeated && slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, ",") }) {
			problems = append(problems, fmt.Sprintf("query %q: several values in one, but it is repeated for each", name))
		}
	}
	return problems
}

func isJSON(header http.Header) bool {
	mime, _, _ := strings.Cut(header.Get("Content-Type"), ";")
	return strings.TrimSpace(strings.ToLower(mime)) == "application/json"
}

// authenticated reports whether a request carries credentials of the kind that
// an operation wants. What they are worth is for the double to say.
func authenticated(_ context.Context, in *openapi3filter.AuthenticationInput) error {
	r, scheme := in.RequestValidationInput.Request, in.SecurityScheme
	switch {
	case scheme.Type == "http" && scheme.Scheme == "basic":
		if user, _, ok := r.BasicAuth(); !ok || user == "" {
			return errors.New("expected a header Authorization of a user and a password")
		}
		return nil
	case scheme.Type == "http":
		return prefixed(r.Header, "Authorization", "Bearer ")
	case scheme.Type == "apiKey" && scheme.In == "header":
		prefix, _ := scheme.Extensions["x-prefix"].(string)
		return prefixed(r.Header, scheme.Name, prefix)
	}
	return fmt.Errorf("unknown kind of credentials %q", scheme.Type)
}

// prefixed never repeats the value: tests may run with real credentials.
func prefixed(header http.Header, name, prefix string) error {
	values := header.Values(name)
	if len(values) != 1 || len(values[0]) <= len(prefix) || values[0][:len(prefix)] != prefix {
		return fmt.Errorf("expected one header %s, %q and a value", name, prefix)
	}
	return nil
}

// describe turns the library's errors into one line each: where, what was
// expected, and what was found.
func describe(err error) []string {
	switch e := err.(type) { //nolint:errorlint // each layer is unwrapped by its own case
	case openapi3.MultiError:
		var all []string
		for _, inner := range e {
			all = append(all, describe(inner)...)
		}
		return all
	case *openapi3filter.RequestError:
		where := "body"
		if e.Parameter != nil {
			where = fmt.Sprintf("%s %q", e.Parameter.In, e.Parameter.Name)
		}
		return located(where, e.Reason, e.Err)
	case *openapi3filter.ResponseError:
		return located("body", e.Reason, e.Err)
	case *openapi3filter.SecurityRequirementsError:
		return []string{fmt.Sprintf("credentials: %v", errors.Join(e.Errors...))}
	case *openapi3.SchemaError:
		at := "/" + strings.Join(e.JSONPointer(), "/")
		line := fmt.Sprintf("%s: %s (rule %s, found %.80q)", at, e.Reason, e.SchemaField, fmt.Sprint(e.Value))
		// Of alternatives, why each was refused.
		if e.Origin != nil {
			return append([]string{line}, describe(e.Origin)...)
		}
		return []string{line}
	}
	return []string{err.Error()}
}

func located(where, reason string, cause error) []string {
	if cause == nil {
		return []string{where + ": " + reason}
	}
	lines := describe(cause)
	for i, line := range lines {
		lines[i] = where + " " + line
	}
	return lines
}
