package incident

import (
	"slices"
	"strings"
	"sync"
	"unicode"
)

// Filler reports whether a text that came from outside stands for no value:
// what products, exports and people write where a field must be filled in and
// there is nothing to say. A filler names no host, answers no condition and
// never overrides a configured default.
//
// The words are a closed list. None of them can be a host's name in practice:
// words that are, such as test, host, server, default or nobody, are left out.
// Case, blanks around it and brackets or quotes around it do not matter.
// Invisible characters, such as a zero-width space, are no text.
func Filler(text string) bool {
	if text = strings.TrimSpace(text); len(text) > longestFiller {
		return false
	}
	// Every value of every alert is asked about, and most have a digit, which no word of the
	// lists has but for 0.
	if strings.ContainsAny(text, "123456789") && !strings.ContainsAny(text, variable) {
		return false
	}
	if !plain(text) {
		text = strings.Join(strings.Fields(strings.Map(seen, text)), " ")
	}
	text = strings.ToLower(text)
	if placeholder(text) {
		return true
	}
	text = strings.TrimSpace(strings.Trim(text, `()<>[]{}"'`+"`"))
	if strings.Trim(text, punctuation) == "" || fillers()[text] {
		return true
	}
	text = strings.Trim(text, " .,;:!?")
	first, second, two := strings.Cut(text, " ")
	return fillers()[text] || two && (slices.Contains(absences(), first) && slices.Contains(things(), second) ||
		slices.Contains(things(), first) && slices.Contains(absences(), second))
}

// plain reports whether a text without blanks around it is of characters that are shown, in
// ASCII, with one blank between its words at most.
func plain(text string) bool {
	for i := range len(text) {
		if b := text[i]; b < ' ' || b > '~' || b == ' ' && text[i-1] == ' ' {
			return false
		}
	}
	return true
}

// seen drops the characters that are not shown.
func seen(r rune) rune {
	if unicode.Is(unicode.Cf, r) || unicode.IsControl(r) && !unicode.IsSpace(r) || r == '\u2800' || r == '\u3164' {
		return -1
	}
	return r
}

// absences are the words for something that is not there, as in
// "unknown host" or "hostname missing".
func absences() []string {
	return []string{"unknown", "no", "undefined", "unresolved", "unnamed", "missing", "empty", "unspecified", "unidentified", "invalid"}
}

func things() []string {
	return []string{
		"host", "hostname", "name", "device", "computer", "machine", "asset", "endpoint", "agent", "source", "address", "ip",
		"user", "id", "os", "operating system", "category", "role", "entity", "sensor",
	}
}

// longestFiller is more than the longest of the words in bytes, and the longest
// variable of a template that counts for one.
const longestFiller = 64

// punctuation is the characters that alone make a text a filler: -, --, ?, .,
// *, the dashes that word processors make of a hyphen, and what is left of a
// bracket around nothing.
const punctuation = " -–—_.,;:?!*#/\\|~()<>[]{}\"'`"

var fillers = sync.OnceValue(func() map[string]bool {
	words := map[string]bool{}
	for _, word := range []string{
		// What the issuer does not know.
		"unknown", "not known", "n/k", "undefined", "undetermined", "unresolved", "not resolved", "not found",
		// What does not exist.
		"none", "null", "nil", "void", "empty", "blank", "nothing", "no value", "no data", "missing",
		// What does not apply or was not filled in. NA is what R, pandas and
		// spreadsheets write for a missing value.
		"n/a", "na", "n.a.", "n.a", "n.d.", "not applicable", "not available", "unavailable", "not set", "unset", "notset",
		"not specified", "unspecified", "not provided", "not assigned", "unassigned", "not defined", "tbd", "tba", "to be defined",
		// The failed cells of a spreadsheet, a database export's null, JavaScript's
		// object and NaN.
		"#n/a", "#n/a n/a", "#na", "#null!", "#ref!", "#value!", "#name?", "#div/0!", `\n`, "object object", "nan", "-nan",
		"none none", "null null", "unknown unknown",
		// The id that a product gives to no device.
		"00000000-0000-0000-0000-000000000000",
	} {
		words[word] = true
	}
	return words
})

// variable is the characters of which one begins every variable of a template.
const variable = "{$%"

// placeholder reports whether the text is a variable of a template that nobody
// filled in: {{host.name}}, ${host}, $result.src$, %host% or %{host}.
func placeholder(text string) bool {
	for _, p := range []struct{ open, close string }{{"{{", "}}"}, {"${", "}"}, {"%{", "}"}, {"$", "$"}, {"%", "%"}} {
		inner, found := strings.CutPrefix(text, p.open)
		inner, closed := strings.CutSuffix(inner, p.close)
		if found && closed && !strings.ContainsAny(inner, "{}$% ") || found && closed && p.open == "{{" && !strings.Contains(inner, "}}") {
			return true
		}
	}
	return false
}

// Said is the value of a text that came from outside, without blanks around
// it: unknown where it is a filler.
func Said(text string, from Provenance) Value[string] {
	if Filler(text) {
		return Value[string]{}
	}
	return Known(strings.TrimSpace(text), from)
}
