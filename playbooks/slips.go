package playbooks

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// channel is a word after # where a value belongs: YAML reads it, and all that
// follows on the line, as a comment.
var channel = regexp.MustCompile(`(?:[:,\[{]|^-|\s-)\s+(#[^\s#,}\]]+)`)

// farthest is how many lines above the position of YAML's error the cause is
// searched for.
const farthest = 10

// slip returns a better message for invalid YAML, with the position of the cause.
func (d *document) slip(e *yaml.LoadError) (words string, line, column int, ok bool) {
	line, column = e.Mark.Line, e.Mark.Column
	at := d.from(line, column)
	switch {
	case strings.Contains(e.Message, "tab character"), strings.HasPrefix(at, "\t"):
		return "a tab cannot indent; use blanks", line, column, true
	case e.Message == "found unknown escape character":
		return "in double quotes a backslash begins an escape of YAML; write the text in single quotes or in a | block", line, column, true
	case !strings.HasPrefix(e.Message, "did not find expected"):
		return "", 0, 0, false
	}
	// A comment in a { … } or [ … ] hides the closing bracket.
	for n := min(line, len(d.lines)); n > 0 && n > line-farthest; n-- {
		text := d.lines[n-1]
		if found := channel.FindStringSubmatchIndex(text); found != nil && strings.ContainsAny(text[:found[2]], "{[") {
			return d.commentWords(text[found[2]:found[3]]), n, 1 + len([]rune(text[:found[2]])), true
		}
	}
	return "", 0, 0, false
}

func (d *document) commentWords(word string) string {
	if d.private() {
		return "YAML reads what follows # as a comment; quote the value"
	}
	return "YAML reads " + word + " as a comment; write '" + shorten(word, 40) + "' in quotes"
}

// from returns the rest of a line from a column on.
func (d *document) from(line, column int) string {
	if line < 1 || line > len(d.lines) || column < 1 {
		return ""
	}
	runes := []rune(d.lines[line-1])
	return string(runes[min(column-1, len(runes)):])
}

// commented explains a missing value where there is a comment in its place.
func (d *document) commented(n *yaml.Node) string {
	if n.Tag != "!!null" || n.Value != "" || n.Line < 1 || n.Line > len(d.lines) {
		return ""
	}
	found := channel.FindStringSubmatch(d.lines[n.Line-1])
	if found == nil {
		return ""
	}
	return ": " + d.commentWords(found[1])
}
