package workflows

import (
	"slices"

	"go.temporal.io/sdk/workflow"
)

// inbox is the signals that a workflow receives, by kind. A signal stays in its
// channel until it is taken in: one that was handed to a coroutine which had not
// run yet would be lost with the run.
type inbox []slot

// slot is one kind of signal.
type slot struct {
	channel workflow.ReceiveChannel
	// take takes one in, and reports whether there was one.
	take func(ctx workflow.Context) bool
}

// hear returns the slot of the signals of a name. The function take must not
// block.
func hear[T any](ctx workflow.Context, name string, take func(workflow.Context, T)) slot {
	channel := workflow.GetSignalChannel(ctx, name)
	return slot{channel, func(ctx workflow.Context) bool {
		var signal T
		arrived := channel.ReceiveAsync(&signal)
		if arrived {
			take(ctx, signal)
		}
		return arrived
	}}
}

// open has signals taken in whenever they come. One coroutine does it for all
// kinds: each keeps a stack for as long as the workflow is in memory.
func (b inbox) open(ctx workflow.Context) {
	arrived := func() bool {
		return slices.ContainsFunc(b, func(s slot) bool { return s.channel.Len() > 0 })
	}
	workflow.Go(ctx, func(ctx workflow.Context) {
		for workflow.Await(ctx, arrived) == nil {
			b.drain(ctx)
		}
	})
}

// drain takes in every signal that has arrived. Code that ends a run must call it
// last, and then not block.
func (b inbox) drain(ctx workflow.Context) {
	for _, s := range b {
		for s.take(ctx) {
		}
	}
}
