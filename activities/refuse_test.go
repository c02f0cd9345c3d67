package activities_test

import (
	"strings"
	"testing"

	"go.temporal.io/sdk/testsuite"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// An action that is not theirs is refused by the activities that contain, before
// anything is asked or done: here nothing is there that could be asked.
func TestContainingActivitiesRefuseWhatIsNotTheirs(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		activity string
		action   incident.Action
	}{
		{activities.Contain.Name, incident.KillProcess},
		{activities.Contain.Name, incident.Notify},
		{activities.Contain.Name, "planted_action"},
		{activities.Kill.Name, incident.Isolate},
		{activities.Kill.Name, "planted_kill"},
		{activities.Kill.Name, ""},
	} {
		env := new(testsuite.WorkflowTestSuite).NewTestActivityEnvironment()
		new(activities.Activities).Register(env)
		_, err := env.ExecuteActivity(c.activity, activities.ContainIn{Step: incident.PlannedStep{Name: "s", Action: c.action}})
		if err == nil || !strings.Contains(err.Error(), "is not carried out this way") {
			t.Errorf("%s of %q: %v", c.activity, c.action, err)
		}
	}
}
