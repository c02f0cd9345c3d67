package integrations

import "context"

// Completer fetches what an alert names and does not hold. A source of stanch.yaml names the
// integration that does it for its alerts.
type Completer interface {
	// Complete returns the body of a request with what its alerts lack put into it; one that
	// lacks nothing, or in which nothing is known, is returned unchanged, and nobody is
	// asked. It must not change the body that it gets, nor anything in the product. An alert
	// that does not exist there is a not_found error. A body of many alerts asks as often: it
	// must refuse as invalid what is too much for one request.
	Complete(ctx context.Context, body []byte) ([]byte, error)
}
