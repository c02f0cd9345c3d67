package activities

import (
	"context"
	"errors"

	"go.temporal.io/sdk/temporal"

	"github.com/stanch-soar/stanch/integrations"
)

// mapError turns an integration's error into what the engine understands: its
// kind as the type, no retry where that is futile, and the wait that the
// product asked for. It is the only such place.
func mapError(err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return err
	}
	if errors.Is(err, context.Canceled) {
		return err
	}
	kind := integrations.KindOf(err)
	options := temporal.ApplicationErrorOptions{NonRetryable: !kind.Retryable()}
	if e, ok := errors.AsType[*integrations.Error](err); ok {
		options.NextRetryDelay = e.After
	}
	return temporal.NewApplicationErrorWithOptions(err.Error(), string(kind), options)
}

// ErrorKind returns the kind of an error that came back through the engine,
// and false for one that is none of ours, such as a timeout.
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
