package main

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// render writes the statements, each text once. It must not depend on the order
// in which they were found.
func render(found []statement) string {
	var b strings.Builder
	b.WriteString(mark + "\n" + strings.Repeat("=", len(mark)) + "\n\n")
	b.WriteString("Written by go run ./cmd/internal/notice NOTICE. Versions: go version -m stanch.\n\n")
	b.WriteString("Go's standard library is under the licence of golang.org/x below.\n")
	for _, module := range slices.Sorted(maps.Keys(lent())) {
		b.WriteString(module + " carries no licence; it is taken to be under that of " + lent()[module] + ".\n")
	}
	section(&b, "Under the Apache License 2.0, whose text is in the file LICENSE", modulesWhere(found, isApache))
	for _, g := range groups(found) {
		section(&b, "Under this licence", g.owners)
		b.WriteString("\n" + g.text + "\n")
	}
	for _, s := range notices(found) {
		section(&b, "Notice", []string{s.module})
		b.WriteString("\n" + s.text + "\n")
	}
	return b.String()
}

func section(b *strings.Builder, title string, lines []string) {
	b.WriteString("\n" + strings.Repeat("-", 79) + "\n" + title + ":\n\n")
	for _, l := range lines {
		b.WriteString("  " + l + "\n")
	}
}

// isApache reports whether a statement is the licence whose text is ours, too.
func isApache(s statement) bool {
	return !s.notice && strings.Contains(s.text, "Apache License") && strings.Contains(s.text, "TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION")
}

func modulesWhere(found []statement, holds func(statement) bool) []string {
	var modules []string
	for _, s := range found {
		if holds(s) {
			modules = append(modules, s.module)
		}
	}
	slices.Sort(modules)
	return slices.Compact(modules)
}

// group is one licence, and its licensors: modules with their lines of copyright.
type group struct {
	text   string
	owners []string
}

// groups groups the licences that must be reproduced by their text. Texts that
// differ only in spaces, case and the copyright holder are one.
func groups(found []statement) []group {
	byWords := map[string]*group{}
	for _, s := range found {
		if s.notice || isApache(s) {
			continue
		}
		text, copyright := divide(s.text)
		words := strings.ToLower(strings.Join(strings.Fields(regexp.MustCompile("[\"“”`'*#]").ReplaceAllString(text, "")), " "))
		g := byWords[words]
		if g == nil {
			g = &group{text: text}
			byWords[words] = g
		}
		// The choice between two spellings is deterministic.
		g.text = min(g.text, text)
		g.owners = append(g.owners, strings.Join(append([]string{s.module}, copyright...), "\n    "))
	}
	var all []group
	for _, g := range byWords {
		slices.Sort(g.owners)
		all = append(all, group{g.text, slices.Compact(g.owners)})
	}
	slices.SortFunc(all, func(a, b group) int {
		return cmp.Or(cmp.Compare(len(b.owners), len(a.owners)), cmp.Compare(a.text, b.text))
	})
	return all
}

// divide separates the lines of copyright at a licence's top from its text.
func divide(licence string) (text string, copyright []string) {
	owner := regexp.MustCompile(`^\W*((Copyright|COPYRIGHT)\b.*(©|\([cC]\)|\d{4})|©|\([cC]\) ).*`)
	var rest []string
	for line := range strings.Lines(strings.ReplaceAll(licence, "\r", "")) {
		line = strings.TrimRight(line, " \t\n")
		switch bare := strings.Trim(line, " #*=-\t"); {
		case owner.MatchString(line) && len(rest) < 8:
			copyright = append(copyright, strings.TrimSpace(line))
		case len(rest) == 0 && (bare == "" || title(bare)):
		default:
			rest = append(rest, line)
		}
	}
	return strings.Trim(strings.Join(rest, "\n"), "\n"), copyright
}

// title reports whether a line only names the licence whose text follows.
func title(line string) bool {
	return regexp.MustCompile(`(?i)^(the )?(mit|expat|bsd|isc|new bsd|simplified bsd|bsd [23]-clause|modified bsd|mit-style)[\w -]*licen[cs]e[\w (),:"'/.-]{0,40}$|^licen[cs]e$|^all rights reserved\.?$`).MatchString(line)
}

// notices returns the notices that Apache-2.0 requires, each text once per
// module.
func notices(found []statement) []statement {
	var all []statement
	for _, s := range found {
		if s.notice {
			all = append(all, statement{s.module, true, strings.Trim(strings.ReplaceAll(s.text, "\r", ""), "\n")})
		}
	}
	slices.SortFunc(all, func(a, b statement) int {
		return cmp.Or(cmp.Compare(a.module, b.module), cmp.Compare(a.text, b.text))
	})
	return slices.Compact(all)
}
