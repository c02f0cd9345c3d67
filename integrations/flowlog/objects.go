package flowlog

import "bytes"

// element returns the next JSON object of the stream, with what separates it from the one before:
// blanks, commas, and the beginning of the object whose array records they are the elements of.
// Complete is false where the stream, or its bound, ends before the object does. What is no
// object counts as one up to the end of its line. before is set to the length of what separates.
func (l *lines) element() (text []byte, complete bool) {
	skip, ok := l.separators()
	if !ok {
		return nil, true
	}
	l.before = skip
	if l.buf[l.from+skip] != '{' {
		if n := l.find([]byte{'\n'}, skip); n > 0 {
			return l.buf[l.from : l.from+n], true
		}
		return l.buf[l.from:l.to], false
	}
	var depth depth
	for at := skip; ; {
		pending := l.buf[l.from:l.to]
		if n, ended := depth.walk(pending[at:]); ended {
			return pending[:at+n], true
		}
		at = len(pending)
		if len(pending) >= l.most || !l.fill() {
			return l.buf[l.from:l.to], false
		}
	}
}

// separators returns how many of the next bytes stand before an element, and false where none comes.
func (l *lines) separators() (int, bool) {
	at := 0
	for {
		pending := l.buf[l.from:l.to]
		for at < len(pending) && bytes.IndexByte([]byte(" \t\r\n,]}"), pending[at]) >= 0 {
			at++
		}
		if l.offset == 0 {
			if n := opening(pending[at:]); n > 0 {
				at += n
				continue
			}
		}
		if at < len(pending) && (l.offset > 0 || len(pending)-at > 64 || l.err != nil) {
			return at, true
		}
		if len(pending) >= l.most || !l.fill() {
			return at, at < l.to-l.from
		}
	}
}

// opening returns the length of the beginning of an object whose first member is the array records,
// 0 where b does not begin so.
func opening(b []byte) int {
	rest := b
	for _, part := range []string{"{", `"records"`, ":", "["} {
		after, ok := bytes.CutPrefix(space(rest), []byte(part))
		if !ok {
			return 0
		}
		rest = after
	}
	return len(b) - len(rest)
}

// depth is how deep a text is inside of a JSON object.
type depth struct {
	braces          int
	inText, escaped bool
}

// walk returns how many bytes belong to the object, and whether it ends with them.
func (d *depth) walk(b []byte) (int, bool) {
	for i, c := range b {
		switch {
		case d.escaped:
			d.escaped = false
		case d.inText:
			d.escaped, d.inText = c == '\\', c != '"'
		case c == '"':
			d.inText = true
		case c == '{':
			d.braces++
		case c == '}':
			if d.braces--; d.braces == 0 {
				return i + 1, true
			}
		}
	}
	return len(b), false
}

// finishObject takes the next object though it is too long to be read.
func (l *lines) finishObject() {
	skip, ok := l.separators()
	if !ok {
		return
	}
	l.take(skip)
	var d depth
	for {
		n, ended := d.walk(l.buf[l.from:l.to])
		l.take(n)
		if ended || !l.fill() {
			return
		}
	}
}
