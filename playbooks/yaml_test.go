package playbooks_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"github.com/stanch-soar/stanch/playbooks"
)

func TestEncodeYAMLKeepsTheOrderAndTheTypesOfJSON(t *testing.T) {
	v := struct {
		Zulu  string            `json:"zulu"`
		Alpha []any             `json:"alpha"`
		Empty []int             `json:"empty"`
		Inner map[string]string `json:"inner"`
		Gone  *int              `json:"gone"`
	}{
		Zulu:  "two\nlines",
		Alpha: []any{1, 2.5, true, "true", "7", "null", "", "~", "C:\\Temp: #x", 4294967296, map[string]any{"k": []any{}}},
		Empty: []int{},
		Inner: map[string]string{"b": "2", "a": "1"},
	}
	got, err := playbooks.EncodeYAML(v)
	if err != nil {
		t.Fatal(err)
	}
	want := `zulu: |-
  two
  lines
alpha:
- 1
- 2.5
- true
- 'true'
- '7'
- 'null'
- ''
- '~'
- 'C:\Temp: #x'
- 4294967296
- k: []
empty: []
inner:
  a: '1'
  b: '2'
gone: null
`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// What an attacker wrote comes back as the same text, and as text.
func TestEncodeYAMLSurvivesHostileText(t *testing.T) {
	hostile := []string{
		"\x1b[2J\x07\x7f\u0085\u2028\u202e", "- a\n- b", "key: value", "!!binary x", "&a *b", "%TAG", "---\n...", "\t tab", " lead", "trail ", "\U0001f4a3", "日本語", "a\r\nb", "0x1F", "1_000", "2026-03-02", "=", "<<",
	}
	data, err := playbooks.EncodeYAML(map[string][]string{"text": hostile})
	if err != nil {
		t.Fatal(err)
	}
	var back map[string]any
	if err := yaml.Unmarshal(data, &back); err != nil {
		t.Fatalf("%v:\n%s", err, data)
	}
	want := make([]any, len(hostile))
	for i, s := range hostile {
		want[i] = s
	}
	if diff := cmp.Diff(map[string]any{"text": want}, back); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEncodeYAMLRefusesWhatJSONRefuses(t *testing.T) {
	_, err := playbooks.EncodeYAML(map[string]any{"x": func() {}})
	if err == nil || err.Error() != "encode as YAML: json: unsupported type: func()" {
		t.Errorf("got %v", err)
	}
}

func FuzzEncodeYAML(f *testing.F) {
	f.Add("plain")
	f.Add("\x1b]0;title\x07 a: b # c")
	f.Fuzz(func(t *testing.T, text string) {
		data, err := playbooks.EncodeYAML([]string{text})
		if err != nil {
			t.Fatal(err)
		}
		// JSON replaces what is not UTF-8; YAML must be the same.
		j, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var want string
		if err := json.Unmarshal(j, &want); err != nil {
			t.Fatal(err)
		}
		var back []any
		if err := yaml.Unmarshal(data, &back); err != nil {
			t.Fatalf("%v in %q", err, data)
		}
		if len(back) != 1 || back[0] != want {
			t.Errorf("%q came back as %#v from %q", want, back, data)
		}
	})
}
