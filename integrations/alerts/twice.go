package alerts

import (
	"bytes"
	"encoding/json"
	"unicode/utf8"
)

// twice returns a key that an object in valid JSON has more than once. Decoders differ in which
// of the values they take, and so does what the sender has seen.
func twice(data []byte) (key string, found bool) {
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return "", false
	}
	var objects []map[string]struct{}
	for at := 0; at < len(data); at++ {
		switch data[at] {
		case '{':
			objects = append(objects, map[string]struct{}{})
		case '}':
			objects = objects[:max(len(objects)-1, 0)]
		case '"':
			start := at
			for at++; at < len(data) && data[at] != '"'; at++ {
				if data[at] == '\\' {
					at++
				}
			}
			if !isKey(data, at+1) || len(objects) == 0 {
				continue
			}
			if key, found = keyOf(data[start : at+1]); !found {
				return "", false
			}
			here := objects[len(objects)-1]
			if _, known := here[key]; known {
				return key, true
			}
			here[key] = struct{}{}
		}
	}
	return "", false
}

// keyOf reads a key in its quotes.
func keyOf(quoted []byte) (key string, ok bool) {
	if inner := quoted[1 : len(quoted)-1]; bytes.IndexByte(inner, '\\') < 0 && utf8.Valid(inner) {
		return string(inner), true
	}
	err := json.Unmarshal(quoted, &key)
	return key, err == nil
}

// isKey reports whether a colon follows what ends before a place.
func isKey(data []byte, at int) bool {
	for ; at < len(data); at++ {
		switch data[at] {
		case ' ', '\t', '\r', '\n':
		default:
			return data[at] == ':'
		}
	}
	return false
}
