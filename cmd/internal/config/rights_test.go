package config

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func TestRightsComeFromPersonAndGroups(t *testing.T) {
	const digest = "9c220f200955d76c0a38d308225e0ef10c5f971acaf2f8d1d8f732affa5bd1dc"
	c, err := Parse("f.yaml", []byte(`
people:
  - { id: neither, groups: [approvers] }
  - { id: own, may: [pause], groups: [approvers] }
  - { id: group, groups: [approvers, leads] }
  - { id: both, may: [pause, read], groups: [leads], token_sha256: `+digest+` }
  - { id: nothing, may: [] }
groups:
  leads: { may: [release, read] }
`), integrations.Catalog{})
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"[read]", "[pause]", "[read release]", "[read release pause]", "[]"} {
		if got := fmt.Sprint(c.Rights(c.People[i])); got != want {
			t.Errorf("%s may %s, want %s", c.People[i].ID, got, want)
		}
	}
	if unheld, unsaid := c.Unheld(), c.Unsaid(); len(unheld) != 0 || !slices.Equal(unsaid, []string{"neither"}) {
		t.Errorf("unheld %v, unsaid %v", unheld, unsaid)
	}
	c.People[3].TokenSHA256 = ""
	if got := c.Unheld(); !slices.Equal(got, []incident.Right{incident.MayPause, incident.MayRelease}) {
		t.Errorf("unheld without a token: %v", got)
	}
}

// A file from before there were rights loads, and its people may read.
func TestAFileWithoutRightsLoads(t *testing.T) {
	c, err := Parse("f.yaml", []byte("people: [{ id: alice, groups: [leads] }, { id: bob }]\n"), integrations.Catalog{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range c.People {
		if got := fmt.Sprint(c.Rights(p)); got != "[read]" {
			t.Errorf("%s may %s", p.ID, got)
		}
	}
	if len(c.Unsaid()) != 2 || len(c.Unheld()) != 2 {
		t.Errorf("unsaid %v, unheld %v", c.Unsaid(), c.Unheld())
	}
}
