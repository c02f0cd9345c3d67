package workflows

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// budgetRun is after how many updates the budget goes on in a new run, so that
// its history stays short.
const budgetRun = 2000

// Budget counts what was contained, for limits, and holds the kill switch. An
// environment has one.
func Budget(ctx workflow.Context, state protocol.BudgetState) error {
	b := &budget{state: state, told: state.Changes}
	if err := b.listen(ctx); err != nil {
		return err
	}
	b.tellWatchers(ctx)
	_ = workflow.Await(ctx, func() bool {
		return b.updates >= budgetRun || workflow.GetInfo(ctx).GetContinueAsNewSuggested()
	})
	_ = workflow.Await(ctx, func() bool { return workflow.AllHandlersFinished(ctx) && b.told == b.state.Changes })
	b.inbox.drain(ctx)
	return workflow.NewContinueAsNewError(ctx, Budget, b.state)
}

// budget is the budget while it runs; state is all that crosses
// continue-as-new.
type budget struct {
	state   protocol.BudgetState
	updates int
	// told are the changes of the kill switch of which the cases that watch it were
	// notified.
	told  int
	inbox inbox
}

func (b *budget) listen(ctx workflow.Context) error {
	b.inbox = inbox{hear(ctx, protocol.UnheardSignal, b.unheard)}
	b.inbox.open(ctx)
	if err := workflow.SetUpdateHandler(ctx, protocol.ReserveUpdate, b.reserve); err != nil {
		return fmt.Errorf("listen for reservations: %w", err)
	}
	if err := workflow.SetUpdateHandler(ctx, protocol.ReleaseUpdate, b.release); err != nil {
		return fmt.Errorf("listen for releases: %w", err)
	}
	if err := workflow.SetUpdateHandler(ctx, protocol.GiveUpUpdate, b.giveUp); err != nil {
		return fmt.Errorf("listen for requests that are given up: %w", err)
	}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, protocol.PauseUpdate, b.pause,
		workflow.UpdateHandlerOptions{Validator: b.mayPause}); err != nil {
		return fmt.Errorf("listen for pauses: %w", err)
	}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, protocol.ResumeUpdate, b.resume,
		workflow.UpdateHandlerOptions{Validator: b.mayResume}); err != nil {
		return fmt.Errorf("listen for resumptions: %w", err)
	}
	if err := workflow.SetUpdateHandlerWithOptions(ctx, protocol.WatchUpdate, b.watch,
		workflow.UpdateHandlerOptions{Validator: b.mayWatch}); err != nil {
		return fmt.Errorf("listen for cases that watch: %w", err)
	}
	err := workflow.SetQueryHandler(ctx, protocol.BudgetQuery, func() (protocol.BudgetState, error) { return b.state, nil })
	if err != nil {
		return fmt.Errorf("listen for questions: %w", err)
	}
	return nil
}

// reserve grants an action, or returns what holds it back. The same id is granted
// once and counted once.
func (b *budget) reserve(ctx workflow.Context, req protocol.ReserveRequest) (protocol.ReserveAnswer, error) {
	b.updates++
	now := workflow.Now(ctx)
	for _, l := range req.Limits {
		b.remember(l)
	}
	b.forget(now)
	if slices.ContainsFunc(b.state.GivenUp, func(g protocol.GivenUpReservation) bool { return g.ID == req.ID }) {
		return protocol.ReserveAnswer{}, refuse(RefusedInvalid, "the case has given the request up")
	}
	if b.state.Paused != nil {
		return protocol.ReserveAnswer{Paused: b.state.Paused}, nil
	}
	reserved := slices.ContainsFunc(b.state.Reservations, func(r protocol.Reservation) bool { return r.ID == req.ID })
	if reserved {
		return protocol.ReserveAnswer{Granted: true}, nil
	}
	if u := b.unheardOf(req); u != nil {
		return protocol.ReserveAnswer{Unheard: u}, nil
	}
	for _, l := range req.Limits {
		if l.Then != "" && slices.Contains(req.Waived, l.Then) {
			continue
		}
		counted, among := b.count(l, req.Device, now)
		if l.KeyMissing != "" || counted >= l.Max && !among {
			return protocol.ReserveAnswer{Exceeded: &l, Counted: counted}, nil
		}
	}
	b.state.Reservations = append(b.state.Reservations, protocol.Reservation{
		ID: req.ID, Action: req.Action, Device: req.Device, Keys: req.Keys, At: now, Keep: req.Keep,
	})
	return protocol.ReserveAnswer{Granted: true}, nil
}

// unheard remembers a device whose agent was not heard, the last time alone.
func (b *budget) unheard(_ workflow.Context, u protocol.Unheard) {
	b.updates++
	b.state.Unheard = slices.DeleteFunc(b.state.Unheard, func(o protocol.Unheard) bool { return o.Use == u.Use && o.Device == u.Device })
	b.state.Unheard = append(b.state.Unheard, u)
}

// unheardOf returns what people must be told before the device may be isolated, or nil.
func (b *budget) unheardOf(req protocol.ReserveRequest) *protocol.Unheard {
	at := slices.IndexFunc(b.state.Unheard, func(u protocol.Unheard) bool { return u.Use == req.Use && u.Device == req.Device })
	if at < 0 {
		return nil
	}
	u := b.state.Unheard[at]
	return &u
}

// count returns how many devices a limit has seen in its sliding window, and
// reports whether the given one is among them: it may be contained again, as
// it takes up no more. A limit per host has only one device to count, and
// counts how often.
func (b *budget) count(l protocol.Limit, device string, now time.Time) (n int, among bool) {
	var devices []string
	for _, r := range b.state.Reservations {
		if r.Action != l.Action || !r.At.After(now.Add(-l.Window)) ||
			!slices.Contains(r.Keys, protocol.BudgetKey{Per: l.Per, Key: l.Key}) {
			continue
		}
		if r.Device != "" && l.Per != protocol.PerHost {
			if slices.Contains(devices, r.Device) {
				continue
			}
			devices = append(devices, r.Device)
		}
		n++
	}
	return n, slices.Contains(devices, device)
}

// remember notes for how long a limit needs the actions that it counts.
func (b *budget) remember(l protocol.Limit) {
	at := slices.IndexFunc(b.state.Windows, func(w protocol.CountedWindow) bool { return w.Action == l.Action })
	if at < 0 {
		b.state.Windows = append(b.state.Windows, protocol.CountedWindow{Action: l.Action, Window: l.Window})
		return
	}
	b.state.Windows[at].Window = max(b.state.Windows[at].Window, l.Window)
}

// forget drops what no limit can count any more, and what none has ever
// counted.
func (b *budget) forget(now time.Time) {
	b.state.Unheard = slices.DeleteFunc(b.state.Unheard, func(u protocol.Unheard) bool { return !now.Before(u.Until) })
	b.state.GivenUp = slices.DeleteFunc(b.state.GivenUp, func(g protocol.GivenUpReservation) bool { return !now.Before(g.Until) })
	b.state.Reservations = slices.DeleteFunc(b.state.Reservations, func(r protocol.Reservation) bool {
		if now.Before(r.Keep) {
			return false
		}
		at := slices.IndexFunc(b.state.Windows, func(w protocol.CountedWindow) bool { return w.Action == r.Action })
		return at < 0 || !r.At.After(now.Add(-b.state.Windows[at].Window))
	})
}

// release takes back a reservation whose action did not happen.
func (b *budget) release(_ workflow.Context, id string) error {
	b.updates++
	b.state.Reservations = slices.DeleteFunc(b.state.Reservations, func(r protocol.Reservation) bool { return r.ID == id })
	return nil
}

// giveUp takes back the reservation of a request, and refuses it from now on:
// an attempt that was lost may have it on its way still.
func (b *budget) giveUp(ctx workflow.Context, req protocol.GiveUpRequest) (protocol.GivenUp, error) {
	b.updates++
	b.forget(workflow.Now(ctx))
	if at := slices.IndexFunc(b.state.GivenUp, func(g protocol.GivenUpReservation) bool { return g.ID == req.ID }); at >= 0 {
		return protocol.GivenUp{Reserved: b.state.GivenUp[at].Reserved}, nil
	}
	before := len(b.state.Reservations)
	b.state.Reservations = slices.DeleteFunc(b.state.Reservations, func(r protocol.Reservation) bool { return r.ID == req.ID })
	reserved := len(b.state.Reservations) < before
	b.state.GivenUp = append(b.state.GivenUp, protocol.GivenUpReservation{ID: req.ID, Reserved: reserved, Until: req.Expires})
	return protocol.GivenUp{Reserved: reserved}, nil
}

func (b *budget) mayPause(_ workflow.Context, p incident.Pause) error {
	switch {
	case p.By == "":
		return refuse(RefusedInvalid, "nobody is named")
	case strings.TrimSpace(p.Reason) == "":
		return refuse(RefusedReason, "pausing containment requires a reason")
	case b.state.Paused != nil:
		return refuse(RefusedNotPending, "%s has paused containment already: %s", b.state.Paused.By, b.state.Paused.Reason)
	}
	return nil
}

// pause stops all new containment.
func (b *budget) pause(ctx workflow.Context, p incident.Pause) (protocol.BudgetState, error) {
	b.updates++
	p.At = workflow.Now(ctx)
	b.state.Paused, b.state.Resumed = &p, nil
	b.state.Changes++
	return b.state, nil
}

func (b *budget) mayResume(_ workflow.Context, p incident.Pause) error {
	switch {
	case p.By == "":
		return refuse(RefusedInvalid, "nobody is named")
	case b.state.Paused == nil:
		return refuse(RefusedNotPending, "containment is not paused")
	}
	return nil
}

// resume allows containment again.
func (b *budget) resume(ctx workflow.Context, p incident.Pause) (protocol.BudgetState, error) {
	b.updates++
	p.At = workflow.Now(ctx)
	b.state.Paused, b.state.Resumed = nil, &p
	b.state.Changes++
	return b.state, nil
}
