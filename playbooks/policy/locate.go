package policy

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Issue is one fault of a playbook's expressions, with its position in the file.
type Issue struct {
	File         string
	Line, Column int
	Message      string
	// Snippet is the offending line and a line with a caret; empty where the
	// line cannot be shown.
	Snippet string
}

// maxSnippet is the longest line that is shown, in code points.
const maxSnippet = 200

// position is a place in a file, both counted from 1, columns in code points.
type position struct{ line, column int }

// locator maps every code point of an expression to its position in the file.
// YAML folds lines and doubles quotes, so the two differ.
type locator struct {
	start  position
	points []position // nil: only the start is known
}

// at returns the place of the code point at an offset in the expression.
func (l locator) at(offset int) position {
	if offset < 0 || len(l.points) == 0 {
		return l.start
	}
	return l.points[min(offset, len(l.points)-1)]
}

// locate aligns an expression with the file. Where that cannot be done, every
// fault is reported at the expression's start.
func locate(content string, e Expr) locator {
	l := locator{start: position{e.Line, e.Column}}
	if !e.Verbatim {
		return l
	}
	at, ok := offsetOf(content, e.Line, e.Column)
	if !ok {
		return l
	}
	a := aligner{
		file:   content,
		at:     at,
		pos:    l.start,
		quoted: !e.Block && at > 0 && content[at-1] == '\'',
	}
	if a.align(strings.TrimRightFunc(e.Text, unicode.IsSpace)) {
		l.points = append(a.points, a.pos)
	}
	return l
}

// aligner walks a file in step with an expression that is in it.
type aligner struct {
	file   string
	at     int
	pos    position
	quoted bool // single quotes are doubled
	points []position
}

func (a *aligner) align(text string) bool {
	inSpace := false
	for _, want := range text {
		if unicode.IsSpace(want) {
			if !inSpace && !unicode.IsSpace(a.peek()) {
				return false
			}
			a.points = append(a.points, a.pos)
			if !inSpace {
				a.skipSpace()
			}
			inSpace = true
			continue
		}
		inSpace = false
		if a.peek() != want {
			return false
		}
		a.points = append(a.points, a.pos)
		a.next()
		if a.quoted && want == '\'' {
			if a.peek() != '\'' {
				return false
			}
			a.next()
		}
	}
	return true
}

func (a *aligner) peek() rune {
	if a.at >= len(a.file) {
		return -1
	}
	r, _ := utf8.DecodeRuneInString(a.file[a.at:])
	return r
}

func (a *aligner) next() {
	r, size := utf8.DecodeRuneInString(a.file[a.at:])
	a.at += size
	if r == '\n' {
		a.pos = position{a.pos.line + 1, 1}
	} else {
		a.pos.column++
	}
}

func (a *aligner) skipSpace() {
	for unicode.IsSpace(a.peek()) {
		a.next()
	}
}

// offsetOf returns the byte offset of a line and column.
func offsetOf(content string, line, column int) (int, bool) {
	at := 0
	for range line - 1 {
		end := strings.IndexByte(content[at:], '\n')
		if end < 0 {
			return 0, false
		}
		at += end + 1
	}
	for range column - 1 {
		r, size := utf8.DecodeRuneInString(content[at:])
		if size == 0 || r == '\n' {
			return 0, false
		}
		at += size
	}
	return at, line > 0 && column > 0
}

// snippet shows a line of the file with a caret under the column. Tabs are kept,
// so that the caret is in the right column whatever their width.
func snippet(content string, p position) string {
	start, ok := offsetOf(content, p.line, 1)
	if !ok {
		return ""
	}
	line, _, _ := strings.Cut(content[start:], "\n")
	line = strings.TrimSuffix(line, "\r")
	if n := utf8.RuneCountInString(line); n > maxSnippet || p.column < 1 || p.column > n+1 {
		return ""
	}
	var caret strings.Builder
	column := 1
	for _, r := range line {
		if column == p.column {
			break
		}
		if r != '\t' {
			r = ' '
		}
		caret.WriteRune(r)
		column++
	}
	return line + "\n" + caret.String() + "^"
}
