package alerts

import "context"

// Transport describes one way in which alerts are fetched from where they wait, such as a
// queue. A source that names none is posted to.
type Transport struct {
	// Kind is the name in stanch.yaml, below the from of a source; kinds of transports
	// have a name space of their own.
	Kind    string
	Summary string
	// Doc says what the sender and the queue must be set to, in Markdown, for the
	// generated reference.
	Doc string
	// Example is the value of from in stanch.yaml, one that lints.
	Example string
	// NewConfig returns a pointer to the configuration struct with its defaults, as that
	// of an integration does.
	NewConfig func() any
	// Open makes the puller. It must not fail because the product is down: Pull does.
	Open func(ctx context.Context, config any) (Puller, error)
}

// Puller fetches what senders left for one source.
type Puller interface {
	// Pull hands over each message, in the order of its partition where there is one, until
	// the context ends or the connection is lost: the caller calls it again after a pause.
	// A message counts as taken, so that it never comes again, only once take has returned
	// nil for it; until then, whatever ends Pull, it comes again. An error of take is the
	// engine's, never the message's: Pull stops at it and returns it.
	Pull(ctx context.Context, take func(ctx context.Context, body []byte) error) error
	// Lag returns how many messages wait that were not taken yet.
	Lag(ctx context.Context) (int64, error)
	Close() error
}
