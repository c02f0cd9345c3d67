package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const limits = "# Limits\n\n## Skipped where it is missing\n\n- `nft is not installed`: CI installs it.\n\n" +
	heading + "\n\n- `the schema may not be shipped`: see the licence.\n\n## More\n\n- `needs luck`\n"

func TestAllowed(t *testing.T) {
	if diff := cmp.Diff([]string{"the schema may not be shipped"}, allowed(limits)); diff != "" {
		t.Errorf("reasons (-want +got):\n%s", diff)
	}
}

func TestReport(t *testing.T) {
	stream := func(events ...string) string {
		return `{"Action":"start","Package":"p"}` + "\n" + strings.Join(events, "\n") + "\n"
	}
	const (
		ended   = `{"Action":"pass","Package":"p"}`
		skipped = `{"Action":"skip","Package":"p","Test":"T"}`
	)
	said := func(text string) string {
		return `{"Action":"output","Package":"p","Test":"T","Output":"` + text + `\n"}`
	}
	for name, c := range map[string]struct {
		in, out  string
		problems []string
	}{
		"all passed": {
			in:  stream(said("noise"), `{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}`, ended),
			out: "ok  \tp\t0.1s\n",
		},
		"skipped for an allowed reason": {
			in: stream(said("    a_test.go:1: the schema may not be shipped"), skipped, ended),
		},
		"skipped for a reason that CI cures": {
			in:       stream(said("    a_test.go:1: nft is not installed"), skipped, ended),
			problems: []string{"p T was skipped for a reason that is not allowed here:\n    a_test.go:1: nft is not installed\n"},
		},
		"skipped without a reason": {
			in:       stream(skipped, ended),
			problems: []string{"p T was skipped for a reason that is not allowed here:\n"},
		},
		"a failure is shown": {
			in:       stream(said("    a_test.go:1: broken"), `{"Action":"fail","Package":"p","Test":"T"}`, `{"Action":"fail","Package":"p"}`),
			out:      "    a_test.go:1: broken\n",
			problems: []string{"tests failed"},
		},
		"a package that does not build": {
			in:       `{"Action":"build-output","Output":"# p\n"}` + "\n" + `{"Action":"build-fail"}` + "\n",
			out:      "# p\n",
			problems: []string{"tests failed", "no package was tested"},
		},
		"a stream that ends early": {
			in:       stream(said("noise")),
			problems: []string{"p did not end"},
		},
		"nothing at all": {
			problems: []string{"no package was tested"},
		},
		"not JSON": {
			in:       "go: cannot find main module\n",
			out:      "go: cannot find main module\n",
			problems: []string{"no package was tested"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			problems := report(strings.NewReader(c.in), &out, allowed(limits))
			if diff := cmp.Diff(c.problems, problems); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.out, out.String()); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
		})
	}
}

// A reason that no test gives any more allows nothing, and the test that has it in
// other words would fail where CI runs alone.
func TestEveryAllowedReasonIsGivenByATest(t *testing.T) {
	root := filepath.Join("..", "..", "..")
	doc, err := os.ReadFile(filepath.Join(root, "docs", "limits.md"))
	if err != nil {
		t.Fatal(err)
	}
	missing := map[string]bool{}
	for _, reason := range allowed(string(doc)) {
		missing[reason] = true
	}
	if len(missing) == 0 {
		t.Fatal("docs/limits.md allows no reason")
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") {
			return err
		}
		source, err := os.ReadFile(path)
		for reason := range missing {
			if strings.Contains(string(source), reason) {
				delete(missing, reason)
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for reason := range missing {
		t.Errorf("no test is skipped with the reason %q of docs/limits.md", reason)
	}
}
