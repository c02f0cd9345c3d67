package routertest

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// The bits of a numeric operator (RFC 8955, 4.2.1.1).
const (
	opEnd     = 0x80
	opAnd     = 0x40
	opLength  = 0x30
	opLess    = 0x04
	opGreater = 0x02
	opEqual   = 0x01
)

// span is the values from one to another, both included.
type span struct{ from, to uint64 }

// spans are values that one of a component's expressions holds for, in order, with gaps
// between them.
type spans []span

// readNumbers reads a list of pairs of operator and value, and returns the values up to
// most for which it holds, with what follows the list. AND binds tighter than OR.
func readNumbers(data []byte, most uint64) (held spans, rest []byte, err error) {
	var group spans // what the terms hold for that are joined by AND
	for first := true; ; first = false {
		if len(data) == 0 {
			return nil, nil, errors.New("a list of operators without an end")
		}
		op, size := data[0], 1<<(data[0]&opLength>>4)
		if len(data) < 1+size {
			return nil, nil, fmt.Errorf("an operator with a value of %d bytes, of which %d are there", size, len(data)-1)
		}
		var value uint64
		for _, b := range data[1 : 1+size] {
			value = value<<8 | uint64(b)
		}
		data = data[1+size:]
		term := holds(op, value, most)
		// Of the first operator the bit means nothing.
		if op&opAnd != 0 && !first {
			group = both(group, term)
		} else {
			held, group = append(held, group...), term
		}
		if op&opEnd != 0 {
			return joined(append(held, group...)), data, nil
		}
	}
}

// holds returns the values up to most for which an operator holds.
func holds(op byte, value, most uint64) spans {
	var s spans
	if op&opLess != 0 && value > 0 {
		s = append(s, span{0, min(value-1, most)})
	}
	if op&opEqual != 0 && value <= most {
		s = append(s, span{value, value})
	}
	if op&opGreater != 0 && value < most {
		s = append(s, span{value + 1, most})
	}
	return joined(s)
}

// both returns the values that are in a and in b.
func both(a, b spans) spans {
	var s spans
	for _, x := range a {
		for _, y := range b {
			if from, to := max(x.from, y.from), min(x.to, y.to); from <= to {
				s = append(s, span{from, to})
			}
		}
	}
	return joined(s)
}

// joined puts spans in order, and those that touch together.
func joined(s spans) spans {
	slices.SortFunc(s, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var out spans
	for _, x := range s {
		if n := len(out); n > 0 && x.from <= out[n-1].to+1 {
			out[n-1].to = max(out[n-1].to, x.to)
			continue
		}
		out = append(out, x)
	}
	return out
}

// String is the values as a set of nftables.
func (s spans) String() string {
	var words []string
	for _, x := range s {
		if x.from == x.to {
			words = append(words, fmt.Sprint(x.from))
		} else {
			words = append(words, fmt.Sprintf("%d-%d", x.from, x.to))
		}
	}
	return "{ " + strings.Join(words, ", ") + " }"
}
