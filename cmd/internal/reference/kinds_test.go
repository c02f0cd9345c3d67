package reference

import (
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/all"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Every registered kind is in a document, with its settings or its
// example.
func TestEveryKindIsDescribed(t *testing.T) {
	catalog := all.Catalog()
	catalog.Sources = append(catalog.Sources, alerts.Spec{Kind: "planted", Summary: "a planted kind", Doc: "Its own words.", Example: "{}\n", Identity: "`key`", Occurrence: "`began`", Fields: alerts.Fields{{Name: "host.name", Doc: "Not the sensor.", Paths: []string{"machine", "box"}}}})
	catalog.Integrations = append(catalog.Integrations, integrations.Spec{
		Kind: "planted", Summary: "a planted kind", Example: "p: { kind: planted }", NewConfig: func() any { return &struct{}{} },
		Limits: []integrations.Limit{
			{N: 100, Per: time.Minute, Requests: 2, Source: "its manual"},
			{N: 1500, Per: time.Hour, Source: "its manual"},
			{Name: "script", N: 10, Per: time.Minute, Facts: []string{"process"}, Actions: []incident.Action{incident.RateLimit}, Source: "its manual"},
		},
	})
	isolates := integrations.Spec{
		Kind: "deaf", Summary: "a planted EDR", Example: "e: { kind: deaf }", Implements: (*memory.Estate)(nil),
		Actions: []incident.Action{incident.Isolate}, NewConfig: func() any { return &struct{}{} },
	}
	hears := isolates
	hears.Kind, hears.Example, hears.Hearing = "hearing", "h: { kind: hearing }", integrations.Hearing{Within: 7 * time.Minute, Source: "its manual"}
	catalog.Integrations = append(catalog.Integrations, isolates, hears)
	files, err := Files(catalog)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range catalog.Sources {
		page := string(files["reference/alerts.md"])
		if !strings.Contains(page, "\n## Kind "+s.Kind+"\n\n"+s.Doc) || !strings.Contains(page, s.Example) || !strings.Contains(page, "| "+s.Summary+" | "+s.Identity+" |") {
			t.Errorf("the kind %s of alert sources is not described in alerts.md", s.Kind)
		}
		_, page, _ = strings.Cut(page, "\n## Kind "+s.Kind+"\n")
		page, _, _ = strings.Cut(page, "\n## ")
		for _, f := range s.Fields {
			if row := "\n| " + f.Name + " | `" + strings.Join(f.Paths, "`, `") + "` | " + f.Doc + " |\n"; !strings.Contains(page, row) {
				t.Errorf("what the kind %s reads as %s is not described in alerts.md: want %s", s.Kind, f.Name, row)
			}
		}
	}
	for _, s := range catalog.Integrations {
		if page := string(files["reference/integrations.md"]); !strings.Contains(page, "\n## "+s.Kind+"\n") || !strings.Contains(page, strings.ReplaceAll(s.Example, "\n", "\n  ")) {
			t.Errorf("the kind %s of integrations is not described in integrations.md", s.Kind)
		}
	}
	for _, row := range []string{
		"The shortest `heard_within` is 7m: its manual.",
		"It does not tell when it heard an agent: `heard_within` is refused.",
		"| 100 in 1m | all calls | 2 | at most 49/m | its manual |",
		"| 1500 in 1h | all calls | 1 | it is counted, and sets no pace | its manual |",
		"| 10 in 1m | script: process, rate_limit | 1 | at most 9/m | its manual |",
	} {
		if !strings.Contains(string(files["reference/integrations.md"]), "\n"+row+"\n") {
			t.Errorf("integrations.md has no line %s", row)
		}
	}
}
