package playbooks

import (
	"slices"
	"strconv"
	"strings"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Lint reports words of the givens and of later alerts that are not in their
// vocabulary. The tests run with them, and the value is then unknown.
func (t *TestFile) Lint(roles incident.Vocabulary) Issues {
	t.givenWords(roles, &t.Given, "given")
	for i := range t.Cases {
		c := &t.Cases[i]
		t.givenWords(roles, &c.Given, "cases", i, "given")
		for j := range c.Timeline {
			t.givenWords(roles, &c.Timeline[j].Given, "cases", i, "timeline", j, "given")
			if a := c.Timeline[j].Alert; a != nil {
				t.words(roles, &incident.Facts{Alert: *a}, "cases", i, "timeline", j)
			}
		}
	}
	return t.doc.complaints.sorted()
}

func (t *TestFile) givenWords(roles incident.Vocabulary, given *Given, path ...any) {
	var facts incident.Facts
	given.over(&facts)
	t.words(roles, &facts, path...)
}

// words reports the unknown words of facts, below a path of the file, where the
// file itself has them.
func (t *TestFile) words(roles incident.Vocabulary, facts *incident.Facts, path ...any) {
	incident.ClosedTexts(facts, roles, func(field, text string, of incident.Vocabulary) {
		at := slices.Clone(path)
		for _, key := range strings.Split(field, ".") {
			at = append(at, key)
		}
		if problem := outside(text, of); problem != "" && t.doc.has(at...) {
			t.doc.complain(t.doc.place(at), "%s", problem)
		}
	})
}

// outside returns the message for a text that is not in its vocabulary; empty
// where it is, or where there is no value. In an open vocabulary it may be a
// site's own, unless it is a near miss of one of the library's.
func outside(text string, of incident.Vocabulary) string {
	name, known := of.Word(text)
	hint := near(text, of)
	switch {
	case incident.Filler(text), known && !of.Open(), slices.Contains(of.Names(), name), of.Open() && hint == "":
		return ""
	case of.Open():
		return strconv.QuoteToASCII(text) + " is not " + of.What() + " that the library knows" + hint
	}
	return of.Outside(text) + hint
}

// near returns the word that was probably meant.
func near(text string, of incident.Vocabulary) string {
	if word := nearest(text, of.Names()); word != "" {
		return ": did you mean '" + word + "'?"
	}
	return ""
}
