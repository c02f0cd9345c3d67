package activities_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func TestEveryActionIsCarriedOutAndEveryFactFetched(t *testing.T) {
	for _, problem := range slices.Concat(activities.Uncarried(incident.ActionSpecs()), activities.Unfetched(incident.FactSpecs())) {
		t.Error(problem)
	}
}

// TestAnActionThatNobodyCarriesOutIsFound plants actions for which no activity
// was written.
func TestAnActionThatNobodyCarriesOutIsFound(t *testing.T) {
	for _, c := range []struct {
		action incident.Action
		by     incident.Carrier
		found  bool
	}{
		{"planted_action", "directory", true},
		{"planted_action", "", true},
		{"planted_kill", incident.ByKiller, true}, // It would be taken for a process.
		{"planted_kill", incident.ByEnforcer, false},
	} {
		problems := activities.Uncarried([]incident.ActionSpec{{Action: c.action, By: c.by}})
		if c.found != (len(problems) == 1) {
			t.Errorf("%s by %q: %q", c.action, c.by, problems)
		}
		if c.found && (!strings.Contains(problems[0], string(c.action)) || !strings.Contains(problems[0], "activities/carry.go")) {
			t.Errorf("%q names neither the action nor the place", problems[0])
		}
	}
}

func TestAFactThatNobodyFetchesIsFound(t *testing.T) {
	problems := activities.Unfetched(append(incident.FactSpecs(), incident.FactSpec{Name: "planted_fact"}))
	if len(problems) != 1 || !strings.Contains(problems[0], "fact planted_fact: no activity of that name fetches it (activities/enrich.go") {
		t.Errorf("got %q", problems)
	}
}
