package elastic

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// contact is an event of a connection.
type contact struct {
	row
	at    time.Time
	tuple incident.Tuple
}

// connections looks through a device's events, the newest first, until there are enough.
// The connections are complete with what the starts of their processes tell.
func (e events) connections(ctx context.Context, op string, host query, q integrations.ConnectionQuery) ([]incident.Connection, error) {
	if err := within(op, q.From, q.To, q.Limit); err != nil {
		return nil, err
	}
	wanted, err := wantedOf(op, q.Tuples)
	if err != nil {
		return nil, err
	}
	var contacts []contact
	var known entities
	err = httpx.All(
		func() (err error) { contacts, err = e.contacts(ctx, op, host, q, wanted); return err },
		func() error { known = entitiesOf(e.recently(ctx, op, host, q.From, q.To)); return nil },
	)
	if err != nil {
		return nil, err
	}
	rows := make([]row, 0, len(contacts))
	for _, c := range contacts {
		rows = append(rows, c.row)
	}
	if err := e.learn(ctx, op, host, rows, known, q.To); err != nil {
		return nil, err
	}
	all := make([]incident.Connection, 0, len(contacts))
	for _, c := range contacts {
		all = append(all, incident.Connection{At: c.at, Tuple: c.tuple, Process: e.complete(c.row, known)})
	}
	return all, nil
}

func (e events) contacts(ctx context.Context, op string, host query, q integrations.ConnectionQuery, wanted tuples) ([]contact, error) {
	names := append(e.processFields(), "source.ip", "source.port", "destination.ip", "destination.port", "network.transport")
	// An end and its beginning are one connection: with as many again there are enough.
	size := min(e.page, 2*q.Limit)
	if len(wanted) > 0 {
		size = e.page
	}
	var found []contact
	to := q.To
	for range maxLooks {
		queries := append([]query{host, stamped(q.From, to), e.dialect.connections, {Exists: &field{Field: "destination.ip"}}}, wanted.narrowed()...)
		page, err := e.search(ctx, op, e.networks, false, newest(size, names, queries...))
		if err != nil {
			return nil, err
		}
		oldest := to
		for _, r := range page {
			at := r.at()
			if at.IsZero() {
				return nil, integrations.Errorf(integrations.Unavailable, op, "an event has no time")
			}
			oldest = at
			if t, ok := tupleOfRow(r); ok && wanted.has(t) && !at.Before(q.From.Truncate(time.Millisecond)) && at.Before(q.To) {
				found = append(found, contact{r, at, t})
			}
		}
		merged := e.merged(found)
		if len(page) < size || len(merged) >= q.Limit {
			return merged[:min(len(merged), q.Limit)], nil
		}
		// Events of the oldest millisecond may have been cut: they are asked for again.
		next := oldest.Add(time.Millisecond)
		if !next.Before(to) {
			break
		}
		to = next
		found = slices.DeleteFunc(found, func(c contact) bool { return c.at.Before(to) })
	}
	return nil, integrations.Errorf(integrations.Unavailable, op, "the device has more events than are looked through")
}

// merged are the connections that events tell of, the newest first: the event of an end
// counts where that of its beginning is not among them.
func (e events) merged(found []contact) []contact {
	type one struct {
		entity string
		tuple  tuple
	}
	slices.SortStableFunc(found, func(a, b contact) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(e.ends(a), e.ends(b))) })
	open := map[one]int{}
	var all []contact
	for _, c := range found {
		t, _ := tupleOf(c.tuple)
		key := one{c.text("process.entity_id"), t}
		switch {
		case e.ends(c) == 0:
			open[key]++
		case open[key] > 0:
			open[key]--
			continue
		}
		all = append(all, c)
	}
	slices.Reverse(all)
	return all
}

// ends is 1 for the event of an end, else 0.
func (e events) ends(c contact) int {
	if slices.Contains(e.ended, c.text("event.action")) {
		return 1
	}
	return 0
}
