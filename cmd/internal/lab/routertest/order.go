package routertest

import (
	"bytes"
	"cmp"
)

// precedence orders two rules of one family (RFC 8955, 5.1): of those that hold for a
// packet the first one, in this order, is what is done.
func precedence(a, b rule) int {
	for i := range min(len(a.components), len(b.components)) {
		x, y := a.components[i], b.components[i]
		if c := cmp.Compare(x.typ, y.typ); c != 0 {
			return c
		}
		compare := byBytes
		if x.prefix.IsValid() {
			compare = byPrefix
		}
		if c := compare(x, y); c != 0 {
			return c
		}
	}
	// More conditions come first.
	return cmp.Compare(len(b.components), len(a.components))
}

// byPrefix puts the longer of two prefixes first where one is within the other.
func byPrefix(a, b component) int {
	if a.prefix.Overlaps(b.prefix) {
		return cmp.Compare(b.prefix.Bits(), a.prefix.Bits())
	}
	return a.prefix.Addr().Compare(b.prefix.Addr())
}

// byBytes puts the longer of two texts first where it begins with the other.
func byBytes(a, b component) int {
	common := min(len(a.data), len(b.data))
	if c := bytes.Compare(a.data[:common], b.data[:common]); c != 0 {
		return c
	}
	return cmp.Compare(len(b.data), len(a.data))
}
