package flowlog

import (
	"bytes"
	"errors"
)

var errQuotes = errors.New("a quoted field that does not end")

// csvFields splits a line of comma-separated values and appends the fields to those given. A field may stand in quotes,
// and a quote in it is doubled, as in RFC 4180; one without quotes is as it is.
func csvFields(line []byte, fields [][]byte) ([][]byte, error) {
	for {
		if len(line) == 0 || line[0] != '"' {
			i := bytes.IndexByte(line, ',')
			if i < 0 {
				return append(fields, line), nil
			}
			fields, line = append(fields, line[:i]), line[i+1:]
			continue
		}
		end, doubled := 1, false
		for ; ; end++ {
			i := bytes.IndexByte(line[end:], '"')
			if i < 0 {
				return fields, errQuotes
			}
			if end += i; end+1 >= len(line) || line[end+1] != '"' {
				break
			}
			end, doubled = end+1, true
		}
		field, rest := line[1:end], line[end+1:]
		if doubled {
			field = bytes.ReplaceAll(field, []byte(`""`), []byte(`"`))
		}
		fields = append(fields, field)
		if len(rest) == 0 {
			return fields, nil
		}
		if rest[0] != ',' {
			return fields, errQuotes
		}
		line = rest[1:]
	}
}
