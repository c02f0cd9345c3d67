package term_test

import (
	"testing"

	"github.com/stanch-soar/stanch/cmd/internal/term"
)

func TestTitleAndField(t *testing.T) {
	out := show(t, term.Options{Width: 40, ASCII: true}, func(p *term.Printer) error {
		if err := p.Title("Decision\x1b[2J"); err != nil {
			return err
		}
		return p.Field("because", "far more than this host ever sent\nbefore", "edr\u202e")
	})
	want := "\nDecision[U+001B][2J\n  because     far more than this host\n              ever sent before\n              (edr[U+202E])\n"
	if out != want {
		t.Errorf("got  %q\nwant %q", out, want)
	}
}
