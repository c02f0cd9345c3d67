package defendfake

import "strconv"

// matchesPattern reports whether a text is of a pattern, in which * is any text.
func matchesPattern(pattern, s string) bool { return matchesLike(pattern, s, 0) }

// matchesLike is the same with a sign that is any one byte.
func matchesLike(pattern, s string, one byte) bool {
	for pattern != "" {
		switch {
		case pattern[0] == '*':
			for i := range len(s) + 1 {
				if matchesLike(pattern[1:], s[i:], one) {
					return true
				}
			}
			return false
		case s == "":
			return false
		case one != 0 && pattern[0] == one:
		case pattern[0] != s[0]:
			return false
		}
		pattern, s = pattern[1:], s[1:]
	}
	return s == ""
}

func formatInt(n int64) string { return strconv.FormatInt(n, 10) }
