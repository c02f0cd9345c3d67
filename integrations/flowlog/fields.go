package flowlog

import (
	"bytes"
	"iter"
)

// fieldsOf returns the values of a line between separators. A value that begins with a quotation mark ends with
// one, and in it two stand for one; a blank as separator may be repeated. Within a value, text in quotation marks
// may hold the separator.
func fieldsOf(line []byte, separator byte) iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for {
			if separator == ' ' {
				line = bytes.TrimLeft(line, " ")
				if len(line) == 0 {
					return
				}
			}
			end := ending(line, separator)
			if !yield(unquoted(line[:end])) || end == len(line) {
				return
			}
			line = line[end+1:]
		}
	}
}

// ending is where the first value of a line ends.
func ending(line []byte, separator byte) int {
	if i := bytes.IndexByte(line, separator); i < 0 || bytes.IndexByte(line[:i], '"') < 0 {
		if i < 0 {
			return len(line)
		}
		return i
	}
	quoted := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\\' && quoted:
			i++
		case c == '"':
			quoted = !quoted
		case c == separator && !quoted:
			return i
		}
	}
	return len(line)
}

// unquoted is a value without the quotation marks around it.
func unquoted(v []byte) []byte {
	if len(v) < 2 || v[0] != '"' || v[len(v)-1] != '"' {
		return v
	}
	v = v[1 : len(v)-1]
	if bytes.IndexByte(v, '"') < 0 && bytes.IndexByte(v, '\\') < 0 {
		return v
	}
	v = bytes.ReplaceAll(v, []byte(`""`), []byte(`"`))
	return bytes.ReplaceAll(v, []byte(`\"`), []byte(`"`))
}
