package mapping_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/stanch-soar/stanch/integrations/mapping"
)

// The page shows the examples that are tested, word for word.
func TestThePageShowsTheExamples(t *testing.T) {
	page, err := os.ReadFile("../../docs/integrations/mapping.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"vectra.yaml", "darktrace.yaml", "corelight.yaml", "corelight_test.yaml"} {
		example, err := os.ReadFile(filepath.Join("examples", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(page, append([]byte("```yaml\n"), example...)) {
			t.Errorf("the page does not show %s as it is", name)
		}
	}
}

// The schema for editors takes the examples, and finds what is misspelt.
func TestSchema(t *testing.T) {
	text, err := mapping.Schema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("mapping.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("mapping.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]bool{head: true, head + "rule: [doc.a, doc.b]\n": true, head + "windo: doc.a\n": false, head + "rule: {}\n": false, head + "rule: []\n": false, "id: doc.id\n": false}
	for _, name := range []string{"vectra", "darktrace", "corelight"} {
		data, err := os.ReadFile(filepath.Join("examples", name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		texts[string(data)] = true
	}
	for text, valid := range texts {
		var v any
		if err := yaml.Unmarshal([]byte(text), &v); err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(v); (err == nil) != valid {
			t.Errorf("%s: %v", text, err)
		}
	}
}
