package workflows_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// reservation is one request to the budget, and what it answered.
type reservation struct {
	after   time.Duration
	id      string
	device  string
	granted bool
	counted int
}

// reserve asks the budget of a world for isolations under a limit of two.
func (w *world) reserve(per string, requests []reservation) []protocol.ReserveAnswer {
	w.t.Helper()
	answers := make([]protocol.ReserveAnswer, len(requests))
	for i, q := range requests {
		key := protocol.BudgetKey{Per: per, Key: "berlin"}
		limit := protocol.Limit{Guardrail: "few", Action: incident.Isolate, Per: per, Max: 2, Window: time.Hour, Key: key.Key}
		w.At(q.after, func() {
			err := w.Update(protocol.BudgetID, protocol.ReserveUpdate, q.id+q.after.String(), protocol.ReserveRequest{
				ID: q.id, Device: q.device, Action: incident.Isolate, Limits: []protocol.Limit{limit}, Keys: []protocol.BudgetKey{key},
			}, func(result any, err error) {
				if err != nil {
					w.t.Error(err)
					return
				}
				answers[i] = result.(protocol.ReserveAnswer)
			})
			if err != nil {
				w.t.Error(err)
			}
		})
	}
	w.run(3 * time.Hour)
	return answers
}

// A limit of hosts counts a host once, however often any case contains it, and for
// as long as any of its containments is in the window.
func TestABudgetCountsDevices(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		per      string
		kept     string // reservations of an older budget
		requests []reservation
	}{
		"two cases, and again after a release": {"site", "", []reservation{
			{time.Minute, "a/1", "d-1", true, 0},
			{2 * time.Minute, "b/1", "d-1", true, 0},
			{3 * time.Minute, "a/2", "d-2", true, 0},
			{4 * time.Minute, "c/1", "d-3", false, 2},
			{5 * time.Minute, "c/2", "d-1", true, 0},
			// d-2 has left the window; d-1 is in it since it was contained again.
			{64 * time.Minute, "d/1", "d-3", true, 0},
			{64*time.Minute + 30*time.Second, "d/2", "d-4", false, 2},
		}},
		"per host counts how often": {"host", "", []reservation{
			{time.Minute, "a/1", "d-1", true, 0}, {2 * time.Minute, "b/1", "d-1", true, 0}, {3 * time.Minute, "c/1", "d-1", false, 2},
		}},
		"a reservation without a device counts as one": {
			"site", `[
			{"id": "old/1", "action": "isolate", "keys": [{"per": "site", "key": "berlin"}], "at": "2026-03-02T03:00:00Z"},
			{"id": "old/2", "action": "isolate", "keys": [{"per": "site", "key": "berlin"}], "at": "2026-03-02T03:00:00Z"}]`,
			[]reservation{{time.Minute, "a/1", "d-1", false, 2}, {time.Minute, "old/1", "", true, 0}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, memory.Quiet, "high-egress-windows")
			var state protocol.BudgetState
			if test.kept != "" {
				if err := json.Unmarshal([]byte(test.kept), &state.Reservations); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.StartAt(time.Second, protocol.BudgetWorkflow, protocol.BudgetID, state); err != nil {
				t.Fatal(err)
			}
			for i, answer := range w.reserve(test.per, test.requests) {
				want := test.requests[i]
				if answer.Granted != want.granted || answer.Counted != want.counted {
					t.Errorf("%s at %s: granted %v with %d counted, want %v with %d", want.id, want.after, answer.Granted, answer.Counted, want.granted, want.counted)
				}
			}
		})
	}
}

// What a case reserves is for its device.
func TestAReservationNamesItsDevice(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows")
	w.open(alertFor("ws-042", "10.20.4.42"))
	w.run(10 * time.Minute)
	budget, err := w.Budget()
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(budget.Reservations, func(r protocol.Reservation) bool { return r.Device == "ws-042" }) {
		t.Errorf("the budget holds %+v", budget.Reservations)
	}
}
