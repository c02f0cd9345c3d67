package flowlog

import (
	"errors"
	"fmt"
	"strings"
)

// squidField is a code that is read; the others' values are passed over.
type squidField uint8

const (
	squidOther squidField = iota
	squidSeconds
	squidMillis
	squidClock
	squidMillisTaken
	squidClient
	squidClientName
	squidClientPort
	squidServer
	squidServerPort
	squidStatus
	squidHierarchy
	squidSent
	squidReceived
	squidURL
	squidLogin
	squidFields
)

func squidFieldOf(code string) squidField {
	switch code {
	case "ts":
		return squidSeconds
	case "tu":
		return squidMillis
	case "tl", "tg":
		return squidClock
	case "tr":
		return squidMillisTaken
	case ">a":
		return squidClient
	case ">A":
		return squidClientName
	case ">p":
		return squidClientPort
	case "<a":
		return squidServer
	case "<p":
		return squidServerPort
	case "Ss":
		return squidStatus
	case "Sh":
		return squidHierarchy
	case ">st":
		return squidSent
	case "<st":
		return squidReceived
	case "ru":
		return squidURL
	case "un", "ul", "ui":
		return squidLogin
	}
	return squidOther
}

// squidPart is a text of a layout, or a value.
type squidPart struct {
	literal []byte // nil for a value
	field   squidField
}

// squidLayout reads a layout.
func squidLayout(layout string) ([]squidPart, error) {
	var parts []squidPart
	var has [squidFields]bool
	literal := func(text string) {
		if n := len(parts); n > 0 && parts[n-1].literal != nil {
			parts[n-1].literal = append(parts[n-1].literal, text...)
			return
		}
		parts = append(parts, squidPart{literal: []byte(text)})
	}
	for rest := strings.TrimSpace(layout); rest != ""; {
		switch {
		case strings.HasPrefix(rest, "%%"):
			literal("%")
			rest = rest[2:]
			continue
		case rest[0] != '%':
			n := strings.IndexByte(rest, '%')
			if n < 0 {
				n = len(rest)
			}
			literal(rest[:n])
			rest = rest[n:]
			continue
		}
		code, argument, n := squidCode(rest)
		field := squidFieldOf(code)
		switch {
		case code == "":
			return nil, fmt.Errorf("invalid code %q", clip(rest))
		case field == squidClock && argument != "":
			return nil, fmt.Errorf("%%%s with a form of its own is not read", code)
		case len(parts) > 0 && parts[len(parts)-1].literal == nil:
			return nil, fmt.Errorf("nothing between the values before %q", clip(rest))
		case field != squidOther && field != squidLogin && has[field]:
			return nil, fmt.Errorf("%%%s comes twice", code)
		}
		has[field] = true
		parts, rest = append(parts, squidPart{field: field}), rest[n:]
	}
	if !has[squidClient] || !has[squidServer] || !has[squidSeconds] && !has[squidClock] {
		return nil, errors.New("the layout lacks %>a, %<a, or a time (%ts or %tl)")
	}
	return parts, nil
}

// squidCode returns the code that a layout begins with, without its forms, what stands in braces, and its length as written.
func squidCode(s string) (code, argument string, n int) {
	i := 1
	for i < len(s) && strings.IndexByte(`"['#/-0123456789.`, s[i]) >= 0 {
		i++
	}
	braces := func() {
		if i < len(s) && s[i] == '{' {
			if end := strings.IndexByte(s[i:], '}'); end > 0 {
				argument, i = s[i+1:i+end], i+end+1
			}
		}
	}
	braces()
	from := i
	for i < len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
			i++
			continue
		case (c == '<' || c == '>') && (i == from || s[i-1] == ':'):
			i++
			continue
		case strings.HasPrefix(s[i:], "::"):
			i += 2
			continue
		}
		break
	}
	code = s[from:i]
	if at := strings.LastIndex(code, "::"); at >= 0 {
		code = code[at+2:]
	}
	braces()
	return code, argument, i
}
