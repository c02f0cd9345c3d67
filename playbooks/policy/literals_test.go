package policy

import (
	"strings"
	"testing"
)

// What can never hold is complained about, and still compiles: a deployed playbook
// may have it.
func TestWhatCanNeverHoldIsComplainedAbout(t *testing.T) {
	const cel, yaml, eaten, zero = "CEL reads a backslash", "YAML reads a backslash", "CEL reads the backslash before", "this divides by zero"
	for _, tt := range []struct{ when, want string }{
		{`traffic.bytes_out / 0 > 1`, "1:21: " + zero},
		{`traffic.bytes_out % 0 > 1`, "1:21: " + zero},
		{`traffic.bytes_out / (2 - 2) > 1`, "1:24: " + zero},
		{`traffic.bytes_out / (3 * (1 - 1)) > 1`, "1:24: " + zero},
		{`traffic.bytes_out / -0 > 1`, "1:21: " + zero},
		{`traffic.bytes_out / int(0.5) > 1`, "1:24: " + zero},
		{`traffic.join_rate / 0.0 > 1.0`, "1:21: " + zero},
		{`traffic.bytes_out / bytes('0KiB') > 1`, "1:26: " + zero},
		{`traffic.bytes_out / nothing > 1`, "1:21: " + zero},
		{`traffic.bytes_out / (1 / 2) > 1`, "1:24: " + zero},
		{`traffic.bytes_out / 2 > 1`, ""},
		{`traffic.bytes_out / (traffic.bytes_out - traffic.bytes_out) > 1`, ""},

		{`process.path.matches('\bsvchost\b')`, cel},
		{`matches(process.path, '\bsvchost')`, cel},
		{`process.path.matches('C:\\Windows\a')`, cel},
		{`process.path.matches('svc\?host')`, eaten},
		{`process.path.matches('svc\x2ehost')`, eaten},
		{`process.path == 'C:\temp\new.exe'`, cel},
		{`process.path.endsWith('\tool.exe')`, cel},
		{`process.path in ['a', 'C:\bin\x.exe']`, ""}, // refused: \x takes two digits
		{`process.path.matches("\\bsvchost\\b")`, ""},
		{`process.path.matches(r'\bsvchost\.exe$')`, ""},
		{`process.path.matches('(?i)^C:\\\\Windows\\\\')`, ""},
		{`process.path == r'C:\temp\new.exe'`, ""},
		{`alert.id.contains('\n')`, ""},
		{`alert.id.matches('a\tb')`, ""},
		{`alert.id == '\x1b'`, ""},
		{"process.path.matches(r'\bsvchost')", yaml},
		{"process.path == 'C:\u2029rogram Files'", yaml},
		{"process.path == 'C:\temp.exe'", yaml},

		{`regex.replace(process.path, '(', '') == ''`, "the regular expression is none: missing closing )"},
		{`process.path.matches('a' + '(')`, "the regular expression is none: missing closing )"},
	} {
		src := source(Named{"rule", at(tt.when)})
		src.Content, src.Facts = []byte(tt.when), []string{"traffic", "process"}
		src.Let = []Named{{"nothing", at("5 - 5")}}
		src.Rules[0].Expr.Verbatim = true
		p, issues := Compile(src)
		if strings.Contains(tt.when, `\x.exe`) {
			if p != nil {
				t.Errorf("%s compiles", tt.when)
			}
			continue
		}
		if p != nil {
			issues = append(issues, p.Complaints()...)
		}
		if tt.want == "" {
			if len(issues) > 0 || p == nil {
				t.Errorf("%s: %q", tt.when, lines(issues))
			}
			continue
		}
		if len(issues) != 1 || p == nil || !strings.Contains(lines(issues)[0], tt.want) {
			t.Errorf("%s: got %q and a policy %v, want %q", tt.when, lines(issues), p != nil, tt.want)
			continue
		}
		// It decides as it did.
		if r := p.Decide(t.Context(), someFacts(), decisionTime); len(r.Trace.Let) != 1 {
			t.Errorf("%s: nothing is decided", tt.when)
		}
	}
}
