package falconfake

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// level is what the path of a command allows.
type level struct {
	// commands are those of the level that the double runs. The product knows more.
	commands []string
	admin    bool
}

func readOnlyLevel() level { return level{commands: []string{"ps", "netstat", "pwd"}} }

func responderLevel() level {
	return level{commands: []string{"ps", "netstat", "pwd", "kill", "runscript"}}
}

func adminLevel() level {
	l := responderLevel()
	l.admin = true
	return l
}

// line is a command line: words and flags.
type line struct {
	base  string
	words []string
	flags map[string]string
}

// parseLine reads a command line: -Flag=value, where the value is one word, or is
// in single or double quotes or between three backticks, and may then hold spaces
// but not what closes it.
func parseLine(text string) (line, error) {
	l := line{flags: map[string]string{}}
	rest := strings.TrimSpace(text)
	for rest != "" {
		var word string
		var err error
		if name, after, ok := flagName(rest); ok {
			word, rest, err = quoted(after)
			l.flags[name] = word
		} else {
			word, rest, err = quoted(rest)
			l.words = append(l.words, word)
		}
		if err != nil {
			return line{}, err
		}
		rest = strings.TrimLeft(rest, " ")
	}
	if len(l.words) == 0 {
		return line{}, errors.New("there is no command")
	}
	l.base, l.words = l.words[0], l.words[1:]
	return l, nil
}

// flagName reads -Name= or -Name.
func flagName(text string) (name, rest string, ok bool) {
	text, ok = strings.CutPrefix(text, "-")
	if !ok {
		return "", "", false
	}
	end := strings.IndexAny(text, "= ")
	switch {
	case end < 0:
		return text, "", true
	case text[end] == '=':
		return text[:end], text[end+1:], true
	}
	return text[:end], text[end:], true
}

// quoted reads one value.
func quoted(text string) (value, rest string, err error) {
	for _, quote := range []string{"```", "'", `"`} {
		inner, ok := strings.CutPrefix(text, quote)
		if !ok {
			continue
		}
		value, rest, ok = strings.Cut(inner, quote)
		if !ok {
			return "", "", fmt.Errorf("unterminated %s in the command", quote)
		}
		return value, rest, nil
	}
	value, rest, _ = strings.Cut(text, " ")
	return value, rest, nil
}

// checkScript refuses what runscript does not take.
func (c *call) checkScript(l line, admin bool) *reply {
	bad := func(code int, format string, args ...any) *reply {
		r := c.fail(http.StatusBadRequest, code, format, args...)
		return &r
	}
	for name, value := range l.flags {
		switch name {
		case "CloudFile", "CommandLine", "Timeout":
		case "Raw":
			if !admin {
				return bad(40014, "Unrecognized flag found: Raw, value: %s", value)
			}
		default:
			return bad(40014, "Unrecognized flag found: %s, value: %s", name, value)
		}
	}
	if len(l.words) > 0 {
		return bad(40012, "Max args is 0. %d were provided", len(l.words))
	}
	_, raw := l.flags["Raw"]
	_, cloud := l.flags["CloudFile"]
	if raw == cloud {
		return bad(40006, "Command is not valid")
	}
	return nil
}
