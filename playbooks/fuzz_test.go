package playbooks_test

import (
	"errors"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/library"
)

// corpus adds the library and the lint cases of one kind of file.
func corpus(f *testing.F, kind string) {
	f.Helper()
	files, err := fs.Glob(library.Files(), "*/"+kind)
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		data, err := fs.ReadFile(library.Files(), name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	cases, err := filepath.Glob("testdata/lint/*.txtar")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range cases {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			f.Fatal(err)
		}
		if archive.Files[0].Name == kind {
			f.Add(archive.Files[0].Data)
		}
	}
}

// placed checks that an error is a list of issues with positions in the file.
func placed(t *testing.T, err error, data []byte) {
	t.Helper()
	var issues playbooks.Issues
	if !errors.As(err, &issues) || issues.Err() == nil {
		t.Fatalf("the error is not a list of issues: %v", err)
	}
	lines := 2
	for _, b := range data {
		if b == '\n' || b == '\r' {
			lines++
		}
	}
	for _, i := range issues {
		if i.Message == "" || i.File != "fuzz.yaml" || i.Line < 0 || i.Line > lines+len(data)/3 || i.Column < 0 {
			t.Fatalf("an issue stands nowhere: %+v", i)
		}
	}
}

func FuzzLoad(f *testing.F) {
	corpus(f, "playbook.yaml")
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := playbooks.Load("fuzz.yaml", data)
		if err != nil {
			placed(t, err, data)
			return
		}
		again, err := playbooks.Load("fuzz.yaml", p.Text())
		if err != nil || again.Digest() != p.Digest() {
			t.Fatalf("it loads once and not twice: %v", err)
		}
		d := p.Evaluate(t.Context(), facts(t, loud), at())
		p.Plan(d, facts(t, loud), nil)
	})
}

func FuzzLoadTests(f *testing.F) {
	corpus(f, "playbook_test.yaml")
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := playbooks.LoadTests("fuzz.yaml", data)
		if err != nil {
			placed(t, err, data)
			return
		}
		if len(file.Cases) == 0 {
			t.Fatal("a test file without cases loads")
		}
	})
}
