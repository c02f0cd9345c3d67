package alerts

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// cut returns the beginning of a text that is longer than so many bytes, in whole
// runes and with a mark that says how much there was: the attacker writes it, and
// must not lose the alert by it.
func cut(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return fmt.Sprintf("%s… (cut: it is %d bytes)", text[:most], len(text))
}

// shortDocument is an alert's document with the texts cut that are longer than any
// command line on Windows and that the owner of a process writes, if there was one. The
// length of the rest is noted at the cut.
func shortDocument(fields map[string]any) (document []byte, changed bool) {
	if !long(fields) {
		return nil, false
	}
	short, changed := shortened(fields, false)
	if !changed {
		return nil, false
	}
	// What was decoded from JSON encodes.
	document, _ = json.Marshal(short)
	return document, true
}

// long reports whether a decoded value holds a text that may have to be cut.
func long(v any) bool {
	switch v := v.(type) {
	case string:
		return len(v) > MaxCommandLine
	case []any:
		return slices.ContainsFunc(v, long)
	case map[string]any:
		for _, item := range v {
			if long(item) {
				return true
			}
		}
	}
	return false
}

// shortened is a copy of a decoded value with its long texts cut below the names
// of fields about a process or a user, if there was one to cut.
func shortened(v any, written bool) (short any, changed bool) {
	switch v := v.(type) {
	case string:
		if !written || len(v) <= MaxCommandLine {
			return v, false
		}
		return cut(strings.TrimSpace(v), MaxCommandLine), true
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			inner, cut := shortened(item, written)
			out[i], changed = inner, changed || cut
		}
		return out, changed
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, item := range v {
			inner, cut := shortened(item, written || ofProcess(name))
			out[name], changed = inner, changed || cut
		}
		return out, changed
	}
	return v, false
}

func ofProcess(name string) bool {
	name = strings.ToLower(name)
	return slices.ContainsFunc([]string{"process", "command", "user", "cmdline", "image"}, func(word string) bool { return strings.Contains(name, word) })
}
