package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
)

const module = "github.com/stanch-soar/stanch/"

// The attributes of a check's test, as package contract writes them.
const (
	ran   = "contract"
	lacks = "contract-lacks"
)

// check is one check of a suite of package contract, of one kind.
type check struct{ kind, suite, name string }

// trial is the test of one check. A kind has several of one where its products are
// set up in several ways.
type trial struct {
	check
	// lacks is why the product cannot be checked; empty where it can.
	lacks string
	// ended is the action with which the test ended: pass, fail or skip.
	ended string
}

// run is what tests have printed.
type run struct {
	// trials are by package and test.
	trials map[string]*trial
	// lacked are tests that were skipped because something is not installed, by package.
	lacked map[string][]string
	// packages are those that began, and whether they ended well.
	packages map[string]bool
}

func newRun() *run {
	return &run{trials: map[string]*trial{}, lacked: map[string][]string{}, packages: map[string]bool{}}
}

// event is one line of test2json.
type event struct{ Action, Package, Test, Key, Value, Output string }

// read adds what go test printed. Lines that are not JSON are go test's own.
func (r *run) read(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if json.Unmarshal(lines.Bytes(), &e) != nil {
			continue
		}
		if err := r.take(e); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (r *run) take(e event) error {
	key := e.Package + " " + e.Test
	switch t := r.trials[key]; {
	case e.Action == "start":
		r.packages[e.Package] = false
	case (e.Action == "pass" || e.Action == "skip") && e.Test == "":
		// One that is skipped as a whole has no tests.
		r.packages[e.Package] = true
	case e.Action == "attr" && e.Key == ran:
		part := strings.SplitN(e.Value, " ", 3)
		if len(part) != 3 {
			return fmt.Errorf("%s: the attribute %q names no kind, suite and check", key, e.Value)
		}
		r.trials[key] = &trial{check: check{part[0], part[1], part[2]}}
	case e.Action == "attr" && e.Key == lacks && t != nil:
		t.lacks = e.Value
	case t != nil && slices.Contains([]string{"pass", "fail", "skip"}, e.Action):
		t.ended = e.Action
	case e.Action == "output" && strings.Contains(e.Output, "SKIPPED: "):
		r.lacked[e.Package] = append(r.lacked[e.Package], e.Test)
	}
	return nil
}

// problems are what makes the run none of which a table can be made: what failed,
// what was left out, and what a kind can do and no test has checked.
func (r *run) problems(catalog integrations.Catalog) []string {
	var all []string
	folders := map[string]string{}
	for _, s := range catalog.Integrations {
		folders[s.Kind] = module + s.Folder()
	}
	for pkg, passed := range r.packages {
		if !passed {
			all = append(all, pkg+" did not pass")
		}
	}
	for key, t := range r.trials {
		pkg, _, _ := strings.Cut(key, " ")
		_, source := catalog.Source(t.kind)
		_, transport := catalog.Transport(t.kind)
		switch folder := folders[t.kind]; {
		case t.ended != "pass" && (t.ended != "skip" || t.lacks == ""):
			all = append(all, fmt.Sprintf("%s ended with %q, and says no reason", key, t.ended))
		case t.suite == alerts && !source, t.suite == pullers && !transport, t.suite != alerts && t.suite != pullers && folder != pkg:
			all = append(all, fmt.Sprintf("%s says that it checks %s of kind %s, which is not in its package", key, t.suite, t.kind))
		}
	}
	for _, pkg := range slices.Compact(slices.Sorted(maps.Values(folders))) {
		for _, test := range r.lacked[pkg] {
			all = append(all, fmt.Sprintf("%s %s was skipped, so the run is not whole", pkg, test))
		}
	}
	slices.Sort(all)
	return append(all, r.unchecked(catalog)...)
}

// unchecked are the capabilities that a kind has, and of which no check passed.
func (r *run) unchecked(catalog integrations.Catalog) []string {
	var all []string
	missing := func(kind, suite string) {
		if r.cell(kind, suite).passed == 0 {
			all = append(all, fmt.Sprintf("kind %s has the capability %s, and no check of contract.%s passed in this run", kind, suite, suite))
		}
	}
	for _, s := range catalog.Integrations {
		for _, c := range s.Capabilities() {
			if c.Unchecked == "" {
				missing(s.Kind, c.Name)
			}
		}
	}
	for _, s := range catalog.Sources {
		missing(s.Kind, alerts)
	}
	for _, t := range catalog.Transports {
		missing(t.Kind, pullers)
	}
	return all
}
