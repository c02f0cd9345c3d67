package alerts_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

// wide writes a text as UTF-16.
func wide(text string, order binary.AppendByteOrder) []byte {
	var out []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		out = order.AppendUint16(out, unit)
	}
	return out
}

// A body of UTF-16, as Windows' own tools write it, is read as the same one of UTF-8, and
// kept without its secrets.
func TestUTF16(t *testing.T) {
	const body = `{"id":"a1","host":{"name":"bücher-😀"},"rule":"x"}`
	want, err := read1(body)
	if err != nil {
		t.Fatal(err)
	}
	for name, sent := range map[string][]byte{
		"little":           wide(body, binary.LittleEndian),
		"big":              wide(body, binary.BigEndian),
		"little with mark": wide("\ufeff"+body, binary.LittleEndian),
		"big with mark":    wide("\ufeff"+body, binary.BigEndian),
	} {
		a, err := read1(string(sent))
		if err != nil || a.ID != want.ID || a.Host.Name != want.Host.Name || a.Prints[1] != want.Prints[1] || !bytes.Equal(a.Raw, want.Raw) {
			t.Errorf("%s: it is %+v, %v", name, a, err)
		}
		if _, err := read1(string(sent[:len(sent)-1])); err == nil {
			t.Errorf("%s: a body that lacks its last byte is taken", name)
		}
	}
	half := append(wide(`{"host":{"id":"h`, binary.LittleEndian), 0, 0xd8)
	a, err := read1(string(append(half, wide(`"}}`, binary.LittleEndian)...)))
	if id, _ := a.Host.ID.Get(); err != nil || id != `h\ud800` {
		t.Errorf("half of a pair is read as %q, %v", id, err)
	}
	for _, broken := range []string{`{"password":"S3cret"}`, `{"password":"S3cret", broken`} {
		if kept := string((alerts.Source{}).Secretless(wide("\ufeff"+broken, binary.LittleEndian))); strings.Contains(strings.ReplaceAll(kept, "\x00", ""), "S3cret") {
			t.Errorf("kept is %q", kept)
		}
	}
}
