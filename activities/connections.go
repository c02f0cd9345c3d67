package activities

import (
	"context"
	"fmt"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

const (
	// maxConnections bounds what one question about an endpoint's connections
	// brings.
	maxConnections = 500
	// clockSlack is how far the clocks of endpoint and sensor may differ and the
	// first question still finds the connections. Of seven real pairs the clocks
	// of six differ by minutes.
	clockSlack = 15 * time.Minute
	// furthest is how far from the alert connections are looked for at all.
	furthest = 24 * time.Hour
)

// ConnectionsOut are an endpoint's connections, to be joined with flows.
type ConnectionsOut struct {
	Connections Packed[[]incident.Connection] `json:"connections"`
	// Wide says in words that more was asked for than the window, and why.
	Wide string `json:"wide,omitempty"`
}

// findConnections asks for the connections that the sample of flows can belong
// to: from the start of its earliest flow, which may be before the window.
// Where there are more than one question brings, those of the flows' own tuples
// come first; where these connections do not show who sends, for theirs within a day:
// the clocks may differ by hours, or the connections be older than the flows. The
// sender's processes come with what the EDR knows of their start and scripts.
func (a *Activities) findConnections(ctx context.Context, in EnrichIn) (ConnectionsOut, error) {
	var out ConnectionsOut
	flows := in.Sample.Value
	q := integrations.ConnectionQuery{From: firstStart(in).Add(-clockSlack), To: in.At.Add(clockSlack)}
	found, err := a.connections(ctx, in, q)
	if err != nil {
		return out, err
	}
	q.Tuples = tuplesOf(flows)
	if len(q.Tuples) > 0 && len(found) >= maxConnections {
		own, err := a.connections(ctx, in, q)
		if retryable(err) {
			return out, err
		}
		found = together(own, found)
		found = found[:min(len(found), maxConnections)]
	}
	if len(q.Tuples) > 0 && traffic.Join(flows, found).Attribution != incident.Exact {
		since := q.From.UTC().Format(time.RFC3339)
		q.From, q.To = in.At.Add(-furthest), in.At.Add(furthest)
		far, err := a.connections(ctx, in, q)
		if retryable(err) {
			return out, err
		}
		all := together(found, far)
		asked := fmt.Sprintf("%d more", len(all)-len(found))
		if err != nil {
			asked = Reason(mapError(err))
		}
		out.Wide = fmt.Sprintf("The connections since %s do not tell who sent. Those with the flows' addresses and ports, up to %s before and after, were asked for: %s",
			since, incident.FormatDuration(furthest), asked)
		found = all
	}
	a.tellExecutions(ctx, in, firstStart(in).Add(-clockSlack), in.At.Add(clockSlack), found)
	out.Connections.Value = found
	return out, nil
}

// retryable reports whether a further question failed that may be answered when
// it is asked again. One that is refused leaves what the first one brought.
func retryable(err error) bool { return err != nil && integrations.KindOf(err).Retryable() }

// getConnections asks for the newest connections of the window, for cases that
// were opened before the flows were waited for.
func (a *Activities) getConnections(ctx context.Context, in EnrichIn) (Packed[[]incident.Connection], error) {
	found, err := a.connections(ctx, in, integrations.ConnectionQuery{From: in.At.Add(-in.Window), To: in.At})
	return Packed[[]incident.Connection]{Value: found}, err
}

// connections asks the EDR, and normalises its answer.
func (a *Activities) connections(ctx context.Context, in EnrichIn, q integrations.ConnectionQuery) ([]incident.Connection, error) {
	edr, err := use[integrations.Connections](a, in.Use)
	if err != nil {
		return nil, err
	}
	if in.Target == nil {
		return nil, integrations.Errorf(integrations.Invalid, "read connections", "the target is not exact")
	}
	q.Target, q.Limit = *in.Target, maxConnections
	found, err := edr.Connections(ctx, q)
	for i := range found {
		found[i].InWords()
	}
	return found, err
}

// firstStart is when the window or the earliest flow of the sample begins, as
// far back as connections are looked for at all.
func firstStart(in EnrichIn) time.Time {
	first, furthest := in.At.Add(-in.Window), in.At.Add(-furthest)
	for _, f := range in.Sample.Value {
		if f.Start.After(furthest) && f.Start.Before(first) {
			first = f.Start
		}
	}
	return first
}

// tuplesOf returns the tuples of the largest flows, each once.
func tuplesOf(flows []incident.Flow) []incident.Tuple {
	var tuples []incident.Tuple
	seen := map[incident.Tuple]bool{}
	for _, f := range flows {
		if !seen[f.Tuple] && len(tuples) < integrations.MaxTuples {
			seen[f.Tuple] = true
			tuples = append(tuples, f.Tuple)
		}
	}
	return tuples
}

// together merges two answers of one EDR. A connection in both is kept once.
func together(a, b []incident.Connection) []incident.Connection {
	type connection struct {
		at int64
		incident.Tuple
		path, name incident.Value[string]
		pid        incident.Value[int64]
	}
	of := func(c incident.Connection) connection {
		return connection{c.At.UnixNano(), c.Tuple, c.Process.Path, c.Process.Name, c.Process.PID}
	}
	seen := make(map[connection]bool, len(a))
	for _, c := range a {
		seen[of(c)] = true
	}
	all := a[:len(a):len(a)]
	for _, c := range b {
		if !seen[of(c)] {
			all = append(all, c)
		}
	}
	return all
}
