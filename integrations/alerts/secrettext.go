package alerts

import (
	"encoding/base64"
	"encoding/json"
	"strings"
)

// text cuts secrets out of a text. One that is JSON is read as such.
func (c cutter) text(s string) string {
	first := strings.TrimLeft(s, " \t\r\n")
	if len(first) < 2 || first[0] != '{' && first[0] != '[' || c.depth == nested {
		return c.words(s)
	}
	inner := c
	inner.depth++
	if json.Valid([]byte(s)) {
		return string(inner.json([]byte(s), false))
	}
	return c.words(string(inner.json([]byte(s), true)))
}

// words cuts out what follows a word such as password= or Cookie:, the credential of an
// Authorization header wherever it stands, the password of an address, a private key, and
// what is written as a web token.
func (c cutter) words(s string) string {
	var out strings.Builder
	done := 0
	for at := 0; at < len(s); {
		from, to := c.found(s, at)
		if to == 0 {
			at++
			continue
		}
		if s[from:to] != Mark {
			out.WriteString(s[done:from])
			out.WriteString(Mark)
			done = to
		}
		at = max(at+1, to)
	}
	if done == 0 {
		return s
	}
	out.WriteString(s[done:])
	return out.String()
}

// found returns the secret that the byte at a place gives away; to is 0 where there is none.
func (c cutter) found(s string, at int) (from, to int) {
	switch s[at] {
	case '=':
		return c.assigned(s, at)
	case ':':
		if strings.HasPrefix(s[at:], "://") {
			return inAddress(s, at+len("://"))
		}
		return c.assigned(s, at)
	case ' ':
		return c.spaced(s, at)
	case 'e':
		return webToken(s, at)
	case '-':
		return privateKey(s, at)
	}
	return 0, 0
}

// isWord reports whether a byte is one of a key in a text.
func isWord(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '_' || b == '-' || b == '.'
}

// wordBefore is the word that ends right before a place, without quotes and blanks between.
func wordBefore(s string, at int) (from, to int) {
	for at > 0 && strings.IndexByte(" \"'\\", s[at-1]) >= 0 {
		at--
	}
	from = at
	for from > 0 && isWord(s[from-1]) {
		from--
	}
	return from, at
}

// assigned finds the value behind = or : of a word that is a secret's key.
func (c cutter) assigned(s string, at int) (from, to int) {
	begin, end := wordBefore(s, at)
	word := strings.TrimLeft(s[begin:end], "-")
	if word == "" || !c.secret(word) {
		return 0, 0
	}
	around := byte(0)
	if begin > 0 {
		around = s[begin-1]
	}
	return value(s, at+1, header(word), around)
}

// header reports whether a word is that of a header whose value has blanks.
func header(word string) bool {
	var buffer [64]byte
	name := string(squash(buffer[:0], word))
	return strings.HasSuffix(name, "authorization") || strings.HasSuffix(name, "cookie")
}

// value finds where a value begins and ends. That of a header goes to the end of the line,
// or of the quotes around both.
func value(s string, at int, header bool, around byte) (from, to int) {
	for at < len(s) && (s[at] == ' ' || s[at] == '\t' || s[at] == '\\') {
		at++
	}
	if at == len(s) {
		return 0, 0
	}
	ends := " \t\r\n&\"'<>"
	if q := s[at]; q == '"' || q == '\'' {
		at++
		ends = string(q) + "\r\n"
	} else if header {
		ends = "\r\n"
		if around == '"' || around == '\'' {
			ends += string(around)
		}
	}
	end := at
	for end < len(s) && strings.IndexByte(ends, s[end]) < 0 {
		end++
	}
	// A quote that is escaped is not part of the value, and nor is what escapes it.
	for end > at && s[end-1] == '\\' && end < len(s) {
		end--
	}
	if end == at {
		return 0, 0
	}
	return at, end
}

// spaced finds what follows a blank: the credential of a scheme, or the value of an option
// of a command line.
func (c cutter) spaced(s string, at int) (from, to int) {
	if at == 0 || !isWord(s[at-1]) || at+1 == len(s) {
		return 0, 0
	}
	begin, end := wordBefore(s, at)
	word := s[begin:end]
	switch {
	case strings.EqualFold(word, "bearer"), strings.EqualFold(word, "basic"):
		from, to = value(s, at+1, false, 0)
		if to-from < 8 || strings.EqualFold(word, "basic") && !isPair(s[from:to]) {
			return 0, 0
		}
		return from, to
	case word[0] == '-' && c.secret(strings.TrimLeft(word, "-")) && s[at+1] != '-':
		return value(s, at+1, false, 0)
	}
	return 0, 0
}

// isPair reports whether a text is that of HTTP Basic: user and password.
func isPair(text string) bool {
	decoded, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(text, "="))
	return err == nil && strings.Contains(string(decoded), ":")
}

// inAddress finds the password of an address, whose authority begins at a place.
func inAddress(s string, at int) (from, to int) {
	end := at
	for end < len(s) && strings.IndexByte("/?# \t\r\n\"'<>\\", s[end]) < 0 {
		end++
	}
	host := strings.LastIndexByte(s[at:end], '@')
	if host < 0 {
		return 0, 0
	}
	colon := strings.IndexByte(s[at:at+host], ':')
	if colon < 0 || colon+1 == host {
		return 0, 0
	}
	return at + colon + 1, at + host
}

// webToken finds a JSON web token: three parts of base64, the first of which begins as
// JSON does.
func webToken(s string, at int) (from, to int) {
	const shortest = 20
	if !strings.HasPrefix(s[at:], "eyJ") || at > 0 && isWord(s[at-1]) {
		return 0, 0
	}
	end := at
	for end < len(s) && isWord(s[end]) {
		end++
	}
	if end-at < shortest || strings.Count(s[at:end], ".") < 2 {
		return 0, 0
	}
	return at, end
}

// privateKey finds a private key as PEM.
func privateKey(s string, at int) (from, to int) {
	const begin, last, end = "-----BEGIN ", "PRIVATE KEY-----", "-----END "
	if !strings.HasPrefix(s[at:], begin) {
		return 0, 0
	}
	header := strings.Index(s[at:min(len(s), at+64)], last)
	if header < 0 {
		return 0, 0
	}
	from = at + header + len(last)
	to = len(s)
	if n := strings.Index(s[from:], end); n >= 0 {
		to = from + n
	}
	if from == to {
		return 0, 0
	}
	return from, to
}
