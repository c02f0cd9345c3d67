package flowlog

import (
	"encoding/json"
	"errors"
)

// maxNesting bounds how deep a JSON record may nest.
const maxNesting = 32

var errJSON = errors.New("not a JSON object")

// value is one JSON value as it is in the line: text without its quotes,
// other values as written.
type value struct {
	text   []byte
	isText bool
	// object is set for a nested object, whose members members can walk.
	object bool
}

// null reports whether the value is null or empty.
func (v value) null() bool { return !v.isText && string(v.text) == "null" }

// members walks the members of the JSON object in b and returns what follows
// it. Keys with escapes are passed as written; no key of a flow record has one.
// It is lenient towards errors inside values that are not read, and never reads
// outside of b.
func members(b []byte, visit func(key []byte, v value) error) (rest []byte, err error) {
	b = space(b)
	if len(b) == 0 || b[0] != '{' {
		return b, errJSON
	}
	b = space(b[1:])
	if len(b) > 0 && b[0] == '}' {
		return b[1:], nil
	}
	for {
		var key []byte
		if key, b, err = text(b); err != nil {
			return b, err
		}
		if b = space(b); len(b) == 0 || b[0] != ':' {
			return b, errJSON
		}
		var v value
		if v, b, err = scan(space(b[1:])); err != nil {
			return b, err
		}
		if err := visit(key, v); err != nil {
			return b, err
		}
		b = space(b)
		switch {
		case len(b) == 0:
			return b, errJSON
		case b[0] == '}':
			return b[1:], nil
		case b[0] != ',':
			return b, errJSON
		}
		b = space(b[1:])
	}
}

func space(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t' || b[0] == '\r' || b[0] == '\n') {
		b = b[1:]
	}
	return b
}

// text reads a JSON string and returns the bytes between its quotes.
func text(b []byte) (inner, rest []byte, err error) {
	if len(b) == 0 || b[0] != '"' {
		return nil, b, errJSON
	}
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '"':
			return b[1:i], b[i+1:], nil
		case '\\':
			i++
		}
	}
	return nil, b, errJSON
}

// scan reads one value.
func scan(b []byte) (v value, rest []byte, err error) {
	if len(b) == 0 {
		return value{}, b, errJSON
	}
	switch b[0] {
	case '"':
		inner, rest, err := text(b)
		return value{text: inner, isText: true}, rest, err
	case '{', '[':
		end, err := closing(b)
		if err != nil {
			return value{}, b, err
		}
		return value{text: b[:end], object: b[0] == '{'}, b[end:], nil
	}
	i := 0
	for i < len(b) && b[i] != ',' && b[i] != '}' && b[i] != ']' && b[i] > ' ' {
		i++
	}
	if i == 0 {
		return value{}, b, errJSON
	}
	return value{text: b[:i]}, b[i:], nil
}

// closing returns the end of the object or array that b begins with.
func closing(b []byte) (int, error) {
	var stack [maxNesting]byte
	depth := 0
	for i := 0; i < len(b); i++ {
		switch c := b[i]; c {
		case '"':
			inner, _, err := text(b[i:])
			if err != nil {
				return 0, err
			}
			i += len(inner) + 1
		case '{', '[':
			if depth == maxNesting {
				return 0, errors.New("the JSON nests too deep")
			}
			stack[depth] = c + 2 // the closing bracket is two after in ASCII
			depth++
		case '}', ']':
			if stack[depth-1] != c {
				return 0, errJSON
			}
			if depth--; depth == 0 {
				return i + 1, nil
			}
		}
	}
	return 0, errJSON
}

// plain returns the text of a value with its escapes resolved.
func (v value) plain() string {
	if !v.isText {
		return string(v.text)
	}
	for _, c := range v.text {
		if c == '\\' {
			var s string
			if json.Unmarshal([]byte(`"`+string(v.text)+`"`), &s) != nil {
				return string(v.text)
			}
			return s
		}
	}
	return string(v.text)
}
