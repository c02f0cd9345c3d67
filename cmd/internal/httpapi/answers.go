package httpapi

import (
	"context"
	"net/http"

	"github.com/stanch-soar/stanch/cmd/internal/engine"
	"github.com/stanch-soar/stanch/integrations"
)

// refused turns an error of the engine into an answer: not found, refused with
// the rule that refused it, or unavailable.
func (r *Receiver) refused(ctx context.Context, op string, err error) *problem {
	if missing(err) {
		return fail(http.StatusNotFound, "not_found", "%s: there is none that is open", op)
	}
	if rule, text := engine.Refusal(err); rule != "" {
		return fail(http.StatusConflict, rule, "%s", text)
	}
	return r.unavailable(ctx, op, err)
}

func (r *Receiver) unavailable(ctx context.Context, op string, err error) *problem {
	r.Log.ErrorContext(ctx, op, "error", err)
	return fail(http.StatusServiceUnavailable, "unavailable", "%s: the engine did not answer", op)
}

func missing(err error) bool { return integrations.KindOf(err) == integrations.NotFound }
