// Package apispec judges what an integration sends to a vendor's API, and what a
// double of that API answers, by a description of the API that is part of
// neither. It is for tests only: a client and its double that agree with each
// other but not with the vendor are found here.
//
// The descriptions are OpenAPI documents in the folder schemas; each says where
// its facts are from. They are read more strictly than they are written: an
// object takes no unknown keys, formats of texts are checked, and a write names
// exactly one host.
package apispec

import (
	"embed"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

//go:embed schemas
var schemas embed.FS

// Spec describes one API, or several that are served together.
type Spec struct {
	documents []*document
}

// document is one OpenAPI document as it is judged by, with what was added.
type document struct {
	name   string
	text   []byte
	api    *openapi3.T
	routes []route
}

// Names returns the names that Load takes.
func Names() []string {
	entries, _ := schemas.ReadDir("schemas")
	var names []string
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".openapi.yaml"); ok {
			names = append(names, name)
		} else if name, ok := strings.CutSuffix(e.Name(), ".openapi.json"); ok {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// Load returns the descriptions with these names, of which each request is judged
// by the first that knows its path: a double that serves several APIs of a vendor
// on one address loads them all. An unknown name, and a document that cannot be
// read, end the test. Loading takes some 50 ms.
func Load(tb testing.TB, names ...string) *Spec {
	tb.Helper()
	s := &Spec{}
	for _, name := range names {
		d, err := load(name)
		if err != nil {
			tb.Fatalf("load the description %q: %v", name, err)
		}
		s.documents = append(s.documents, d)
	}
	return s
}

func load(name string) (*document, error) {
	if !slices.Contains(Names(), name) {
		return nil, fmt.Errorf("there is none of that name, but %s", strings.Join(Names(), ", "))
	}
	text, err := schemas.ReadFile("schemas/" + name + ".openapi.yaml")
	if err != nil {
		text, err = schemas.ReadFile("schemas/" + name + ".openapi.json")
	}
	if err != nil {
		return nil, err
	}
	// Where a document is somebody else's, what we add is kept apart from it.
	overlay, err := schemas.ReadFile("schemas/" + name + ".overlay.json")
	if err != nil {
		overlay = []byte("{}")
	}
	return parse(name, text, overlay)
}

// parse makes a document strict and ready to judge by.
func parse(name string, text, overlay []byte) (*document, error) {
	strict, err := tighten(text, overlay)
	if err != nil {
		return nil, err
	}
	api, err := openapi3.NewLoader().LoadFromData(strict)
	if err != nil {
		return nil, fmt.Errorf("read with what is added: %w", err)
	}
	routes, err := routesOf(api)
	if err != nil {
		return nil, err
	}
	return &document{name: name, text: strict, api: api, routes: routes}, nil
}
