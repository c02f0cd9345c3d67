// Package engine is the client of Temporal, of the embedded server or of
// the team's own cluster: it connects, with encrypted payloads where keys are
// given, and starts, signals, updates, reads and lists the workflows of Stanch.
package engine

import (
	"sync"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/stanch-soar/stanch/activities"
)

// Client calls the workflows of Stanch. A process needs one: it bounds the
// number of concurrent calls.
type Client struct {
	temporal client.Client
	payloads converter.DataConverter
	// namespace is the client's own.
	namespace string
	eager     bool
	commits   *committer
	// budget holds a token for each concurrent call to the budget.
	budget chan struct{}
}

var _ activities.Workflows = (*Client)(nil)

// Options of a client.
type Options struct {
	// Payloads decodes what Temporal stores with a workflow; nil decodes what is
	// neither compressed nor encrypted.
	Payloads converter.DataConverter
	// Namespace is that of the connection.
	Namespace string
	// Eager starts a case or the workflow of a click in this process, when it runs
	// a worker too.
	Eager bool
}

// New returns a client on a connection of [Dial].
func New(connection client.Client, o Options) *Client {
	if o.Payloads == nil {
		o.Payloads = converter.GetDefaultDataConverter()
	}
	c := &Client{
		temporal: connection, payloads: o.Payloads, namespace: o.Namespace, eager: o.Eager,
		budget: make(chan struct{}, budgetUpdates),
	}
	c.commits = newCommitter(c)
	return c
}

// atOnce bounds the concurrent queries to Temporal.
const atOnce = 16

// SideBySide calls a function for every number below n, several concurrently.
func SideBySide(n int, do func(i int)) {
	var running sync.WaitGroup
	slots := make(chan struct{}, atOnce)
	for i := range n {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			do(i)
		})
	}
	running.Wait()
}
