package integrations

import (
	"testing"
	"unicode"
)

// Who names a host must not write lines into logs, nor turn a terminal's text around.
func TestAnOperationStaysOnItsLine(t *testing.T) {
	text := Errorf(Denied, "isolate ws-042\nINFO all is well\x1b[2J\u202e \u00e4", "no").Error()
	for _, r := range text {
		if !unicode.IsPrint(r) {
			t.Errorf("%q contains %q", text, r)
		}
	}
	if want := "isolate ws-042\ufffdINFO all is well\ufffd[2J\ufffd \u00e4: denied: no"; text != want {
		t.Errorf("the text is %q, want %q", text, want)
	}
}
