package playbooks_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/stanch-soar/stanch/playbooks"
)

const fewestLintCases = 60

var update = flag.Bool("update", false, "write what lint says into testdata/lint")

// complaints loads a file according to its name and returns its issues.
func complaints(tb testing.TB, name string, data []byte) string {
	tb.Helper()
	var err error
	switch name {
	case "playbook.yaml":
		p, loadErr := playbooks.Load(name, data)
		err = loadErr
		if err == nil {
			return join(p.Lint())
		}
	case "playbook_test.yaml":
		_, err = playbooks.LoadTests(name, data)
	case "facts.yaml":
		_, err = playbooks.DecodeFacts(name, data)
	default:
		tb.Fatalf("a lint case holds %q; it can hold playbook.yaml, playbook_test.yaml or facts.yaml", name)
	}
	if err == nil {
		return ""
	}
	return err.Error() + "\n"
}

func join(issues playbooks.Issues) string {
	if len(issues) == 0 {
		return ""
	}
	return issues.Error() + "\n"
}

// Every case is a bad file and all that is said of it, word for word. With
// -update the answers are written; they are then read by a person.
func TestLint(t *testing.T) {
	files, err := filepath.Glob("testdata/lint/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < fewestLintCases {
		t.Fatalf("found %d lint cases, want at least %d", len(files), fewestLintCases)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if len(archive.Files) != 2 || archive.Files[1].Name != "want" {
				t.Fatal("a lint case must have one bad file and the wanted messages")
			}
			got := complaints(t, archive.Files[0].Name, archive.Files[0].Data)
			if got == "" {
				t.Error("nothing is said of the file")
			}
			if *update {
				archive.Files[1].Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(archive), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(archive.Files[1].Data), got); diff != "" {
				t.Errorf("complaints differ (-want +got):\n%s", diff)
			}
		})
	}
}
