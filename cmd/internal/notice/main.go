// Command notice writes the part of NOTICE that lists the third-party code in the
// binary and its licences. It reads the licences of the modules:
//
//	go run ./cmd/internal/notice NOTICE
package main

import (
	"fmt"
	"os"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: notice NOTICE")
		os.Exit(2)
	}
	if err := rewrite(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func rewrite(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	generated, err := generate("./cmd/stanch")
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(byHand(string(text))+generated), 0o644)
}

// mark is the first line of the generated part.
const mark = "Code of others in the binary"

// byHand returns the handwritten part, which is before the mark.
func byHand(notice string) string {
	before, _, found := strings.Cut(notice, "\n"+mark+"\n")
	if !found {
		return strings.TrimRight(notice, "\n") + "\n\n"
	}
	return before + "\n"
}

// generate returns the mark and the text below it.
func generate(packages ...string) (string, error) {
	modules, err := modulesOf(packages...)
	if err != nil {
		return "", err
	}
	var found []statement
	for _, m := range modules {
		said, err := m.statements()
		if err != nil {
			return "", err
		}
		found = append(found, said...)
	}
	return render(found), nil
}
