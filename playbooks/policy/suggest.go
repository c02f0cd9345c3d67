package policy

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// didYouMean returns the nearest candidate as a question, or an empty text where
// none is near.
func didYouMean(name string, candidates []string) string {
	near := Nearest(name, candidates)
	if near == "" {
		return ""
	}
	return ": did you mean '" + near + "'?"
}

// Nearest returns the known word that was probably meant, or an empty text: one
// with the same beginning, else one with few letters changed.
func Nearest(word string, known []string) string {
	if len(word) > 3 {
		at := slices.IndexFunc(known, func(k string) bool { return strings.HasPrefix(k, word) })
		if at >= 0 {
			return known[at]
		}
	}
	best, distance := "", 1+max(1, utf8.RuneCountInString(word)/3)
	for _, k := range known {
		if d := editDistance([]rune(strings.ToLower(word)), []rune(strings.ToLower(k))); d < distance {
			best, distance = k, d
		}
	}
	return best
}

// maxMeant bounds the words that are compared letter by letter.
const maxMeant = 64

// editDistance counts the insertions, deletions, replacements and swaps of
// neighbours that turn a into b.
func editDistance(a, b []rune) int {
	if len(a) > maxMeant || len(b) > maxMeant {
		return max(len(a), len(b))
	}
	var before []int
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i, ra := range a {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j, rb := range b {
			cost := 1
			if ra == rb {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && ra == b[j-1] && a[i-1] == rb {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
