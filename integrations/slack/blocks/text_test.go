package blocks

import (
	"math"
	"strings"
	"testing"
	"unicode/utf8"
)

func visible(s string) string {
	kept, _ := inert(s, math.MaxInt)
	return kept
}

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                      "plain",
		" two \r\n\t lines ":         "two lines",
		"a\u202eexe.cod":             "a[U+202E]exe.cod",
		"a\x00b\x1b[31m":             "a[U+0000]b[U+001B][31m",
		"zero\u200bwidth\ufeff":      "zero[U+200B]width[U+FEFF]",
		"no\u00a0break":              "no[U+00A0]break",
		"line\u2028sep":              "line[U+2028]sep",
		"tag\U000e0041":              "tag[U+E0041]",
		"\xff\xfe":                   "[0xFF][0xFE]",
		"\ufffd":                     "\ufffd",
		"filler\u3164\u2800":         "filler[U+3164][U+2800]",
		"e\u0301té, 東京, Ñandú, 🔥":    "e\u0301té, 東京, Ñandú, 🔥",
		"o\u0301\u0301\u0301\u0301!": "o\u0301\u0301\u0301[U+0301]!",
		"<!channel> *b* `c` :fire:":  "<!channel> *b* `c` :fire:",
	} {
		if got := visible(in); got != want {
			t.Errorf("visible(%q) = %q; want %q", in, got, want)
		}
	}
}

func TestCut(t *testing.T) {
	for _, tt := range []struct {
		in    string
		limit int
		want  string
	}{
		{"short", 5, "short"},
		{"longer", 5, "long…"},
		{"with space", 6, "with…"},
		{"🔥🔥🔥", 6, "🔥🔥🔥"},
		{"🔥🔥🔥", 5, "🔥🔥…"},
		{"🔥🔥🔥", 4, "🔥…"},
		{"ééé", 2, "é…"},
	} {
		if got := cut(tt.in, tt.limit); got != tt.want {
			t.Errorf("cut(%q, %d) = %q; want %q", tt.in, tt.limit, got, tt.want)
		}
	}
}

func FuzzVisible(f *testing.F) {
	f.Add("a\u202eb\xff🔥", 3)
	f.Fuzz(func(t *testing.T, s string, limit int) {
		limit = 1 + max(0, limit)%200
		v := visible(s)
		c := cut(s, limit)
		if !utf8.ValidString(c) || width(c) > limit {
			t.Fatalf("cut(%q, %d) = %q", v, limit, c)
		}
		if i := strings.IndexFunc(v, hides); i >= 0 {
			t.Fatalf("visible(%q) hides something at %d", s, i)
		}
		if visible(v) != v {
			t.Fatalf("visible(%q) is not stable: %q", s, v)
		}
		if m := told(s, limit+20); width(m) > limit+20 {
			t.Fatalf("told(%q, %d) = %q", s, limit+20, m)
		}
	})
}
