// Command skips reads what "go test -json" prints, shows it as go test would
// without -json, and fails when a test was skipped for a reason that the
// document given as its argument does not allow. It never hides a failure: it
// exits with 1 when a package failed, when nothing ran, and when the stream
// ends early.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go test -json PACKAGES | skips docs/limits.md")
		os.Exit(2)
	}
	doc, err := os.ReadFile(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if problems := report(os.Stdin, os.Stdout, allowed(string(doc))); len(problems) > 0 {
		fmt.Fprintln(os.Stderr, strings.Join(problems, "\n"))
		os.Exit(1)
	}
}

// heading starts the part of the document whose reasons are allowed.
const heading = "## Skipped in CI too"

// allowed returns the reasons that the document allows: the code spans that
// start a list item or a table row below the heading.
func allowed(doc string) []string {
	_, part, found := strings.Cut(doc, heading+"\n")
	if !found {
		return nil
	}
	part, _, _ = strings.Cut(part, "\n## ")
	var reasons []string
	for _, m := range regexp.MustCompile("(?m)^(?:- |\\| *)`([^`]+)`").FindAllStringSubmatch(part, -1) {
		reasons = append(reasons, m[1])
	}
	return reasons
}

// event is one line of test2json.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
}

// report copies the stream for people, and returns its problems.
func report(in io.Reader, out io.Writer, reasons []string) []string {
	outputs := map[string]string{}
	ended, failed := map[string]bool{}, false
	started := map[string]bool{}
	var problems []string
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil || e.Action == "" {
			fmt.Fprintln(out, lines.Text())
			continue
		}
		key := e.Package + " " + e.Test
		switch e.Action {
		case "start":
			started[e.Package] = true
		case "build-output":
			fmt.Fprint(out, e.Output)
		case "build-fail":
			failed = true
		case "output":
			if e.Test == "" && isSummary(e.Output) {
				fmt.Fprint(out, e.Output)
			} else {
				outputs[key] += e.Output
			}
		case "pass", "fail", "skip":
			if e.Test == "" {
				ended[e.Package] = true
			}
			if e.Action == "fail" {
				failed = true
				fmt.Fprint(out, outputs[key])
			}
			if e.Action == "skip" && e.Test != "" && !covered(outputs[key], reasons) {
				problems = append(problems, fmt.Sprintf("%s was skipped for a reason that is not allowed here:\n%s", key, outputs[key]))
			}
			delete(outputs, key)
		}
	}
	if err := lines.Err(); err != nil {
		problems = append(problems, "read the test output: "+err.Error())
	}
	return append(problems, unfinished(started, ended, failed)...)
}

func unfinished(started, ended map[string]bool, failed bool) []string {
	var problems []string
	for pkg := range started {
		if !ended[pkg] {
			problems = append(problems, pkg+" did not end")
		}
	}
	slices.Sort(problems)
	if failed {
		problems = append(problems, "tests failed")
	}
	if len(started) == 0 {
		problems = append(problems, "no package was tested")
	}
	return problems
}

// isSummary reports whether a package's line is one that go test prints without
// -v.
func isSummary(line string) bool {
	return strings.HasPrefix(line, "ok  \t") || strings.HasPrefix(line, "FAIL\t") ||
		strings.HasPrefix(line, "?   \t") || strings.HasPrefix(line, "-test.shuffle")
}

func covered(output string, reasons []string) bool {
	return slices.ContainsFunc(reasons, func(r string) bool { return strings.Contains(output, r) })
}
