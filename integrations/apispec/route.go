package apispec

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
)

// route is one path of a document. The libraries' routers do not find a path
// whose segment holds several parameters, or which a client escapes otherwise
// than it is written.
type route struct {
	template string
	pattern  *regexp.Regexp
	names    []string
	api      *openapi3.T
	item     *openapi3.PathItem
}

func routesOf(api *openapi3.T) ([]route, error) {
	parameter := regexp.MustCompile(`\{([^{}]+)\}`)
	var routes []route
	for _, template := range api.Paths.InMatchingOrder() {
		r := route{template: template, api: api, item: api.Paths.Value(template)}
		expression, at := "^", 0
		for _, m := range parameter.FindAllStringSubmatchIndex(template, -1) {
			expression += regexp.QuoteMeta(template[at:m[0]]) + "([^/]+?)"
			r.names = append(r.names, template[m[2]:m[3]])
			at = m[1]
		}
		var err error
		if r.pattern, err = regexp.Compile(expression + regexp.QuoteMeta(template[at:]) + "$"); err != nil {
			return nil, fmt.Errorf("path %q: %w", template, err)
		}
		routes = append(routes, r)
	}
	// The path with more of its own text is meant before one with parameters.
	slices.SortStableFunc(routes, func(a, b route) int {
		return cmp.Compare(own(b.template, parameter), own(a.template, parameter))
	})
	return routes, nil
}

func own(template string, parameter *regexp.Regexp) int {
	return len(parameter.ReplaceAllString(template, ""))
}

// find returns the operation that a request addresses, and the values in its path.
func (s *Spec) find(method string, u *url.URL) (*routers.Route, map[string]string, error) {
	// An escaped slash is part of a value; all else is compared unescaped.
	path := strings.ReplaceAll(u.EscapedPath(), "%2F", "%252F")
	path, err := url.PathUnescape(strings.ReplaceAll(path, "%2f", "%252F"))
	if err != nil {
		return nil, nil, fmt.Errorf("path %q: %w", u.EscapedPath(), err)
	}
	var elsewhere []string
	for _, d := range s.documents {
		for _, r := range d.routes {
			m := r.pattern.FindStringSubmatch(path)
			if m == nil {
				continue
			}
			operation := r.item.GetOperation(method)
			if operation == nil {
				elsewhere = append(elsewhere, r.template)
				continue
			}
			values := map[string]string{}
			for i, name := range r.names {
				values[name] = strings.ReplaceAll(m[i+1], "%2F", "/")
			}
			return &routers.Route{Spec: r.api, Path: r.template, PathItem: r.item, Method: method, Operation: operation}, values, nil
		}
	}
	if len(elsewhere) > 0 {
		return nil, nil, fmt.Errorf("the path %s takes no method %s", strings.Join(elsewhere, ", "), method)
	}
	return nil, nil, fmt.Errorf("there is no path %q", path)
}
