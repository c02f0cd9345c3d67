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

// takeWithin is how long the engine is waited for with what is taken at once. It goes on when
// the context of the fetching has ended, so that what was begun can be confirmed to the sender.
const takeWithin = 10 * time.Second

// gatherWithin is after how long no further message is read before those that were read are
// taken: what they name may have to be looked up.
const gatherWithin = time.Second

// Take takes messages that were fetched for a source, as ones that were posted: at the
// source's rate, with the same bound. What cannot be read is kept as a rejected alert and
// counts as taken. The engine holds the first taken of them; an error is why it does not hold
// all of the next, and that and what is behind it must come again.
func (r *Receiver) Take(ctx context.Context, name string, bodies [][]byte) (taken int, err error) {
	source, ok := r.Sources[name]
	if !ok {
		return 0, fmt.Errorf("take a message: there is no source %q", name)
	}
	for taken < len(bodies) {
		n, err := r.takeSome(ctx, source, bodies[taken:])
		taken += n
		if err != nil {
			return taken, fmt.Errorf("take a message of source %q: %w", name, err)
		}
	}
	return taken, nil
}

// takeSome takes as many of the first messages as the rate and the bounds let go together, at
// least one.
func (r *Receiver) takeSome(ctx context.Context, source Source, bodies [][]byte) (taken int, err error) {
	limit := r.limits[source.Name]
	if err := limit.Wait(ctx); err != nil {
		return 0, err
	}
	fetching := ctx
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeWithin)
	defer cancel()
	start := r.Now()
	m := &together{r: r, source: source, byCase: map[string]*chain{}}
	var unread error
	for i, body := range bodies {
		if i > 0 && (!m.fits(body) || fetching.Err() != nil || r.Now().Sub(start) > gatherWithin || !limit.Allow()) {
			break
		}
		if unread = m.read(ctx, body); unread != nil {
			break
		}
	}
	cancel()
	taken, err = m.take(context.WithoutCancel(fetching))
	for _, became := range m.became[:taken] {
		r.Metrics.Observe(metrics.Intake, r.Now().Sub(start).Seconds(), source.Name)
		r.count(source.Name, became)
	}
	if err == nil {
		err = unread
	}
	if err != nil {
		r.Metrics.Add(metrics.Alerts, 1, source.Name, "unavailable")
	}
	return taken, err
}

// take commits the messages. Where the engine refuses something for good, each of those it
// does not hold is taken alone, so that only what it refuses is kept as rejected.
func (m *together) take(ctx context.Context) (taken int, err error) {
	within, cancel := context.WithTimeout(ctx, takeWithin)
	defer cancel()
	taken, err = m.commit(within)
	if !engine.RefusedForGood(errors.Join(m.failed...)) {
		return taken, err
	}
	for ; taken < len(m.bodies); taken++ {
		if m.became[taken], err = m.r.takeAlone(ctx, m.source, m.bodies[taken]); err != nil {
			return taken, err
		}
	}
	return taken, nil
}

// takeAlone takes a message. One that no try would get further is kept as rejected as a whole,
// so that it does not hold up those behind it.
func (r *Receiver) takeAlone(ctx context.Context, source Source, body []byte) (api.Accepted, error) {
	ctx, cancel := context.WithTimeout(ctx, takeWithin)
	defer cancel()
	if wrong := source.tooLarge(body); wrong != nil {
		return r.poison(ctx, source, body, wrong)
	}
	accepted, err := r.accept(ctx, source, body)
	if wrong := wrongOf(err); wrong != nil {
		return r.poison(ctx, source, body, wrong)
	}
	if engine.RefusedForGood(err) {
		r.Log.WarnContext(ctx, "the engine refuses a message for good: it is kept as rejected", "source", source.Name, "error", err)
		return r.poison(ctx, source, body, alerts.Wrong("", "the engine refuses it"))
	}
	return accepted, err
}

// tooLarge is what is wrong with a message beyond the bound of a body, or nil.
func (s Source) tooLarge(body []byte) *alerts.FieldError {
	if most := s.bound(); int64(len(body)) > most {
		return alerts.Wrong("", "the message is %d bytes, more than %d", len(body), most)
	}
	return nil
}

// wrongOf is what is wrong with a message according to an error, or nil.
func wrongOf(err error) *alerts.FieldError {
	wrong, _ := errors.AsType[*alerts.FieldError](err)
	return wrong
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
