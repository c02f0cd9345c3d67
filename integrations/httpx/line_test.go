package httpx

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestLine(t *testing.T) {
	if got := Line("ws-042\nINFO\x1b all is well ä"); got != "ws-042 INFO  all is well ä" {
		t.Errorf("the line is %q", got)
	}
	if got := Line(strings.Repeat("ä", 300) + "\n"); !utf8.ValidString(got) || len(got) > 210 || !strings.HasSuffix(got, "…") {
		t.Errorf("a long text is %q", got)
	}
}
