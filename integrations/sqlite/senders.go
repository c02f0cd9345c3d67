package sqlite

import (
	"cmp"
	"context"
	"database/sql"
	"net/netip"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// sender is who sent from an address in an hour, as one sensor says.
type sender struct {
	sensor       uint64
	address      netip.Addr
	device, user string
	hour         int64
}

// maxSenders bounds the senders of a chunk: names come from outside.
const maxSenders = 64 << 10

// sends notes who sent a record, where it says so.
func (b *batch) sends(r *flowmath.Record, sensor uint64) {
	if r.Device == "" && r.User == "" {
		return
	}
	first, last := r.Start.UnixNano(), r.End().UnixNano()
	key := sender{sensor, r.Src, r.Device, r.User, last / int64(time.Hour)}
	before, known := b.senders[key]
	switch {
	case known:
		first, last = min(first, before.from), max(last, before.to)
	case len(b.senders) >= maxSenders:
		return
	case b.senders == nil:
		b.senders = map[sender]period{}
	}
	b.senders[key] = period{first, last}
}

// writeSenders adds who sent, and forgets it.
func (b *batch) writeSenders(ctx context.Context, tx *sql.Tx) error {
	for k, in := range b.senders {
		_, err := tx.ExecContext(ctx, `INSERT INTO sender (address, hour, sensor, device, user, first, last) VALUES (?, ?, ?, ?, ?, ?, ?)
			ON CONFLICT DO UPDATE SET first = min(first, excluded.first), last = max(last, excluded.last)`,
			k.address.AsSlice(), k.hour, k.sensor, k.device, k.user, in.from, in.to)
		if err != nil {
			return err
		}
	}
	clear(b.senders)
	return nil
}

// Senders implements [integrations.Senders].
func (s *Store) Senders(ctx context.Context, q integrations.SendersQuery) ([]incident.Sender, error) {
	const op = "read the senders"
	if err := flowmath.CheckWindow(op, q.From, q.To); err != nil {
		return nil, err
	}
	h, err := flowmath.HostOf(op, q.IPs)
	if err != nil {
		return nil, err
	}
	dbs, err := s.dbs(ctx)
	if err != nil {
		return nil, err
	}
	found, err := dbs.sendersOf(ctx, h, q.From, q.To)
	if err != nil {
		return nil, failed(op, err)
	}
	return found, nil
}

// sendersOf returns who sent from the host's addresses in [from, to), the newest first.
func (p *pools) sendersOf(ctx context.Context, h flowmath.Host, from, to time.Time) ([]incident.Sender, error) {
	var found []incident.Sender
	for _, a := range h.Addrs {
		some, err := p.senders(ctx, a, from, to)
		if err != nil {
			return nil, err
		}
		found = append(found, some...)
	}
	slices.SortFunc(found, func(a, b incident.Sender) int {
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Sensor, b.Sensor), cmp.Compare(a.User, b.User), cmp.Compare(a.Device, b.Device))
	})
	return found, nil
}

// senders returns who sent from the address in [from, to): a record is kept with the hour of its end.
func (p *pools) senders(ctx context.Context, a netip.Addr, from, to time.Time) ([]incident.Sender, error) {
	rows, err := p.read.QueryContext(ctx, `SELECT name, device, user, min(first), max(last) FROM sender JOIN sensor ON sensor.id = sender.sensor
		WHERE address = ? AND hour >= ? AND hour <= ? AND last >= ? AND first < ? GROUP BY name, device, user`,
		a.AsSlice(), from.UnixNano()/int64(time.Hour), to.Add(flowmath.MaxDuration).UnixNano()/int64(time.Hour), from.UnixNano(), to.UnixNano())
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	var found []incident.Sender
	for rows.Next() {
		one := incident.Sender{IP: a.String()}
		var first, last int64
		if err := rows.Scan(&one.Sensor, &one.Device, &one.User, &first, &last); err != nil {
			return nil, err
		}
		one.First, one.Last = time.Unix(0, first).UTC(), time.Unix(0, last).UTC()
		found = append(found, one)
	}
	return found, rows.Err()
}
