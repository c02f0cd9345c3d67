package drift_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/drift"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// there has the leases at the gateway be carried out by another process, which answers for
// each as told.
type there struct {
	*world
	answers map[string]protocol.Compared
}

func (w there) Compare(_ context.Context, id string) (protocol.Compared, error) {
	answer, ok := w.answers[id]
	if !ok {
		return answer, integrations.Errorf(integrations.NotFound, "compare "+id, "it has ended")
	}
	if answer.Unread == "no engine" {
		return answer, errors.New("the engine is away")
	}
	return answer, nil
}

// What another process carries out is read by that one alone: what this one could read says
// nothing of it, and neither does its silence.
func TestWhatIsElsewhereIsAskedForThere(t *testing.T) {
	w := newWorld(t)
	for _, id := range []string{"ws-1", "ws-2", "ws-3", "ws-4", "ws-5"} {
		w.list.Leases = append(w.list.Leases, w.lease(id))
	}
	w.lease("ws-9")
	ids := func(i int) string { return w.list.Leases[i].ID }
	// Here the first is gone and the second is in place; there it is the other way.
	w.must(w.Lift(w.list.Leases[0].Order))
	of := there{w, map[string]protocol.Compared{
		ids(0): {},
		ids(1): {Drift: []incident.Drift{{Lease: ids(1), Use: "gateway", Host: "ws-2", Kind: incident.DriftGone}}},
		ids(2): {Unread: "timed out"},
		ids(3): {Unread: "no engine"},
	}}
	set := integrations.NewSet()
	spec := w.Spec()
	spec.Role = integrations.SpeakerRole
	set.Add("gateway", spec, w.Estate)
	out, err := drift.Find(t.Context(), set, of, func(use string) bool { return use == "gateway" })
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, d := range out.Drift {
		got = append(got, string(d.Kind)+" "+d.Host)
		if d.Host == "ws-3" && !strings.Contains(d.Detail, "the process with the role speaker was asked: timed out") {
			t.Errorf("it is said %q", d.Detail)
		}
	}
	// What nobody holds here is no stray of the other process.
	if want := []string{"gone ws-2", "unread ws-3", "unread ws-4"}; !slices.Equal(got, want) {
		t.Errorf("found %q, want %q", got, want)
	}
	if !slices.Equal(out.Elsewhere, []string{"gateway"}) || len(out.Unlisted) > 0 {
		t.Errorf("elsewhere %q, unlisted %q", out.Elsewhere, out.Unlisted)
	}
}
