package alerts

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// Mark stands where a secret was cut out of a document.
const Mark = "[cut]"

// nested bounds how deep JSON is looked for in texts of JSON.
const nested = 4

// Secretless is a body, or a part of one, without the secrets that it holds: what stands
// under keys such as password, token or cookie, and under those that the source names,
// credentials in texts, and passwords in addresses. All other bytes stay as they are. What
// was cut once is not changed by it again. A body that is not JSON is taken for text, and one
// of UTF-16 becomes UTF-8: nothing would be found in it.
func (s Source) Secretless(body []byte) []byte {
	body = utf8Of(body)
	c := cutter{also: s.Cut}
	if first := bytes.TrimLeft(body, " \t\r\n\ufeff"); len(first) == 0 || first[0] != '{' && first[0] != '[' && first[0] != '"' {
		if text := c.words(string(body)); text != string(body) {
			return []byte(text)
		}
		return body
	}
	return c.json(body, !json.Valid(body))
}

// withoutSecrets is a decoded value without the secrets that it holds.
func (c cutter) withoutSecrets(v any, secret bool) any {
	switch v := v.(type) {
	case string:
		if secret && v != "" {
			return Mark
		}
		return c.text(v)
	case json.Number:
		if secret {
			return Mark
		}
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = c.withoutSecrets(item, secret)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, item := range v {
			out[key] = c.withoutSecrets(item, secret || c.secret(key))
		}
		return out
	}
	return v
}

// cutter finds secrets.
type cutter struct {
	// also are more keys whose values are secrets.
	also []string
	// depth counts the texts around this one that are JSON themselves.
	depth int
}

// json cuts the secrets out of JSON. It reads what is broken too: then loose is set, and what
// stands between the strings is read as text.
func (c cutter) json(data []byte, loose bool) []byte {
	s := scan{cutter: c, data: data, loose: loose}
	for at := 0; at < len(data); {
		if data[at] == '"' {
			at = s.quoted(at)
			continue
		}
		end := len(data)
		if next := bytes.IndexByte(data[at:], '"'); next >= 0 {
			end = at + next
		}
		s.between(at, end)
		at = end
	}
	if s.out == nil {
		return data
	}
	return append(s.out, data[s.done:]...)
}

// scan is one pass over JSON.
type scan struct {
	cutter
	data  []byte
	loose bool
	// out is what was written, of data up to done; nil while nothing was cut.
	out  []byte
	done int
	// levels are the objects and lists around: whether all in them is secret.
	levels []bool
	// secretKey reports whether the value that comes is that of a secret key.
	secretKey bool
}

// replace writes something in the place of a part of the data.
func (s *scan) replace(from, to int, with []byte) {
	if !bytes.Equal(s.data[from:to], with) {
		s.out = append(append(s.out, s.data[s.done:from]...), with...)
		s.done = to
	}
}

func (s *scan) hidden() bool {
	return s.secretKey || len(s.levels) > 0 && s.levels[len(s.levels)-1]
}

// quoted reads the string at a place, and returns the place behind it.
func (s *scan) quoted(at int) int {
	end, escaped := at+1, false
	for ; end < len(s.data) && s.data[end] != '"'; end++ {
		if s.data[end] == '\\' {
			escaped = true
			end++
		}
	}
	end = min(end, len(s.data))
	inner := string(s.data[at+1 : end])
	closed := end < len(s.data)
	if closed {
		end++
	}
	if escaped {
		var decoded string
		if json.Unmarshal(s.data[at:end], &decoded) == nil {
			inner = decoded
		}
	}
	if after := bytes.TrimLeft(s.data[end:min(len(s.data), end+64)], " \t\r\n"); len(after) > 0 && after[0] == ':' {
		s.secretKey = s.secret(inner)
		return end
	}
	if s.hidden() {
		if inner != "" {
			s.replace(at, end, quote(Mark, closed))
		}
	} else if text := s.text(inner); text != inner {
		s.replace(at, end, quote(text, closed))
	}
	s.secretKey = false
	return end
}

// quote writes a JSON string. One that was broken off stays so.
func quote(text string, closed bool) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	// A text always encodes.
	_ = e.Encode(text)
	quoted := bytes.TrimRight(out.Bytes(), "\n")
	if !closed {
		quoted = quoted[:len(quoted)-1]
	}
	return quoted
}

// between reads what stands between two strings.
func (s *scan) between(from, to int) {
	text := from
	for at := from; at < to; at++ {
		switch b := s.data[at]; {
		case b == '{' || b == '[':
			s.levels = append(s.levels, s.hidden())
			s.secretKey = false
		case b == '}' || b == ']':
			s.levels = s.levels[:max(0, len(s.levels)-1)]
			s.secretKey = false
		case b == ',':
			s.secretKey = false
		case b == '-' || b >= '0' && b <= '9':
			end := at + 1
			for end < to && strings.IndexByte("+-.eE0123456789", s.data[end]) >= 0 {
				end++
			}
			if s.hidden() {
				s.words(text, at)
				s.replace(at, end, quote(Mark, true))
				text = end
			}
			at = end - 1
		}
	}
	s.words(text, to)
}

// words cuts secrets out of what is neither a string nor a number, where it is not JSON.
func (s *scan) words(from, to int) {
	if run := string(s.data[from:to]); s.loose {
		s.replace(from, to, []byte(s.cutter.words(run)))
	}
}

// secret reports whether what stands under a key is a secret.
func (c cutter) secret(key string) bool {
	var buffer [64]byte
	word := squash(buffer[:0], key)
	if bytes.Contains(word, []byte("password")) || bytes.Contains(word, []byte("passwd")) || bytes.Contains(word, []byte("passphrase")) || bytes.Contains(word, []byte("secret")) {
		return true
	}
	// What is no letter is left out.
	ends := [...]string{
		"token", "tokens", "cookie", "cookies", "authorization", "credential", "credentials", "pwd", "passcode", "jwt", "connectionstring",
		"apikey", "apikeys", "accesskey", "privatekey", "sharedkey", "accountkey", "signingkey", "encryptionkey", "sessionkey", "authkey",
		"masterkey", "storagekey", "subscriptionkey", "functionkey", "jsessionid", "phpsessid",
	}
	if slices.ContainsFunc(ends[:], func(end string) bool { return bytes.HasSuffix(word, []byte(end)) }) {
		return true
	}
	if whole := [...]string{"pass", "pw", "bearer", "otp", "sig"}; slices.Contains(whole[:], string(word)) {
		return true
	}
	return slices.ContainsFunc(c.also, func(also string) bool {
		last := key[strings.LastIndexByte(key, '.')+1:]
		return strings.EqualFold(also, key) || strings.EqualFold(also, last)
	})
}

// squash writes the letters of a key, in lower case.
func squash(to []byte, key string) []byte {
	for i := range len(key) {
		switch b := key[i]; {
		case b >= 'A' && b <= 'Z':
			to = append(to, b+'a'-'A')
		case b >= 'a' && b <= 'z':
			to = append(to, b)
		}
	}
	return to
}
