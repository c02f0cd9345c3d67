// Command vulns reads what "govulncheck -format json" prints and fails when a
// package that ships has a known vulnerability that the document given as its
// argument does not name, with the reason for which it stays.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: govulncheck -format json -scan package PACKAGES | vulns docs/limits.md")
		os.Exit(2)
	}
	doc, err := os.ReadFile(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if problems := report(os.Stdin, os.Stdout, known(string(doc))); len(problems) > 0 {
		fmt.Fprintln(os.Stderr, strings.Join(problems, "\n"))
		os.Exit(1)
	}
}

// heading starts the part of the document that lists accepted vulnerabilities.
const heading = "## Known vulnerabilities"

// known returns the ids that the document names below the heading.
func known(doc string) []string {
	_, part, found := strings.Cut(doc, heading+"\n")
	if !found {
		return nil
	}
	part, _, _ = strings.Cut(part, "\n## ")
	return regexp.MustCompile(`GO-\d+-\d+`).FindAllString(part, -1)
}

// message is one message of govulncheck; one of its fields is set.
type message struct {
	Config  *struct{}
	OSV     *struct{ ID, Summary string }
	Finding *struct {
		OSV          string
		FixedVersion string `json:"fixed_version"`
		// Trace starts where the fault is.
		Trace []struct{ Module, Version, Package string }
	}
}

// report prints the findings, and returns the problems.
func report(in io.Reader, out io.Writer, stays []string) []string {
	summaries, found, scanned := map[string]string{}, map[string]string{}, false
	for messages := json.NewDecoder(in); ; {
		var m message
		err := messages.Decode(&m)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return []string{"read the output of govulncheck: " + err.Error()}
		}
		scanned = scanned || m.Config != nil
		if m.OSV != nil {
			summaries[m.OSV.ID] = m.OSV.Summary
		}
		// One without a package is in a module without imported packages.
		if f := m.Finding; f != nil && len(f.Trace) > 0 && f.Trace[0].Package != "" {
			at := f.Trace[0]
			found[f.OSV] = fmt.Sprintf("%s@%s, fixed in %s", at.Module, at.Version, f.FixedVersion)
		}
	}
	if !scanned {
		return []string{"govulncheck printed nothing"}
	}
	var problems []string
	for _, id := range slices.Sorted(maps.Keys(found)) {
		line := fmt.Sprintf("%s: %s (%s)", id, summaries[id], found[id])
		if !slices.Contains(stays, id) {
			problems = append(problems, line)
			continue
		}
		fmt.Fprintln(out, "stays: "+line)
	}
	for _, id := range stays {
		if _, ok := found[id]; !ok {
			fmt.Fprintln(out, "not found any more: "+id)
		}
	}
	return problems
}
