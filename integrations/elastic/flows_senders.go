package elastic

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Senders implements [integrations.Senders]. First and Last are of the ends of records.
func (s *Store) Senders(ctx context.Context, q integrations.SendersQuery) ([]incident.Sender, error) {
	const op = "read the senders"
	if err := flowmath.CheckWindow(op, q.From, q.To); err != nil {
		return nil, err
	}
	h, err := flowmath.HostOf(op, q.IPs)
	if err != nil || s.layout.user == "" {
		return nil, err
	}
	named := []query{{Exists: &field{Field: s.layout.user}}}
	if s.layout.device != "" {
		named = append(named, query{Exists: &field{Field: s.layout.device}})
	}
	var found []incident.Sender
	for _, e := range s.layout.ends() {
		if !e.source {
			continue
		}
		sources := []map[string]source{by("ip", e.own), by("user", s.layout.user)}
		if s.layout.device != "" {
			sources = append(sources, by("device", s.layout.device))
		}
		which := allOf(s.layout.records(), s.layout.stamped(q.From, q.To), e.from(h.Strings()), anyOf(named...))
		err := s.groups(ctx, op, which, e, sources, func(k key, _ int64, b bucket) error {
			a, err := netip.ParseAddr(k.text("ip"))
			if err != nil {
				return integrations.Errorf(integrations.Unavailable, op, "a group has no address")
			}
			found = append(found, incident.Sender{
				IP: a.Unmap().String(), User: k.text("user"), Device: k.text("device"), Sensor: k.text("sensor"),
				First: time.UnixMilli(b.First.int64()).UTC(), Last: time.UnixMilli(b.Last.int64()).UTC(),
			})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(found, func(a, b incident.Sender) int {
		return cmp.Or(b.Last.Compare(a.Last), cmp.Compare(a.Sensor, b.Sensor), cmp.Compare(a.User, b.User), cmp.Compare(a.Device, b.Device))
	})
	return found, nil
}
