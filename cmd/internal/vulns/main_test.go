package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const document = `# Limits

GO-2026-0001 is named in another part.

## Known vulnerabilities

| what | why it stays |
|---|---|
| GO-2026-0002 and GO-2026-0003 | their fix does not compile |

## Skipped
GO-2026-0004
`

func TestReport(t *testing.T) {
	const config = `{"config":{"scanner_name":"govulncheck"}}`
	const osv = `{"osv":{"id":"GO-2026-0001","summary":"Crash on a long name"}}{"osv":{"id":"GO-2026-0002","summary":"Slow"}}`
	finding := func(id, pkg string) string {
		return `{"finding":{"osv":"` + id + `","fixed_version":"v1.3.0","trace":[{"module":"example.com/m","version":"v1.2.0","package":"` + pkg + `"},{"module":"other"}]}}`
	}
	unknown := []string{"GO-2026-0001: Crash on a long name (example.com/m@v1.2.0, fixed in v1.3.0)"}
	for name, c := range map[string]struct {
		in, out  string
		problems []string
	}{
		"nothing found":          {config, "not found any more: GO-2026-0002\nnot found any more: GO-2026-0003\n", nil},
		"one that stays":         {config + osv + finding("GO-2026-0002", "example.com/m/p"), "stays: GO-2026-0002: Slow (example.com/m@v1.2.0, fixed in v1.3.0)\nnot found any more: GO-2026-0003\n", nil},
		"one that is not listed": {config + osv + finding("GO-2026-0001", "example.com/m/p"), "not found any more: GO-2026-0002\nnot found any more: GO-2026-0003\n", unknown},
		"twice, told once":       {config + osv + finding("GO-2026-0001", "example.com/m/p") + finding("GO-2026-0001", "example.com/m/q"), "not found any more: GO-2026-0002\nnot found any more: GO-2026-0003\n", unknown},
		"in an unused package":   {config + osv + finding("GO-2026-0001", ""), "not found any more: GO-2026-0002\nnot found any more: GO-2026-0003\n", nil},
		"silence":                {"", "", []string{"govulncheck printed nothing"}},
		"torn":                   {config + `{"finding":`, "", []string{"read the output of govulncheck: unexpected EOF"}},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			problems := report(strings.NewReader(c.in), &out, known(document))
			if diff := cmp.Diff(c.problems, problems); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(c.out, out.String()); diff != "" {
				t.Errorf("printed (-want +got):\n%s", diff)
			}
		})
	}
}
