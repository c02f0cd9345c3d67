package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities/protocol"
)

// maxWatchers bounds the cases that the budget tells of a pause, toldAtOnce how
// many it tells before it waits for the engine to have done so.
const (
	maxWatchers = 1000
	toldAtOnce  = 100
)

func (b *budget) mayWatch(_ workflow.Context, w protocol.Watcher) error {
	if w.Case == "" || w.Run == "" || w.Until.IsZero() {
		return refuse(RefusedInvalid, "who watches needs a case, its run and an end")
	}
	return nil
}

// watch has a case notified of every pause and resumption until it need not know
// any more, and returns the state of the kill switch.
func (b *budget) watch(ctx workflow.Context, w protocol.Watcher) (protocol.PauseChange, error) {
	b.updates++
	now := workflow.Now(ctx)
	b.state.Watchers = slices.DeleteFunc(b.state.Watchers, func(o protocol.Watcher) bool {
		return o.Case == w.Case || o.Until.Before(now)
	})
	change := b.pauseChange(w)
	if change.Full = len(b.state.Watchers) >= maxWatchers; !change.Full {
		b.state.Watchers = append(b.state.Watchers, w)
	}
	return change, nil
}

func (b *budget) pauseChange(w protocol.Watcher) protocol.PauseChange {
	return protocol.PauseChange{Run: w.Run, Changes: b.state.Changes, Paused: b.state.Paused, Resumed: b.state.Resumed}
}

// tellWatchers notifies the cases that watch of every pause and resumption. The
// pause itself waits for none of it.
func (b *budget) tellWatchers(ctx workflow.Context) {
	workflow.Go(ctx, func(ctx workflow.Context) {
		for workflow.Await(ctx, func() bool { return b.told != b.state.Changes }) == nil {
			told := b.state.Changes
			for some := range slices.Chunk(slices.Clone(b.state.Watchers), toldAtOnce) {
				b.tell(ctx, some)
			}
			b.told = told
		}
	})
}

func (b *budget) tell(ctx workflow.Context, some []protocol.Watcher) {
	sent := make([]workflow.Future, 0, len(some))
	for _, w := range some {
		sent = append(sent, workflow.SignalExternalWorkflow(ctx, w.Case, "", protocol.PauseSignal, b.pauseChange(w)))
	}
	for i, w := range some {
		if sent[i].Get(ctx, nil) != nil {
			// A case that has ended need not be notified again.
			b.state.Watchers = slices.DeleteFunc(b.state.Watchers, func(o protocol.Watcher) bool { return o == w })
		}
	}
}
