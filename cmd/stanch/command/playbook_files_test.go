package command

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/playbooks"
)

func lint(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), append([]string{"playbook", "lint"}, args...), streams{nil, &stdout, &stderr})
	return code, stdout.String(), stderr.String()
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Faults of any file are reported with their positions, and the terminal is left
// as it was.
func TestLintOfHostileFiles(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"too long":      {strings.Repeat("# x\n", playbooks.MaxFile/4+1), ": the file has 1048577 bytes; at most 1048576 are read\n"},
		"binary":        {"\xff\xfe\x00", ": the file is not UTF-8\n"},
		"empty":         {"", ":1:1: the file is empty\n"},
		"a list":        {"[1]\n", ":1:1: a playbook must be a mapping of keys to values, not a list\n[1]\n^\n"},
		"escapes":       {"name: \"\x1b[2J\"\n", ": not YAML: control characters are not allowed"},
		"a new line":    {"apiVersion: 'a\u0085b'\n", "'a\ufffdb'"},
		"two documents": {"a: 1\n---\nb: 2\n", "a second document starts here and is never read; a file holds one"},
	} {
		t.Run(name, func(t *testing.T) {
			file := write(t, "playbook.yaml", []byte(c.text))
			code, out, errs := lint(t, file)
			if code != exitUsage || !strings.Contains(out, file) || !strings.Contains(out, c.want) {
				t.Errorf("exit code %d, %q, want 2 and %q", code, out, c.want)
			}
			if strings.ContainsAny(out+errs, "\x1b\u0085") {
				t.Errorf("an escape sequence reached the terminal: %q %q", out, errs)
			}
		})
	}
}

func TestAnnotationsCannotBeForged(t *testing.T) {
	got := annotation(playbooks.Issue{File: "a,b:c%.yaml", Line: 3, Column: 7, Message: "100% \"x\n::error::y\""})
	want := `::error file=a%2Cb%3Ac%25.yaml,line=3,col=7::100%25 "x%0A::error::y"`
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	got = annotation(playbooks.Issue{File: "a.yaml", Message: "taken", Warning: true})
	if got != "::warning file=a.yaml::taken" {
		t.Errorf("got %s", got)
	}
}

func TestTwoPlaybooksOfOneName(t *testing.T) {
	dir := t.TempDir()
	f, err := fromLibrary("dns-amplification")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.yaml", "b.yml"} {
		if err := copyFile(f, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	code, out, errs := lint(t, dir)
	want := filepath.Join(dir, "b.yml") + ": playbook dns-amplification is in " + filepath.Join(dir, "a.yaml") + " already\n"
	if code != exitUsage || out != want || errs != "stanch: 2 files: 1 error, 0 warnings\n" {
		t.Errorf("exit code %d, %q, %q; want %q", code, out, errs, want)
	}
}
