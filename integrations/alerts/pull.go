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
	// Alone is why two receivers that fetch at once get every message twice; empty where
	// they share what waits. The engine recognises the repeats.
	Alone string
	// Again is why what was taken may come again after a restart; empty where it does not.
	// The engine recognises the repeats.
	Again string
	// Source is the kind of source whose bodies it brings; empty where a message is whatever
	// the sender writes.
	Source string
	// Example is the value of from in stanch.yaml, one that lints.
	Example string
	// NewConfig returns a pointer to the configuration struct with its defaults, as that
	// of an integration does.
	NewConfig func() any
	// Open makes the puller. It must not fail because the product is down: Pull does.
	Open func(ctx context.Context, config any) (Puller, error)
}

// Take takes messages that wait together, as if one after the other: the alerts of one case in
// their order, those of several cases at once, so that a flood about one host does not hold up
// what comes behind it. The engine holds everything of the first taken messages, also what was
// wrong with them. That is all of them unless there is an error, which is the engine's or the
// context's, never a message's.
type Take func(ctx context.Context, bodies [][]byte) (taken int, err error)

// Each takes messages by a function of one. It begins none after the first once the context
// has ended.
func Each(take func(ctx context.Context, body []byte) error) Take {
	return func(ctx context.Context, bodies [][]byte) (int, error) {
		for i, body := range bodies {
			if i > 0 && ctx.Err() != nil {
				return i, ctx.Err()
			}
			if err := take(ctx, body); err != nil {
				return i, err
			}
		}
		return len(bodies), nil
	}
}

// Puller fetches what senders left for one source. Lag may be called while Pull runs; Pull is
// not called twice at once.
type Puller interface {
	// Pull hands over each message until the context ends, or until something fails: the
	// caller calls it again after a pause. What it has fetched of one partition, of one
	// group, or of a queue that keeps its order, it hands over together and in that order,
	// and no more of it until take has returned; take may be called for others meanwhile.
	//
	// A message counts as taken, so that it never comes again, only once take has returned
	// that it is; until then, whatever ends Pull, it comes again. Where the transport says
	// that and why, what was taken comes again too, in another process only. At an error of take Pull
	// stops and returns an error that wraps it. When Pull returns, no take is running, and
	// what was taken is confirmed where the product still answers. Once the context has
	// ended no further take is begun, and the error is that of the context or nil.
	Pull(ctx context.Context, take Take) error
	// Lag returns how many messages wait that were not taken yet. It is also how a lost
	// connection is noticed while Pull waits, so it asks the product. Where it reached the
	// product and cannot tell, the error wraps [errors.ErrUnsupported].
	Lag(ctx context.Context) (int64, error)
	// Close ends the connections. Pull has returned before.
	Close() error
}
