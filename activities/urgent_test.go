package activities

import (
	"context"
	"slices"
	"testing"

	"go.temporal.io/sdk/testsuite"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// noting notes how it is asked.
type noting struct {
	calls      []string
	operations map[*integrations.Operation]bool
}

func (n *noting) note(ctx context.Context, call string) {
	if integrations.Changes(ctx) {
		call += " for a change"
	}
	n.calls = append(n.calls, call)
	n.operations[integrations.OperationOf(ctx)] = true
}

func (n *noting) Read(ctx context.Context, o incident.Order) (incident.Reading, error) {
	n.note(ctx, "read")
	return incident.Reading{Stands: o.Reason == "stands", Key: o.Key}, nil
}

func (n *noting) Apply(ctx context.Context, _ incident.Order) (incident.Receipt, error) {
	n.note(ctx, "apply")
	return incident.Receipt{}, nil
}

func (n *noting) Undo(ctx context.Context, _ incident.Order) (incident.Receipt, error) {
	n.note(ctx, "undo")
	return incident.Receipt{}, nil
}

// What is read in order to isolate or to give back is as urgent as that, and is one operation
// with it: a product's client keeps room for both.
func TestWhatIsReadForAChangeIsAsUrgent(t *testing.T) {
	var suite testsuite.WorkflowTestSuite
	for name, c := range map[string]struct {
		reason string
		calls  []string
	}{
		Apply.Name: {"", []string{"read for a change", "apply for a change", "read for a change"}},
		Undo.Name:  {"stands", []string{"read for a change", "undo for a change"}},
		Read.Name:  {"", []string{"read"}},
	} {
		n := &noting{operations: map[*integrations.Operation]bool{}}
		a := &Activities{Set: integrations.NewSet()}
		a.Set.Add("edr", integrations.Spec{Kind: "noting"}, n)
		env := suite.NewTestActivityEnvironment()
		a.Register(env)
		if _, err := env.ExecuteActivity(name, LeaseIn{Use: "edr", Order: incident.Order{Key: "ours", Action: incident.Isolate, Reason: c.reason}}); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(n.calls, c.calls) {
			t.Errorf("%s asks %q, want %q", name, n.calls, c.calls)
		}
		if n.operations[nil] || len(n.operations) != 1 {
			t.Errorf("%s is %d operations, want one", name, len(n.operations))
		}
	}
}
