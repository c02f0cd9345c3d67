package playbooks

import (
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Lint complains about words of the givens that no vocabulary has. The tests run
// with them, and what they give is then unknown.
func (t *TestFile) Lint(roles incident.Vocabulary) Issues {
	t.givenWords(roles, &t.Given, "given")
	for i := range t.Cases {
		t.givenWords(roles, &t.Cases[i].Given, "cases", i, "given")
	}
	return t.doc.complaints.sorted()
}

func (t *TestFile) givenWords(roles incident.Vocabulary, given *Given, path ...any) {
	var facts incident.Facts
	given.over(&facts)
	incident.ClosedTexts(&facts, roles, func(field, text string, of incident.Vocabulary) {
		at := slices.Clone(path)
		for _, key := range strings.Split(field, ".") {
			at = append(at, key)
		}
		if _, known := of.Word(text); !known && !incident.Filler(text) {
			t.doc.complain(t.doc.place(at), "%s%s", of.Outside(text), near(text, of))
		}
	})
}

// near is the word that was probably meant.
func near(text string, of incident.Vocabulary) string {
	if word := nearest(text, of.Names()); word != "" {
		return ": did you mean '" + word + "'?"
	}
	return ""
}
