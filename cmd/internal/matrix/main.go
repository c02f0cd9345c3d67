// Command matrix reads what "go test -json" printed of the tests of all
// integrations, and makes the table of what each kind has passed of package contract.
// It fails when a capability that a kind has was not checked in the run, and when the
// document has another table; with -write it writes the table into the document
// instead. Of a run that is not whole, such as one without ClickHouse, nothing is
// written.
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"github.com/stanch-soar/stanch/cmd/internal/reference"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/all"
)

func main() {
	write := flag.Bool("write", false, "write the table into the document")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: matrix [-write] docs/reference/integrations.md RUN.json...")
	}
	flag.Parse()
	if flag.NArg() < 2 {
		flag.Usage()
		os.Exit(2)
	}
	if err := update(all.Catalog(), flag.Arg(0), flag.Args()[1:], *write); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// update compares the document with the runs, or writes it.
func update(catalog integrations.Catalog, document string, files []string, write bool) error {
	have, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	r := newRun()
	for _, name := range files {
		if err := read(r, name); err != nil {
			return err
		}
	}
	want, err := changed(catalog, r, have)
	switch {
	case err != nil:
		return err
	case bytes.Equal(want, have):
		return nil
	case write:
		return os.WriteFile(document, want, 0o644)
	}
	return fmt.Errorf("%s does not have the table of this run; this command writes it:\n  go run ./cmd/internal/matrix -write %s %s",
		document, document, strings.Join(files, " "))
}

// changed returns the document with the table of the run.
func changed(catalog integrations.Catalog, r *run, document []byte) ([]byte, error) {
	if problems := r.problems(catalog); len(problems) > 0 {
		return nil, errors.New(strings.Join(problems, "\n"))
	}
	return reference.WithChecks(document, []byte(page(catalog, r)))
}

func read(r *run, name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	err = r.read(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}
