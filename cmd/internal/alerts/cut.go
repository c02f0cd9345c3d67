package alerts

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// cutCommandLine shortens a command line that is longer than any that Windows
// takes, in the alert and in its document: the attacker writes it, and must not
// lose the alert by it. What was cut off is said at the cut.
func cutCommandLine(a *incident.Alert, fields map[string]any) {
	line, _ := a.Process.CommandLine.Get()
	if len(line) <= maxCommandLine {
		return
	}
	short := cut(line, maxCommandLine)
	a.Process.CommandLine = incident.Known(short, a.Process.CommandLine.From())
	// What was decoded from JSON encodes.
	a.Raw, _ = json.Marshal(replaced(fields, line, short))
}

// cut returns the beginning of a text, of at most so many bytes and whole
// runes, with a mark that says how much there was.
func cut(text string, most int) string {
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return fmt.Sprintf("%s… (cut: it is %d bytes)", text[:most], len(text))
}

// replaced is a copy of a decoded value in which one text stands for another,
// blanks around it aside.
func replaced(v any, old, by string) any {
	switch v := v.(type) {
	case string:
		if strings.TrimSpace(v) == old {
			return by
		}
	case []any:
		out := make([]any, len(v))
		for i, item := range v {
			out[i] = replaced(item, old, by)
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, item := range v {
			out[name] = replaced(item, old, by)
		}
		return out
	}
	return v
}
