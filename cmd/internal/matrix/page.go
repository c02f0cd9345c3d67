package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
)

// alerts is the suite of sources, and pullers that of transports. The others are of
// integrations.
const (
	alerts  = "Alerts"
	pullers = "Puller"
)

// cell is how many different checks there are of a kind and a suite, and how many of them
// passed in at least one set-up.
type cell struct{ passed, all int }

func (c cell) String() string {
	switch {
	case c.all == 0:
		return ""
	case c.passed == c.all:
		return strconv.Itoa(c.all)
	}
	return fmt.Sprintf("%d of %d", c.passed, c.all)
}

func (r *run) cell(kind, suite string) cell {
	passed := map[string]bool{}
	for _, t := range r.trials {
		if t.kind == kind && t.suite == suite {
			passed[t.name] = passed[t.name] || t.ended == "pass" && t.lacks == ""
		}
	}
	c := cell{all: len(passed)}
	for _, ok := range passed {
		if ok {
			c.passed++
		}
	}
	return c
}

// suites are the capabilities that have a suite, and then the other suites of
// integrations that ran.
func (r *run) suites() []string {
	var names, others []string
	for _, c := range integrations.Capabilities() {
		if c.Unchecked == "" {
			names = append(names, c.Name)
		}
	}
	for _, t := range r.trials {
		if t.suite != alerts && t.suite != pullers && !slices.Contains(names, t.suite) && !slices.Contains(others, t.suite) {
			others = append(others, t.suite)
		}
	}
	slices.Sort(others)
	return append(names, others...)
}

// page is what the document says of the run.
func page(catalog integrations.Catalog, r *run) string {
	var b strings.Builder
	suites := r.suites()
	row(&b, append([]string{"kind"}, suites...)...)
	b.WriteString(strings.Repeat("|---", len(suites)+1) + "|\n")
	for _, s := range catalog.Integrations {
		cells := []string{"[" + s.Kind + "](#" + s.Kind + ")"}
		for _, suite := range suites {
			cells = append(cells, r.cell(s.Kind, suite).String())
		}
		row(&b, cells...)
	}
	b.WriteString("\n")
	row(&b, "source", alerts)
	b.WriteString("|---|---|\n")
	for _, s := range catalog.Sources {
		row(&b, "["+s.Kind+"](alerts.md#kind-"+s.Kind+")", r.cell(s.Kind, alerts).String())
	}
	if len(catalog.Transports) > 0 {
		b.WriteString("\n")
		row(&b, "transport", pullers)
		b.WriteString("|---|---|\n")
	}
	for _, t := range catalog.Transports {
		row(&b, "["+t.Kind+"](transports.md#"+t.Kind+")", r.cell(t.Kind, pullers).String())
	}
	if notes := r.notes(); len(notes) > 0 {
		b.WriteString("\nWhat was not checked, and why:\n\n| kind | suite | check | why |\n|---|---|---|---|\n")
		for _, n := range notes {
			row(&b, n...)
		}
	}
	return b.String()
}

func row(b *strings.Builder, cells ...string) {
	for _, c := range cells {
		b.WriteString("| " + strings.ReplaceAll(c, "|", "\\|") + " ")
	}
	b.WriteString("|\n")
}

// notes are the checks that a product cannot be put to, with the reason: a row of
// kind, suite, checks and reason for each.
func (r *run) notes() [][]string {
	type reason struct{ kind, suite, why string }
	setUps, lacking := map[check]int{}, map[reason]map[string]int{}
	for _, t := range r.trials {
		setUps[t.check]++
		if t.lacks == "" {
			continue
		}
		of := reason{t.kind, t.suite, t.lacks}
		if lacking[of] == nil {
			lacking[of] = map[string]int{}
		}
		lacking[of][t.name]++
	}
	var rows [][]string
	for of, checks := range lacking {
		var names []string
		for _, name := range slices.Sorted(maps.Keys(checks)) {
			if n, of := checks[name], setUps[check{of.kind, of.suite, name}]; n < of {
				name += fmt.Sprintf(" (in %d of %d set-ups)", n, of)
			}
			names = append(names, name)
		}
		rows = append(rows, []string{of.kind, of.suite, strings.Join(names, "; "), of.why})
	}
	slices.SortFunc(rows, func(a, b []string) int { return cmp.Or(slices.Compare(a[:2], b[:2]), cmp.Compare(a[3], b[3])) })
	return rows
}
