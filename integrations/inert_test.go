package integrations_test

import (
	"html"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
)

func FuzzInert(f *testing.F) {
	for _, text := range []string{"", "<b>&amp;", "[x](y) *z* `c`", "# a\n- b\n1. c", "\x00\u202e\u00a0é", "https://evil.example"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := integrations.Inert(text)
		if at := strings.IndexFunc(got, func(r rune) bool { return strings.ContainsRune("<>\"'`*_[]()!|~\\{}.:/-+=@$", r) }); at >= 0 {
			t.Errorf("%q has a sign that may mean something at %d: %q", text, at, got)
		}
		for _, r := range html.UnescapeString(got) {
			if r != '\n' && r < ' ' {
				t.Errorf("%q holds the control character %q", text, r)
			}
		}
		if printable := strings.Trim(text, "abcXYZ019 .,;:<>&*_[]()#-/\n") == ""; printable && html.UnescapeString(got) != text {
			t.Errorf("%q is shown as %q", text, html.UnescapeString(got))
		}
	})
}
