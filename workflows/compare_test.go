package workflows_test

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// comparing has somebody compare a lease with its product at a time.
func (w *world) comparing(after time.Duration, lease string) (answer *protocol.Compared) {
	answer = &protocol.Compared{Unread: "not asked"}
	w.At(after, func() {
		err := w.Update(lease, protocol.CompareUpdate, "compare"+after.String(), nil, func(result any, err error) {
			if err != nil {
				w.t.Error(err)
				return
			}
			got, ok := result.(protocol.Compared)
			if !ok {
				w.t.Errorf("the answer is %T", result)
				return
			}
			*answer = got
		})
		if err != nil {
			w.t.Error(err)
		}
	})
	return answer
}

// A lease says how its product differs now, for a process that cannot read it. That it could
// not be read is not that it does not differ.
func TestALeaseComparesItselfForOthers(t *testing.T) {
	t.Parallel()
	w, id := limited(t)
	lease := leaseOf(incident.RateLimit, "ws-042")
	right := w.comparing(10*time.Minute, lease)
	w.byHand(11*time.Minute, func(e *memory.Estate, o incident.Order) error { return e.Retune(o, 5_000_000) })
	other := w.comparing(12*time.Minute, lease)
	w.do(13*time.Minute, func(e *memory.Estate) { e.Fail("read rate_limit", down(), -1) })
	silent := w.comparing(14*time.Minute, lease)
	w.do(15*time.Minute, (*memory.Estate).Mend)
	during := w.snap(16*time.Minute, id)
	w.do(59*time.Minute, func(e *memory.Estate) {
		e.Fail("undo rate_limit", down(), -1)
		e.Fail("read rate_limit", down(), -1)
	})
	undoing := w.comparing(65*time.Minute, lease)
	w.do(66*time.Minute, (*memory.Estate).Mend)
	w.run(2 * time.Hour)
	if len(right.Drift) != 0 || right.Unread != "" {
		t.Errorf("as it should be it is %+v", right)
	}
	if len(other.Drift) != 1 || other.Drift[0].Kind != incident.DriftRate || other.Drift[0].Lease != lease {
		t.Errorf("with another rate it is %+v", other)
	}
	if len(silent.Drift) != 0 || silent.Unread == "" {
		t.Errorf("where the gateway does not answer it is %+v", silent)
	}
	if len(undoing.Drift) != 0 || undoing.Unread != "" {
		t.Errorf("while it is undone it is %+v", undoing)
	}
	if n := len(happened(*during, incident.EvDrifted)); n != 0 {
		t.Errorf("looking told the case %d times", n)
	}
	w.ended(id, incident.OutcomeGivenBack)
}
