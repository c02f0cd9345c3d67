package alerts

import (
	"encoding/binary"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

// utf8Of is a body as UTF-8 where it came as UTF-16, as Windows' own tools write text: with
// the mark at its beginning, or by the zero in its first character, which no text in UTF-8
// has. Half of a surrogate pair becomes \ud800, as [clean] has it. Any other body is
// returned unchanged.
func utf8Of(body []byte) []byte {
	order := orderOf(body)
	if order == nil {
		return body
	}
	out := make([]byte, 0, len(body)/2)
	rest := body
	for len(rest) >= 2 {
		unit := rune(order.Uint16(rest))
		rest = rest[2:]
		if !utf16.IsSurrogate(unit) {
			out = utf8.AppendRune(out, unit)
			continue
		}
		if len(rest) >= 2 {
			if pair := utf16.DecodeRune(unit, rune(order.Uint16(rest))); pair != utf8.RuneError {
				out = utf8.AppendRune(out, pair)
				rest = rest[2:]
				continue
			}
		}
		out = fmt.Appendf(out, `\\u%04x`, unit)
	}
	if len(rest) > 0 {
		// Half of a character: the body was cut.
		out = utf8.AppendRune(out, utf8.RuneError)
	}
	return out
}

// orderOf is the order of the bytes of UTF-16; nil of what is none.
func orderOf(body []byte) binary.ByteOrder {
	switch {
	case len(body) < 2:
	case body[0] == 0xff && body[1] == 0xfe, body[0] != 0 && body[1] == 0:
		return binary.LittleEndian
	case body[0] == 0xfe && body[1] == 0xff, body[0] == 0 && body[1] != 0:
		return binary.BigEndian
	}
	return nil
}
