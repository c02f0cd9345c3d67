package alerts

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// clean makes a body valid UTF-8 without making two texts one: a byte that is
// none becomes \xff, and half of a surrogate pair \ud800, as text that people can
// read. The decoder would make the same character of all of them. A body that is
// valid is returned unchanged, and one of UTF-16 as UTF-8.
func clean(body []byte) []byte {
	body = bytes.TrimPrefix(utf8Of(body), []byte("\ufeff"))
	if utf8.Valid(body) && !bytes.Contains(body, []byte(`\ud`)) && !bytes.Contains(body, []byte(`\uD`)) {
		return body
	}
	out := make([]byte, 0, len(body)+16)
	for i := 0; i < len(body); {
		if body[i] == '\\' && i+1 < len(body) {
			n, half := escape(body[i:])
			if half {
				out = append(out, '\\')
				out = append(out, bytes.ToLower(body[i:i+n])...)
			} else {
				out = append(out, body[i:i+n]...)
			}
			i += n
			continue
		}
		r, n := utf8.DecodeRune(body[i:])
		if r == utf8.RuneError && n == 1 {
			out = fmt.Appendf(out, `\\x%02x`, body[i])
		} else {
			out = append(out, body[i:i+n]...)
		}
		i += n
	}
	return out
}

// escape returns how many bytes the escape at the beginning of a text has, and
// whether it is half of a surrogate pair. A byte that is no character is never
// taken for a part of an escape.
func escape(text []byte) (n int, half bool) {
	unit, ok := unitOf(text)
	switch {
	case !ok && text[1] < utf8.RuneSelf:
		return 2, false
	case !ok:
		return 1, false
	case unit < 0xd800 || unit > 0xdfff:
		return 6, false
	}
	if low, ok := unitOf(text[6:]); ok && unit < 0xdc00 && low >= 0xdc00 && low <= 0xdfff {
		return 12, false
	}
	return 6, true
}

// unitOf reads an escape such as \u00e9.
func unitOf(text []byte) (uint64, bool) {
	if len(text) < 6 || text[0] != '\\' || text[1] != 'u' {
		return 0, false
	}
	unit, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	return unit, err == nil
}
