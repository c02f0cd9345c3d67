// Package enginetest starts an engine in memory for the tests of what speaks to it.
package enginetest

import (
	"context"
	"errors"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"

	"github.com/stanch-soar/stanch/activities"
	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/embedded"
	"github.com/stanch-soar/stanch/cmd/internal/engine"
	"github.com/stanch-soar/stanch/workflows"
)

// Start starts an engine, which keeps nothing when it has stopped. The build must have one:
// see [embedded.BuiltIn].
func Start(ctx context.Context) (c client.Client, stop func() error, err error) {
	server, err := embedded.Start(ctx, embedded.Options{SearchAttributes: engine.SearchAttributes()})
	if err != nil {
		return nil, nil, err
	}
	c, err = engine.Dial(ctx, engine.Config{Address: server.HostPort(), Namespace: server.Namespace(), TLS: server.TLS()})
	if err != nil {
		return nil, nil, errors.Join(err, server.Stop())
	}
	return c, func() error { c.Close(); return server.Stop() }, nil
}

// Work carries cases out until it is stopped.
func Work(c client.Client, acts *activities.Activities) (stop func(), err error) {
	var workers []worker.Worker
	stop = func() {
		for _, w := range workers {
			w.Stop()
		}
	}
	for _, queue := range []string{protocol.TaskQueue, protocol.ContainQueue} {
		w := worker.New(c, queue, worker.Options{DisableWorkflowWorker: queue != protocol.TaskQueue})
		if queue == protocol.TaskQueue {
			workflows.Register(w)
		}
		acts.Register(w)
		if err := w.Start(); err != nil {
			stop()
			return nil, err
		}
		workers = append(workers, w)
	}
	return stop, nil
}
