package flowlog

import "bytes"

// byteOrderMark is what some programs of Windows write at the beginning of a text.
var byteOrderMark = []byte("\xef\xbb\xbf")

// beginning returns what a log begins with, without a byte order mark and blanks.
func beginning(head []byte) []byte { return space(bytes.TrimPrefix(head, byteOrderMark)) }

// firstLine returns the first line of a log that begins so.
func firstLine(head []byte) []byte {
	line, _, _ := bytes.Cut(beginning(head), []byte{'\n'})
	return bytes.TrimRight(line, "\r")
}

// firstMembers walks the members of the object that a log begins with, as far as they are in the head.
func firstMembers(head []byte, visit func(key []byte, v value)) {
	// The object may be longer than the head.
	_, _ = members(beginning(head), func(key []byte, v value) error {
		visit(key, v)
		return nil
	})
}

// says reports whether somewhere in the head of a JSON log the key has that text.
func says(head []byte, key, text string) bool {
	head = beginning(head)
	if len(head) == 0 || head[0] != '{' {
		return false
	}
	quoted := []byte(`"` + key + `"`)
	for {
		i := bytes.Index(head, quoted)
		if i < 0 {
			return false
		}
		head = space(head[i+len(quoted):])
		if after, ok := bytes.CutPrefix(head, []byte{':'}); ok && bytes.HasPrefix(space(after), []byte(`"`+text+`"`)) {
			return true
		}
	}
}
