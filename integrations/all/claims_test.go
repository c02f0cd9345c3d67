package all_test

import (
	"context"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/all"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/integrations/stanch"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/library"
)

const module = "github.com/stanch-soar/stanch/"

// What a Spec claims is what its type does, and what its type does was checked
// by the contract.
func TestSpecsDoNotLie(t *testing.T) {
	for _, complaint := range complaints(t, all.Catalog()) {
		t.Error(complaint)
	}
}

// complaints checks what is registered against its types, and against the suites
// that the tests of its folders run.
func complaints(t *testing.T, catalog integrations.Catalog) []string {
	t.Helper()
	var all []string
	need := map[string]int{}
	for _, s := range catalog.Integrations {
		all = append(all, s.Lies()...)
		for _, c := range s.Capabilities() {
			call := s.Folder() + " contract." + c.Name
			if need[call]++; c.Unchecked == "" && suites(t, s.Folder())[c.Name] < need[call] {
				all = append(all, fmt.Sprintf("%s: %T of kind %s implements integrations.%s, but no test of %s runs contract.%s for it", s.Folder(), s.Implements, s.Kind, c.Name, s.Folder(), c.Name))
			}
		}
	}
	for _, s := range catalog.Sources {
		folder := folderOf(s)
		if need[folder]++; suites(t, folder)["Alerts"] < need[folder] {
			all = append(all, fmt.Sprintf("%s: no test of %s runs contract.Alerts for the source kind %s", folder, folder, s.Kind))
		}
	}
	for _, transport := range catalog.Transports {
		folder := folderIn(transport.Open)
		if need[folder+" pullers"]++; suites(t, folder)["Puller"] < need[folder+" pullers"] {
			all = append(all, fmt.Sprintf("%s: no test of %s runs contract.Puller for the transport %s", folder, folder, transport.Kind))
		}
	}
	return all
}

// Whoever asks a product over the shared client says whether it is asked, and keeps to its
// share of the product's limits.
func TestClientsShowTheirCircuitAndShareLimits(t *testing.T) {
	for _, s := range all.Catalog().Integrations {
		if len(s.Limits) > 0 && !s.Can("Sharer") {
			t.Errorf("%s: kind %s has limits, and %T does not implement integrations.Sharer", s.Folder(), s.Kind, s.Implements)
		}
		if hasClient(reflect.TypeOf(s.Implements).Elem()) && !s.Can("Breaker") {
			t.Errorf("%s: %T holds an httpx.Client, and does not implement integrations.Breaker", s.Folder(), s.Implements)
		}
	}
	if !hasClient(reflect.TypeFor[struct{ c *httpx.Client }]()) || hasClient(reflect.TypeFor[struct{ c *idle }]()) {
		t.Error("a client is not found, or found where there is none")
	}
}

func hasClient(t reflect.Type) bool {
	if t.Kind() != reflect.Struct {
		return false
	}
	return slices.ContainsFunc(reflect.VisibleFields(t), func(f reflect.StructField) bool { return f.Type == reflect.TypeFor[*httpx.Client]() })
}

// folderOf is the folder of the function that reads a source's alerts.
func folderOf(s alerts.Spec) string { return folderIn(s.Read) }

// folderIn is the folder of a function.
func folderIn(f any) string {
	name := strings.TrimPrefix(runtime.FuncForPC(reflect.ValueOf(f).Pointer()).Name(), module)
	folder, _, _ := strings.Cut(name, ".")
	return folder
}

// suites counts the calls of package contract in the tests of a folder, regardless of
// their build tags.
func suites(t *testing.T, folder string) map[string]int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("..", strings.TrimPrefix(folder, "integrations/"), "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]int{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if f, ok := call.Fun.(*ast.SelectorExpr); ok {
				if x, ok := f.X.(*ast.Ident); ok && x.Name == "contract" {
					calls[f.Sel.Name]++
				}
			}
			return true
		})
	}
	return calls
}

// idle can be opened, and has no capability.
type idle struct{}

// quiet ends processes, and its Spec does not list that.
type quiet struct{}

func (quiet) Kill(context.Context, integrations.KillOrder) (incident.Receipt, error) {
	return incident.Receipt{}, nil
}

// A planted Spec with a false claim is reported, with the place.
func TestLiesAreFound(t *testing.T) {
	planted := func(s integrations.Spec) integrations.Catalog {
		return integrations.NewCatalog(integrations.Vendor{Integrations: []integrations.Spec{s}})
	}
	for name, c := range map[string]struct {
		catalog integrations.Catalog
		want    []string
	}{
		"an EDR that does neither": {planted(integrations.Spec{Kind: "acme", Implements: (*idle)(nil), Actions: []incident.Action{incident.Isolate}, Facts: []string{"process"}}), []string{
			"integrations/all_test: kind acme claims the action isolate, but *all_test.idle does not implement integrations.Enforcer",
			"integrations/all_test: kind acme claims the fact process, but *all_test.idle does not implement integrations.Connections",
		}},
		"an action that does not exist": {planted(integrations.Spec{Kind: "acme", Implements: (*idle)(nil), Actions: []incident.Action{"teleport"}}), []string{
			"integrations/all_test: kind acme claims the action teleport, but *all_test.idle does not implement any capability for it",
		}},
		"without a type": {planted(integrations.Spec{Kind: "acme"}), []string{"kind acme has no Implements: what it can do is not known"}},
		"more than it claims": {planted(integrations.Spec{Kind: "acme", Implements: (*quiet)(nil)}), []string{
			"integrations/all_test: *all_test.quiet implements integrations.Killer, but kind acme claims none of its facts and actions",
			"integrations/all_test: *all_test.quiet of kind acme implements integrations.Killer, but no test of integrations/all_test runs contract.Killer for it",
		}},
		"a source whose folder has one suite for two kinds": {
			integrations.NewCatalog(stanch.Vendor(), stanch.Vendor()),
			[]string{"integrations/stanch: no test of integrations/stanch runs contract.Alerts for the source kind stanch"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := complaints(t, c.catalog); !slices.Equal(got, c.want) {
				t.Errorf("complaints\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// Each fact and each action of a playbook belongs to some capability.
func TestEverythingRegisteredHasACapability(t *testing.T) {
	capabilities := integrations.Capabilities()
	for _, f := range incident.FactSpecs() {
		if !slices.ContainsFunc(capabilities, func(c integrations.Capability) bool { return c.Answers == f.By }) {
			t.Errorf("the fact %s is answered by %s, which is no capability of package integrations", f.Name, f.By)
		}
	}
	for _, a := range incident.ActionSpecs() {
		if !slices.ContainsFunc(capabilities, func(c integrations.Capability) bool { return c.Carries == a.By }) {
			t.Errorf("the action %s is carried out by %s, which is no capability of package integrations", a.Action, a.By)
		}
	}
}

// What Open returns must be what the Spec describes.
func TestConnectWantsTheDescribedType(t *testing.T) {
	s := integrations.Spec{Kind: "acme", Implements: (*idle)(nil), Open: func(context.Context, any) (any, error) { return quiet{}, nil }}
	if _, err := s.Connect(t.Context(), nil); err == nil || !strings.Contains(err.Error(), "it is a all_test.quiet, and its Spec describes a *all_test.idle") {
		t.Errorf("error %v", err)
	}
}

// The playbooks of the library load whichever EDR is configured.
func TestTheLibraryAsksNoEDRForTooMuch(t *testing.T) {
	shipped, err := library.Playbooks()
	if err != nil {
		t.Fatal(err)
	}
	watched := 0
	for _, p := range shipped {
		for name, step := range p.Steps {
			if step.HeardWithin == 0 {
				continue
			}
			watched++
			for _, s := range all.Catalog().Integrations {
				if s.Does(incident.Isolate) && (s.Hearing.Within == 0 || step.HeardWithin < s.Hearing.Within) {
					t.Errorf("%s: step %s must hear the agent within %s, and %s tells it within %s at best", p.Name, name, step.HeardWithin, s.Kind, s.Hearing.Within)
				}
			}
		}
	}
	if watched == 0 {
		t.Error("no playbook of the library watches whether the agent is heard")
	}
}
