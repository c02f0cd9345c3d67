package httpapi

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
)

const (
	// lookupWithin is how long the product is waited for that holds what alerts name.
	lookupWithin = 20 * time.Second
	// lookupAgain is the Retry-After of a sender whose alerts could not be looked up, where
	// the product does not say when to come back.
	lookupAgain = 15 * time.Second
)

// lookupError is that of a product that may answer later.
type lookupError struct{ err error }

func (e *lookupError) Error() string { return e.err.Error() }

func (e *lookupError) Unwrap() error { return e.err }

// problem is the answer to the sender: nothing was taken, and nothing is lost.
func (e *lookupError) problem() *problem {
	p := fail(http.StatusServiceUnavailable, "unavailable", "what the alerts name could not be looked up: send them again")
	p.retry = lookupAgain
	if of, ok := errors.AsType[*integrations.Error](e.err); ok {
		p.retry = cmp.Or(of.After, lookupAgain)
	}
	return p
}

// lookup returns a body with what its alerts only name put into it. What the product refuses
// leaves it as it came: lacks is why, for people. The error is a [lookupError] of a product
// that may answer when the same body comes again.
func (r *Receiver) lookup(ctx context.Context, source Source, body []byte) (full []byte, lacks string, err error) {
	if source.Lookup == nil {
		return body, "", nil
	}
	ctx, cancel := context.WithTimeout(ctx, lookupWithin)
	defer cancel()
	full, err = source.Lookup.Complete(ctx, body)
	switch {
	case err == nil:
		return full, "", nil
	case integrations.KindOf(err).Retryable():
		return nil, "", &lookupError{err}
	}
	r.Log.WarnContext(ctx, "what alerts name could not be looked up: they are taken as they came", "source", source.Name, "error", err)
	return body, err.Error(), nil
}

// explain adds to why an alert without a host cannot be taken that it was not looked up.
func explain(p *alerts.Parsed, lacks string) {
	if lacks != "" && p.Wrong != nil && !p.Alert.Host.Named() {
		p.Wrong = alerts.Wrong(p.Wrong.Path, "%s; what it names could not be looked up: %s", p.Wrong.Problem, lacks)
	}
}
