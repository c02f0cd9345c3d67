package engine

import (
	"errors"
	"fmt"

	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/temporal"

	"github.com/stanch-soar/stanch/integrations"
)

// missing wraps an error once. What does not exist, or has an invalid id,
// is a not_found error.
func missing(op string, err error) error {
	if err == nil {
		return nil
	}
	_, malformed := errors.AsType[*serviceerror.InvalidArgument](err)
	if malformed || notFound(err) {
		return integrations.Errorf(integrations.NotFound, op, "%w", err)
	}
	return fmt.Errorf("%s: %w", op, err)
}

func notFound(err error) bool {
	_, is := errors.AsType[*serviceerror.NotFound](err)
	return is
}

// RefusedForGood reports whether the engine refuses what it was sent because of what it is:
// sending the same again changes nothing.
func RefusedForGood(err error) bool {
	_, is := errors.AsType[*serviceerror.InvalidArgument](err)
	return is
}

func alreadyStarted(err error) bool {
	_, is := errors.AsType[*serviceerror.WorkflowExecutionAlreadyStarted](err)
	return is
}

// Refusal returns the rule by which a workflow refused a request, and the message
// for the client. It is empty where the request was not refused.
func Refusal(err error) (rule, text string) {
	if e, ok := errors.AsType[*temporal.ApplicationError](err); ok {
		return e.Type(), e.Message()
	}
	return "", ""
}
