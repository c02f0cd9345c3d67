package incident

import (
	"strings"
	"testing"
)

func TestFiller(t *testing.T) {
	for _, text := range []string{
		"", " ", "\t\n", "-", " - ", "--", "---", "–", "?", "???", ".", "*", "unknown", "Unknown", "UNKNOWN ", "(unknown)", "<unknown>",
		"n/a", "N/A", "N.A.", "NA", "#N/A", "none", "None", "null", "NULL", "(null)", "<null>", "[null]", `"null"`, "nil", "<nil>", "undefined",
		"not available", "Not  Available", "not set", "blank", "empty", "(empty)", "<none>", "NaN", "TBD", `\N`, "()", "[]", "{}", `""`, "''",
		"{{host.name}}", "{{{host.name}}}", "{{ host.name }}", "$result.src$", "${host}", "%{host}", "%HOST%", "[object Object]",
		"00000000-0000-0000-0000-000000000000", "Unassigned", "/", "\u200b", "\u200b-\ufeff", "un\u00adknown", "\u2800", "\u3164", "\x00", "Unknown.", "none;", "no\tvalue", "not\r\navailable",
		"Unknown Host", "unknown device", "<Unknown Computer>", "no hostname", "No  Name", "Hostname unknown", "Unknown OS", "unknown operating system", "undefined host.",
	} {
		if !Filler(text) {
			t.Errorf("%q is taken for a value", text)
		}
	}
	for _, text := range []string{
		"ws-042", "unknown-pc", "none-01", "null01", "nullserver", "na-dc-01", "n", "a", "0", "nobody", "test", "host", "default", "DC", "?x",
		"::1", "10.0.0.1", "NT AUTHORITY\\SYSTEM", "C:\\", "$", "MACHINE$", "%windir%\\x.exe %1", "100%", "[kthreadd]", "主机", "🖥", "--help me",
		"unknown host of the lab", "unknown ws-1", "no-name", "hostname", "device", "no", "id", "no host 7", "nolan", "ip 7", "{{a}} and {{b}}",
	} {
		if Filler(text) {
			t.Errorf("%q is taken for no value", text)
		}
	}
	if v := Said("  ws-042 ", FromAlert); v.String() != "ws-042" {
		t.Errorf("said %q", v)
	}
	if v := Said(" N/A", FromAlert); v.IsKnown() {
		t.Errorf("said %v, want nothing", v)
	}
}

// The words are those, each by itself and however it is written, and no others.
func TestTheWordsThatSayNothing(t *testing.T) {
	words := []string{
		"unknown", "not known", "n/k", "undefined", "undetermined", "unresolved", "not resolved", "not found",
		"none", "null", "nil", "void", "empty", "blank", "nothing", "no value", "no data", "missing",
		"n/a", "na", "n.a.", "n.a", "n.d.", "not applicable", "not available", "unavailable", "not set", "unset", "notset",
		"not specified", "unspecified", "not provided", "not assigned", "unassigned", "not defined", "tbd", "tba", "to be defined",
		"#n/a", "#n/a n/a", "#na", "#null!", "#ref!", "#value!", "#name?", "#div/0!", `\n`, "object object", "nan", "-nan",
		"none none", "null null", "unknown unknown", "00000000-0000-0000-0000-000000000000",
	}
	if listed := len(fillers()); listed != len(words) {
		t.Errorf("%d words are listed, want the %d here", listed, len(words))
	}
	for _, word := range words {
		upper := strings.ToUpper(word)
		for _, text := range []string{word, upper, " " + word + "\t", "(" + word + ")", "< " + upper + " >", `"` + word + `"`, "\u200b" + word, strings.ReplaceAll(word, " ", "  ")} {
			if !Filler(text) {
				t.Errorf("%q is taken for a value", text)
			}
		}
		for _, text := range []string{word + "x", "x" + word, word + "-01", word + ".corp.example"} {
			if Filler(text) {
				t.Errorf("%q is taken for no value", text)
			}
		}
	}
	absent := []string{"unknown", "no", "undefined", "unresolved", "unnamed", "missing", "empty", "unspecified", "unidentified", "invalid"}
	of := []string{
		"host", "hostname", "name", "device", "computer", "machine", "asset", "endpoint", "agent", "source", "address", "ip",
		"user", "id", "os", "operating system", "category", "role", "entity", "sensor",
	}
	if len(absences()) != len(absent) || len(things()) != len(of) {
		t.Errorf("%d absences of %d things are listed, want %d of %d", len(absences()), len(things()), len(absent), len(of))
	}
	for _, a := range absent {
		for _, thing := range of {
			for text, want := range map[string]bool{
				a + " " + thing: true, strings.ToUpper(strings.ReplaceAll(thing, " ", "")) + " " + a + ".": thing != "operating system",
				a + "-" + thing: false, a + " " + thing + " 7": false, "my " + a + " " + thing: false, thing + " " + thing: false, thing: false,
			} {
				if Filler(text) != want {
					t.Errorf("%q is taken for a value: %t", text, want)
				}
			}
		}
	}
}

// A text that stands for no value is one up to the bound, however long it is, and
// is not looked at above it.
func TestALongTextIsAValue(t *testing.T) {
	for n, want := range map[int]bool{1: true, longestFiller - 1: true, longestFiller: true, longestFiller + 1: false, 1 << 20: false} {
		if text := strings.Repeat("-", n); Filler(text) != want {
			t.Errorf("%d dashes are taken for a value: %t", n, want)
		}
	}
	if !Filler(strings.Repeat(" ", 2*longestFiller) + "n/a" + strings.Repeat("\n", 2*longestFiller)) {
		t.Error("blanks around a word count")
	}
	if longestFiller < 50 {
		t.Error("the bound is below the variables of templates that people write")
	}
}

// A variable that nobody filled in begins and ends as one, and is one alone.
func TestVariablesOfTemplates(t *testing.T) {
	for _, text := range []string{
		"{{host.name}}", "{{ host.name }}", "{{{host}}}", "{{host|upper}}", "{{#if a}}", "{{ctx.alerts.0.host}}", "${host}", "${host.name}", "$result.src$",
		"$host$", "%host%", "%COMPUTERNAME%", "%{host}", "%{[host][name]}",
	} {
		if !Filler(text) {
			t.Errorf("%q is taken for a value", text)
		}
	}
	for _, text := range []string{
		"{{host", "host}}", "x{{host}}", "{{host}}x", "{{a}}{{b}}", "{{a}} and {{b}}", "{{a}}-{{b}}", "${host", "host}", "x${host}", "${host}x", "${a}${b}", "${a b}",
		"$host", "host$", "MACHINE$", "$a$b$", "$a b$", "%host", "host%", "%a%b%", "%a b%", "100%", "%{host", "x%{host}", "%{a}%{b}", "%{a b}", "{host}x", "$(hostname)",
	} {
		if Filler(text) {
			t.Errorf("%q is taken for no value", text)
		}
	}
}
