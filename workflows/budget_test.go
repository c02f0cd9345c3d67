package workflows_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/workflows"
)

// purse is a budget without cases: the test itself asks what they ask.
func purse(t *testing.T) *held {
	t.Helper()
	h := throttled(t, 1)
	h.budget(protocol.BudgetState{})
	h.id = protocol.BudgetID
	return h
}

// reserves asks for an action on a device of a site, under limits per site.
func (h *held) reserves(after time.Duration, id string, action incident.Action, site string, limits ...protocol.Limit) *reply[protocol.ReserveAnswer] {
	for i := range limits {
		limits[i].Guardrail, limits[i].Action, limits[i].Per, limits[i].Key = "few", action, "site", site
	}
	return request[protocol.ReserveAnswer](h, after, protocol.ReserveUpdate, protocol.ReserveRequest{
		ID: id, Action: action, Device: "device of " + id, Limits: limits, Keys: []protocol.BudgetKey{{Per: "site", Key: site}},
	})
}

// reservations asserts what the budget counts at a time.
func (h *held) reservations(after time.Duration, want ...string) {
	h.t.Helper()
	h.At(after, func() {
		h.t.Helper()
		state, err := h.Budget()
		if err != nil {
			h.t.Error(err)
		}
		var got []string
		for _, r := range state.Reservations {
			got = append(got, r.ID)
		}
		if slices.Sort(got); !slices.Equal(got, want) {
			h.t.Errorf("after %s the budget holds %q, want %q", after, got, want)
		}
	})
}

// A limit counts the actions of its own kind, of its own site, in its own window,
// whatever other limits have the budget remember.
func TestALimitCountsItsOwn(t *testing.T) {
	t.Parallel()
	h := purse(t)
	short, few, wide := protocol.Limit{Max: 100, Window: time.Minute}, protocol.Limit{Max: 2, Window: time.Hour}, protocol.Limit{Max: 100, Window: 2 * time.Hour}
	h.reserves(time.Minute, "block", incident.Block, "berlin", short)
	h.reserves(time.Minute, "elsewhere", incident.Isolate, "munich", few, wide)
	first := h.reserves(2*time.Minute, "a", incident.Isolate, "berlin", few, wide)
	h.reserves(40*time.Minute-time.Second, "block again", incident.Block, "berlin", short)
	second := h.reserves(40*time.Minute, "b", incident.Isolate, "berlin", few, wide)
	third := h.reserves(41*time.Minute, "c", incident.Isolate, "berlin", few, wide)
	later := h.reserves(63*time.Minute, "d", incident.Isolate, "berlin", few, wide)
	h.reserves(6*time.Hour, "last", incident.Block, "berlin", short)
	h.reservations(6*time.Hour+time.Second, "last")
	h.run(7 * time.Hour)
	for name, r := range map[string]*reply[protocol.ReserveAnswer]{"the first": first, "the second": second, "one after the window": later} {
		if r.err != nil || !r.is.Granted {
			t.Errorf("%s: %+v, %v", name, r.is, r.err)
		}
	}
	if third.err != nil || third.is.Granted || third.is.Counted != 2 {
		t.Errorf("the third: %+v, %v", third.is, third.err)
	}
}

// What is given up or released is one request's alone; one that was given up is
// refused for as long as it may come, and what it had achieved stays known.
func TestAReservationIsGivenUpForItself(t *testing.T) {
	t.Parallel()
	h := purse(t)
	wide := protocol.Limit{Max: 100, Window: 9 * time.Hour}
	giveUp := func(after time.Duration, id string) *reply[protocol.GivenUp] {
		return request[protocol.GivenUp](h, after, protocol.GiveUpUpdate, protocol.GiveUpRequest{ID: id, Case: "a", Step: "one", Expires: start.Add(time.Hour)})
	}
	for _, id := range []string{"a", "b", "c"} {
		h.reserves(time.Minute, id, incident.Isolate, "berlin", wide)
	}
	request[any](h, 2*time.Minute, protocol.ReleaseUpdate, "c")
	h.reservations(3*time.Minute, "a", "b")
	taken, never, again := giveUp(4*time.Minute, "a"), giveUp(4*time.Minute, "d"), giveUp(5*time.Minute, "a")
	h.reservations(6*time.Minute, "b")
	late, unasked := h.reserves(7*time.Minute, "a", incident.Isolate, "berlin", wide), h.reserves(7*time.Minute, "d", incident.Isolate, "berlin", wide)
	other := h.reserves(8*time.Minute, "e", incident.Isolate, "berlin", wide)
	h.reservations(9*time.Minute, "b", "e")
	h.reserves(2*time.Hour, "f", incident.Isolate, "berlin", wide)
	h.run(3 * time.Hour)
	if !taken.is.Reserved || !again.is.Reserved || never.is.Reserved || taken.err != nil || again.err != nil || never.err != nil {
		t.Errorf("given up: %+v, again %+v, never reserved %+v", taken, again, never)
	}
	for _, r := range []*reply[protocol.ReserveAnswer]{late, unasked} {
		isRefused(t, r.err, workflows.RefusedInvalid)
	}
	if other.err != nil || !other.is.Granted {
		t.Errorf("another: %+v, %v", other.is, other.err)
	}
	state, err := h.Budget()
	if err != nil || len(state.GivenUp) != 0 {
		t.Errorf("two hours later %+v are remembered as given up, %v", state.GivenUp, err)
	}
}

// A change of the kill switch has an author, and must change its state.
func TestWhoTurnsTheKillSwitch(t *testing.T) {
	t.Parallel()
	h := purse(t)
	turn := func(after time.Duration, update, by string) *reply[protocol.BudgetState] {
		return request[protocol.BudgetState](h, after, update, incident.Pause{By: by, Reason: "the wrong hosts"})
	}
	early := turn(time.Minute, protocol.ResumeUpdate, "bob")
	nobody := turn(2*time.Minute, protocol.PauseUpdate, "")
	pauses := turn(3*time.Minute, protocol.PauseUpdate, "alice")
	twice := turn(4*time.Minute, protocol.PauseUpdate, "bob")
	nobodyResumes := turn(5*time.Minute, protocol.ResumeUpdate, "")
	held := h.reserves(6*time.Minute, "a", incident.Isolate, "berlin")
	resumes := turn(7*time.Minute, protocol.ResumeUpdate, "bob")
	granted := h.reserves(8*time.Minute, "a", incident.Isolate, "berlin")
	h.run(10 * time.Minute)
	for kind, refused := range map[string][]*reply[protocol.BudgetState]{
		workflows.RefusedInvalid: {nobody, nobodyResumes}, workflows.RefusedNotPending: {early, twice},
	} {
		for _, r := range refused {
			isRefused(t, r.err, kind)
		}
	}
	if pauses.err != nil || resumes.err != nil {
		t.Errorf("pause: %v, resume: %v", pauses.err, resumes.err)
	}
	if held.is.Granted || held.is.Paused == nil || held.is.Paused.By != "alice" || !granted.is.Granted {
		t.Errorf("while it is paused %+v, after that %+v", held.is, granted.is)
	}
}

// The budget remembers by integration and device that an agent was not heard, the last
// time alone, over its runs, until it is over. Who was told is granted.
func TestWhoWasNotHeardIsRemembered(t *testing.T) {
	t.Parallel()
	h := purse(t)
	unheard := func(after time.Duration, device string, until time.Duration) {
		h.signal(after, protocol.UnheardSignal, protocol.Unheard{Use: "edr", Device: device, Isolated: start, Within: 5 * time.Minute, Until: start.Add(until)})
	}
	asks := func(after time.Duration, use, device string) *reply[protocol.ReserveAnswer] {
		return request[protocol.ReserveAnswer](h, after, protocol.ReserveUpdate, protocol.ReserveRequest{
			ID: after.String(), Action: incident.Isolate, Device: device, Use: use,
		})
	}
	unheard(time.Minute, "ws-042", time.Hour)
	unheard(2*time.Minute, "ws-042", 2*time.Hour)
	unheard(2*time.Minute, "ws-007", time.Hour)
	h.yield(3*time.Minute, protocol.BudgetID)
	h.At(4*time.Minute, func() {
		if state, err := h.Budget(); err != nil || len(state.Unheard) != 2 {
			t.Errorf("%+v are remembered, %v; want each device once", state.Unheard, err)
		}
	})
	held := asks(90*time.Minute, "edr", "ws-042")
	granted := map[string]*reply[protocol.ReserveAnswer]{
		"another integration":  asks(91*time.Minute, "xdr", "ws-042"),
		"another device":       asks(92*time.Minute, "edr", "ws-043"),
		"one that is over":     asks(93*time.Minute, "edr", "ws-007"),
		"one who was told":     asks(94*time.Minute, "", "ws-042"),
		"the same, when it is": asks(2*time.Hour, "edr", "ws-042"),
	}
	h.run(3 * time.Hour)
	if u := held.is.Unheard; held.err != nil || held.is.Granted || u == nil || u.Within != 5*time.Minute || !u.Until.Equal(start.Add(2*time.Hour)) {
		t.Errorf("the device that was not heard: %+v, %v", held.is, held.err)
	}
	for name, r := range granted {
		if r.err != nil || !r.is.Granted {
			t.Errorf("%s: %+v, %v", name, r.is, r.err)
		}
	}
	if state, err := h.Budget(); err != nil || len(state.Unheard) != 0 {
		t.Errorf("in the end %+v are remembered, %v", state.Unheard, err)
	}
}
