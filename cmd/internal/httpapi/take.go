package httpapi

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/engine"
	"github.com/stanch-soar/stanch/cmd/internal/metrics"
	"github.com/stanch-soar/stanch/integrations/alerts"
)

// takeWithin is how long the engine is waited for with one message. It goes on when the
// context of the fetching has ended, so that what was begun can be confirmed to the sender.
const takeWithin = 10 * time.Second

// Take takes a message that was fetched for a source, as one that was posted: at the source's
// rate, with the same bound. What cannot be read is kept as a rejected alert and counts as
// taken. An error means that the engine does not hold all of the message: the same message
// must come again.
func (r *Receiver) Take(ctx context.Context, name string, body []byte) error {
	source, ok := r.Sources[name]
	if !ok {
		return fmt.Errorf("take a message: there is no source %q", name)
	}
	if err := r.limits[name].Wait(ctx); err != nil {
		return fmt.Errorf("take a message of source %q: %w", name, err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeWithin)
	defer cancel()
	start := r.Now()
	accepted, err := r.acceptFetched(ctx, source, body)
	if err != nil {
		r.Metrics.Add(metrics.Alerts, 1, name, "unavailable")
		return fmt.Errorf("take a message of source %q: %w", name, err)
	}
	r.Metrics.Observe(metrics.Intake, r.Now().Sub(start).Seconds(), name)
	r.count(name, accepted)
	return nil
}

// acceptFetched accepts a message. One that no try would get further is kept as rejected as a
// whole, so that it does not hold up those behind it.
func (r *Receiver) acceptFetched(ctx context.Context, source Source, body []byte) (api.Accepted, error) {
	if most := source.bound(); int64(len(body)) > most {
		return r.poison(ctx, source, body, alerts.Wrong("", "the message is %d bytes, more than %d", len(body), most))
	}
	accepted, err := r.accept(ctx, source, body)
	if wrong, ok := errors.AsType[*alerts.FieldError](err); ok {
		return r.poison(ctx, source, body, wrong)
	}
	if engine.RefusedForGood(err) {
		r.Log.WarnContext(ctx, "the engine refuses a message for good: it is kept as rejected", "source", source.Name, "error", err)
		return r.poison(ctx, source, body, alerts.Wrong("", "the engine refuses it"))
	}
	return accepted, err
}

// poison keeps a message that is wrong as a whole.
func (r *Receiver) poison(ctx context.Context, source Source, body []byte, wrong *alerts.FieldError) (api.Accepted, error) {
	record, err := r.reject(ctx, protocol.RejectedAlert{Source: source.Name, Field: wrong.Path, Pointer: alerts.Pointer(body, wrong.Path), Problem: wrong.Problem, Body: body})
	if err != nil {
		return api.Accepted{}, err
	}
	return api.Accepted{Rejected: []api.RejectedRef{{ID: record.ID, Path: wrong.Path, Problem: record.Problem}}}, nil
}

// count counts what became of the alerts of a request or a message.
func (r *Receiver) count(source string, accepted api.Accepted) {
	for _, c := range accepted.Cases {
		r.Metrics.Add(metrics.Alerts, float64(c.Alerts), source, "accepted")
	}
	r.Metrics.Add(metrics.Alerts, float64(len(accepted.Recorded)+accepted.Unkept), source, "recorded")
	r.Metrics.Add(metrics.Alerts, float64(len(accepted.Rejected)), source, "rejected")
}
