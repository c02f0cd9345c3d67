package incident

import "testing"

func TestFiller(t *testing.T) {
	for _, text := range []string{
		"", " ", "\t\n", "-", " - ", "--", "---", "–", "?", "???", ".", "*", "unknown", "Unknown", "UNKNOWN ", "(unknown)", "<unknown>",
		"n/a", "N/A", "N.A.", "NA", "#N/A", "none", "None", "null", "NULL", "(null)", "<null>", "[null]", `"null"`, "nil", "<nil>", "undefined",
		"not available", "Not  Available", "not set", "blank", "empty", "(empty)", "<none>", "NaN", "TBD", `\N`, "()", "[]", "{}", `""`, "''",
		"{{host.name}}", "{{{host.name}}}", "{{ host.name }}", "$result.src$", "${host}", "%{host}", "%HOST%", "[object Object]",
		"00000000-0000-0000-0000-000000000000", "Unassigned", "/", "\u200b", "\u200b-\ufeff", "un\u00adknown", "\u2800", "\x00", "Unknown.", "none;",
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
