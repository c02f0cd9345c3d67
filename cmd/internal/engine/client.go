// Package engine is all that a process asks of Temporal, the embedded server or
// the team's own cluster: it connects, with encrypted payloads where keys are
// given, and starts, signals, updates, reads and lists the workflows of Stanch.
package engine

import (
	"sync"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/stanch-soar/stanch/activities"
)

// Client talks to the workflows of Stanch. A process needs one: it bounds how
// many calls are under way.
type Client struct {
	temporal client.Client
	payloads converter.DataConverter
	// namespace is the client's own.
	namespace string
	eager     bool
	commits   *committer
	// budget holds a token for each call to the budget that is under way.
	budget chan struct{}
}

var _ activities.Workflows = (*Client)(nil)

// Options of a client.
type Options struct {
	// Payloads reads what Temporal stores beside a workflow; nil reads what is
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

// atOnce is how many questions are put to Temporal side by side.
const atOnce = 16

// SideBySide does something for every number below n, several at a time.
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
