package contract

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

// checkAlertFields holds the Spec's Fields against what Read asks for in every
// body that there is.
func checkAlertFields(t testing.TB, h AlertsHarness) {
	asked := map[string]bool{}
	for _, body := range append(h.bodies(), h.caseBodies(t)...) {
		documents, _ := h.Spec.Split([]byte(body))
		for _, d := range documents {
			if d.Fields == nil {
				d.Fields, _ = alerts.Decode(d.Path, d.Raw)
			}
			h.Spec.Read(&alerts.Reader{Fields: d.Fields, Asked: func(path string) { asked[path] = true }}, d)
		}
	}
	listed := map[string]bool{}
	for _, field := range h.Spec.Fields {
		if field.Name == "" || len(field.Paths) == 0 {
			t.Errorf("field %q has the paths %q", field.Name, field.Paths)
		}
		for _, path := range field.Paths {
			listed[path] = true
			if !asked[path] {
				t.Errorf("Fields has %s for %s, which Read does not ask for", path, field.Name)
			}
		}
	}
	for _, path := range slices.Sorted(maps.Keys(asked)) {
		if inDoc := h.Spec.Fields == nil && strings.Contains(h.Spec.Doc, "`"+path+"`"); !listed[path] && !inDoc {
			t.Errorf("Read asks for %s, which is not in Fields", path)
		}
	}
}

// bodies are those of the harness.
func (h AlertsHarness) bodies() []string {
	all := []string{h.Spec.Example, h.Several, h.Next}
	if h.NeverResolved == "" {
		all = append(all, h.Resolved)
	}
	if h.Newer != "" {
		all = append(all, h.Newer)
	}
	return all
}

// caseBodies are those of the cases.
func (h AlertsHarness) caseBodies(t testing.TB) (bodies []string) {
	t.Helper()
	// What cannot be listed was found by the check of the cases.
	files, _ := filepath.Glob(filepath.Join(h.Cases, "*.txtar"))
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatalf("%v", err)
		}
		for _, f := range archive.Files {
			if f.Name == "body.json" {
				bodies = append(bodies, string(f.Data))
			}
		}
	}
	return bodies
}
