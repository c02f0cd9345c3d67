package flowlog

import (
	"bytes"
	"errors"
)

var errArray = errors.New("not a JSON array")

// array reports whether the value is an array, whose elements [elements] can walk.
func (v value) array() bool { return !v.isText && len(v.text) > 0 && v.text[0] == '[' }

// elements walks the elements of the JSON array in b.
func elements(b []byte, visit func(v value) error) error {
	b = space(b)
	if len(b) == 0 || b[0] != '[' {
		return errArray
	}
	b = space(b[1:])
	if len(b) > 0 && b[0] == ']' {
		return nil
	}
	for {
		v, rest, err := scan(b)
		if err != nil {
			return err
		}
		if err := visit(v); err != nil {
			return err
		}
		b = space(rest)
		switch {
		case len(b) == 0:
			return errArray
		case b[0] == ']':
			return nil
		case b[0] != ',':
			return errArray
		}
		b = space(b[1:])
	}
}

// bytes returns the text of a value with its escapes resolved, without a copy where it has none.
func (v value) bytes() []byte {
	if v.isText && bytes.IndexByte(v.text, '\\') >= 0 {
		return []byte(v.plain())
	}
	return v.text
}

// tell adds what is wrong with a part, if anything; the others can be read.
func (e *Entry) tell(err error) {
	switch {
	case err == nil:
	case errors.Is(err, ErrNoFlow):
		e.Skipped++
	default:
		e.Bad = append(e.Bad, err)
	}
}
