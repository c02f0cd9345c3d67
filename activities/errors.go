package activities

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"

	"github.com/stanch-soar/stanch/integrations"
)

// worded is an error of our own making, whose words people may be shown. A
// product's own text is never shown: it may hold anything.
type worded struct {
	cause error
	words string
}

func (e worded) Error() string { return e.cause.Error() }

func (e worded) Unwrap() error { return e.cause }

// ours is an invalid error with words for people.
func ours(op, words string) error {
	return worded{integrations.Errorf(integrations.Invalid, op, "%s", words), words}
}

// use returns an integration as the capability C, or an error that says what is
// configured wrongly.
func use[C any](a *Activities, name string) (C, error) {
	c, err := integrations.Use[C](a.Set, name)
	if err == nil {
		return c, nil
	}
	words := fmt.Sprintf("no integration %q is configured", name)
	if spec, ok := a.Set.Spec(name); ok {
		words = fmt.Sprintf("integration %q is of kind %s, which cannot do that", name, spec.Kind)
	}
	return c, ours("use "+name, words)
}

// mapError turns an integration's error into what the engine understands: its
// kind as the type, no retry where that is futile, and the wait that the
// product asked for. It is the only such place.
func mapError(err error) error {
	if err == nil {
		return nil
	}
	// What another workflow answered stays as it is: wrapped, the engine would
	// take it for an error of no known kind, and try again.
	if answer, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return answer
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	kind := integrations.KindOf(err)
	options := temporal.ApplicationErrorOptions{NonRetryable: !kind.Retryable()}
	if e, ok := errors.AsType[*integrations.Error](err); ok {
		options.NextRetryDelay = e.After
		if e.Words != "" {
			options.Details = []any{e.Words}
		}
	}
	if w, ok := errors.AsType[worded](err); ok {
		options.Details = []any{w.words}
	}
	return temporal.NewApplicationErrorWithOptions(err.Error(), string(kind), options)
}

// ErrorKind returns the kind of an error that came back through the engine,
// and false for one that is not ours, such as a timeout.
func ErrorKind(err error) (integrations.Kind, bool) {
	e, ok := errors.AsType[*temporal.ApplicationError](err)
	if !ok {
		return "", false
	}
	for _, kind := range integrations.Kinds() {
		if string(kind) == e.Type() {
			return kind, true
		}
	}
	return "", false
}

// MayAnswer reports whether a product that did not answer may do so later: it
// was down, busy or slow. Several matches are an answer.
func MayAnswer(err error) bool {
	kind, known := ErrorKind(err)
	return err != nil && (!known || kind.Retryable() && kind != integrations.Conflict)
}

// Reason says in words why there was no answer: what is configured wrongly, or
// the kind of fault, never a product's own text.
func Reason(err error) string {
	if timeout, ok := errors.AsType[*temporal.TimeoutError](err); ok {
		if kind, ok := ErrorKind(timeout.Unwrap()); ok {
			return "timed out, " + kindWords(kind)
		}
		return "timed out"
	}
	if e, ok := errors.AsType[*temporal.ApplicationError](err); ok && e.HasDetails() {
		var words string
		if e.Details(&words) == nil {
			return words
		}
	}
	if kind, ok := ErrorKind(err); ok {
		return kindWords(kind)
	}
	return "no answer"
}

func kindWords(kind integrations.Kind) string {
	switch kind {
	case integrations.NotFound:
		return "not found"
	case integrations.Denied:
		return "access denied"
	case integrations.Invalid:
		return "it refused the request"
	case integrations.Conflict:
		return "busy with something else on it"
	case integrations.Throttled:
		return "too many requests"
	case integrations.Unavailable:
		return "unavailable"
	case integrations.Ambiguous:
		return "no clear answer"
	}
	return string(kind)
}
