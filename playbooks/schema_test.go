package playbooks_test

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"

	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/library"
)

func compile(t *testing.T, schema func() ([]byte, error)) *jsonschema.Schema {
	t.Helper()
	data, err := schema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// document reads YAML as an editor's schema checker sees it.
func document(t *testing.T, data []byte) any {
	t.Helper()
	var v any
	if err := yaml.Load(data, &v); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

func TestTheLibraryIsValidAgainstTheSchemas(t *testing.T) {
	for pattern, schema := range map[string]*jsonschema.Schema{
		"*/playbook.yaml": compile(t, playbooks.Schema), "*/playbook_test.yaml": compile(t, playbooks.TestSchema),
	} {
		files, err := fs.Glob(library.Files(), pattern)
		if err != nil || len(files) < 3 {
			t.Fatalf("%s: %d files, %v", pattern, len(files), err)
		}
		for _, name := range files {
			data, err := fs.ReadFile(library.Files(), name)
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(document(t, data)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// The schema is for editors and may accept more than the loader does, but it
// must find what a person mistypes most.
func TestTheSchemaFindsSlips(t *testing.T) {
	schema := compile(t, playbooks.Schema)
	for _, name := range []string{"unknown-key", "enum-near", "missing-top-keys", "wrong-units", "unknown-fact", "then-is-a-mapping", "verify-incomplete", "unsure-word", "no-expiry"} {
		archive, err := txtar.ParseFile(filepath.Join("testdata/lint", name+".txtar"))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(document(t, archive.Files[0].Data)); err == nil {
			t.Errorf("%s is valid against the schema", name)
		}
	}
	if err := schema.Validate(document(t, []byte(demo(t)))); err != nil {
		t.Errorf("the demo playbook: %v", err)
	}
}

func TestTheReferenceNamesEveryKeyOfTheSchema(t *testing.T) {
	reference := playbooks.Reference()
	for _, schema := range []func() ([]byte, error){playbooks.Schema, playbooks.TestSchema} {
		data, err := schema()
		if err != nil {
			t.Fatal(err)
		}
		var doc struct {
			Defs map[string]struct {
				Properties map[string]json.RawMessage `json:"properties"`
			} `json:"$defs"`
		}
		if err := json.Unmarshal(data, &doc); err != nil {
			t.Fatal(err)
		}
		for name, def := range doc.Defs {
			if !strings.Contains(reference, "\n## "+name+"\n") {
				continue // facts, which the policy's reference describes
			}
			for key := range def.Properties {
				if !strings.Contains(reference, "| `"+key+"` |") {
					t.Errorf("the reference does not name %s of %s", key, name)
				}
			}
		}
	}
	if strings.Count(reference, "\n## ") < 12 {
		t.Errorf("the reference has too few sections:\n%s", reference)
	}
}
