package playbooks

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/playbooks/policy"
)

// Issue is one complaint about a file. Line and Column count from 1, columns in
// characters.
type Issue struct {
	File    string `json:"file"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Message string `json:"message"`
	// Snippet is the line with a caret under the place; it may be empty.
	Snippet string `json:"snippet,omitempty"`
	// Warning marks an issue that lint shows without failing.
	Warning bool `json:"warning,omitempty"`
}

// String is file:line:column: message.
func (i Issue) String() string {
	message := i.Message
	if i.Warning {
		message = "warning: " + message
	}
	switch {
	case i.File == "":
		return message
	case i.Line == 0:
		return fmt.Sprintf("%s: %s", i.File, message)
	}
	return fmt.Sprintf("%s:%d:%d: %s", i.File, i.Line, i.Column, message)
}

// Issues are all complaints about a file, in the order of the file.
type Issues []Issue //nolint:errname // The faults of a file are its issues, everywhere; they may be warnings alone.

// Error prints every issue with its snippet.
func (is Issues) Error() string {
	var b strings.Builder
	for n, i := range is {
		if n > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(i.String())
		if i.Snippet != "" {
			b.WriteByte('\n')
			b.WriteString(i.Snippet)
		}
	}
	return b.String()
}

// Err returns the issues as an error, or nil when all are warnings.
func (is Issues) Err() error {
	if is.failed() {
		return is
	}
	return nil
}

func (is Issues) failed() bool {
	return slices.ContainsFunc(is, func(i Issue) bool { return !i.Warning })
}

// sorted returns the issues in the order of the file, each once.
func (is Issues) sorted() Issues {
	out := slices.Clone(is)
	slices.SortStableFunc(out, func(a, b Issue) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column), cmp.Compare(a.Message, b.Message))
	})
	return slices.Compact(out)
}

// maxSnippet bounds what is shown of one line: the file may be untrusted.
const maxSnippet = 160

// snippet returns the line with a caret under the column.
func snippet(lines []string, line, column int) string {
	if line < 1 || line > len(lines) || column < 1 {
		return ""
	}
	runes := []rune(lines[line-1])
	// A long line is shown around the column.
	start := 0
	if len(runes) > maxSnippet && column > maxSnippet/2 {
		start = min(column-maxSnippet/2, len(runes))
	}
	shown := runes[start:min(len(runes), start+maxSnippet)]
	var pad strings.Builder
	for _, r := range shown[:min(column-1-start, len(shown))] {
		if r == '\t' {
			pad.WriteRune('\t')
		} else {
			pad.WriteByte(' ')
		}
	}
	return string(shown) + "\n" + pad.String() + "^"
}

func nearest(word string, known []string) string { return policy.Nearest(word, known) }

// meant returns the known word that was probably meant, or the list of choices.
func meant(word string, known []string) string {
	near := nearest(word, known)
	switch {
	case near != "":
		return ": did you mean '" + near + "'?"
	case len(known) == 0:
		return ": there is none"
	case len(known) == 1:
		return ": there is only " + known[0]
	default:
		return ": there are " + strings.Join(known, ", ")
	}
}
