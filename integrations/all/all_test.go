package all_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/all"
	"github.com/stanch-soar/stanch/playbooks"
)

func TestSpecs(t *testing.T) {
	specs := all.Catalog().Integrations
	if len(specs) == 0 {
		t.Fatal("there is no integration")
	}
	seen := map[string]bool{}
	for i, s := range specs {
		t.Run(s.Kind, func(t *testing.T) {
			if s.Kind == "" || strings.ToLower(s.Kind) != s.Kind || seen[s.Kind] {
				t.Errorf("kind %q is empty, not lower case or taken", s.Kind)
			}
			seen[s.Kind] = true
			if i > 0 && specs[i-1].Kind >= s.Kind {
				t.Errorf("kind %q does not stand in order", s.Kind)
			}
			if s.Summary == "" || s.NewConfig == nil || s.Open == nil {
				t.Error("it has no summary, configuration or way to open it")
			}
			if len(s.Actions) == 0 && len(s.Facts) == 0 && !s.Can("Completer") && !s.Can("Replier") {
				t.Error("it can do nothing")
			}
			checkConfig(t, s)
			checkPermissions(t, s)
			checkExample(t, s)
		})
	}
}

// checkConfig checks that every field of the configuration is documented.
func checkConfig(t *testing.T, s integrations.Spec) {
	t.Helper()
	config := reflect.TypeOf(s.NewConfig())
	if config.Kind() != reflect.Pointer || config.Elem().Kind() != reflect.Struct {
		t.Fatalf("the configuration is a %s, want a pointer to a struct", config)
	}
	for _, f := range reflect.VisibleFields(config.Elem()) {
		// What an embedded struct has is visited by itself.
		if !f.Anonymous && (f.Tag.Get("yaml") == "" || f.Tag.Get("doc") == "") {
			t.Errorf("field %s of the configuration lacks its yaml or doc tag", f.Name)
		}
	}
}

// checkPermissions checks that a kind with credentials lists its permissions, with a
// reason for each.
func checkPermissions(t *testing.T, s integrations.Spec) {
	t.Helper()
	for _, f := range reflect.VisibleFields(reflect.TypeOf(s.NewConfig()).Elem()) {
		if f.Type == reflect.TypeFor[integrations.Secret]() && len(s.Permissions) == 0 {
			t.Errorf("it takes the secret %s, but documents no permission", f.Name)
		}
	}
	for _, p := range s.Permissions {
		if p.Name == "" || p.Why == "" {
			t.Errorf("permission %+v lacks its name or its reason", p)
		}
	}
}

// checkExample checks that the example is read by this very configuration. What acts through
// another shows that one too.
func checkExample(t *testing.T, s integrations.Spec) {
	t.Helper()
	var file struct {
		Integrations map[string]playbooks.Node `yaml:"integrations"`
	}
	issues := playbooks.DecodeStrict("stanch.yaml", []byte("integrations:\n  "+strings.ReplaceAll(s.Example, "\n", "\n  ")+"\n"), &file,
		playbooks.FileTwin(reflect.TypeFor[integrations.Secret](), func(string) (string, error) { return "from a file", nil }))
	if reflect.TypeOf(s.Implements).Implements(reflect.TypeFor[integrations.Joiner]()) {
		delete(file.Integrations, "edr")
	}
	if err := issues.Err(); err != nil || len(file.Integrations) != 1 {
		t.Fatalf("example %q is no line of stanch.yaml: %v", s.Example, err)
	}
	for _, settings := range file.Integrations {
		var kind string
		if err := settings.Get("kind").Decode(&kind).Err(); err != nil || kind != s.Kind {
			t.Errorf("the example is of kind %q, want %s: %v", kind, s.Kind, err)
		}
		if err := settings.Without("kind").Decode(s.NewConfig()).Err(); err != nil {
			t.Errorf("the example's settings do not fit the configuration: %v", err)
		}
	}
}

func TestSpecsShareNothing(t *testing.T) {
	a, b := all.Catalog().Integrations, all.Catalog().Integrations
	for i := range a {
		if a[i].Kind != "memory" {
			continue
		}
		x, err := a[i].Open(t.Context(), a[i].NewConfig())
		if err != nil {
			t.Fatal(err)
		}
		y, err := b[i].Open(t.Context(), b[i].NewConfig())
		if err != nil {
			t.Fatal(err)
		}
		if x == y {
			t.Error("two lists of integrations share one estate")
		}
	}
}
