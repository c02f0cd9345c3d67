package elastic

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// piece is how much of a long time the cluster sums by window at once.
const piece = 24 * time.Hour

// HostWindows implements [integrations.Census]. When the cluster sums, a flow counts in the window in which
// its record is stamped.
func (s *Store) HostWindows(ctx context.Context, q integrations.CensusQuery, each time.Duration, yield func(incident.HostWindow) error) error {
	const op = "read what left by window"
	own, n, err := flowmath.CensusWindows(op, q, each)
	if err != nil {
		return err
	}
	views, _, few, err := s.leaving(ctx, op, own, q)
	if err != nil {
		return err
	}
	if few {
		return eachOf(flowmath.HostWindows(flowmath.Distinct(views), q.From, each, n), yield)
	}
	some := max(1, int(piece/each))
	for first := 0; first < n; {
		count := min(some, n-first)
		from := q.From.Add(time.Duration(first) * each)
		to := from.Add(time.Duration(count) * each)
		if to.After(q.To) {
			to = q.To
		}
		best, err := s.cells(ctx, op, func(e end) query { return s.left(own, own, e, from, to) }, from, each, true)
		if errors.Is(err, errGroups) && count > 1 {
			some = count / 2
			continue
		}
		if err != nil {
			return err
		}
		for c, at := range best {
			err := yield(incident.HostWindow{IP: c.host.String(), Window: first + c.window, BytesOut: at.sent, Unseen: at.measured == 0})
			if err != nil {
				return err
			}
		}
		first += count
	}
	return nil
}

// HostServices implements [integrations.Census]. When the cluster sums, First and Last are of stamps.
func (s *Store) HostServices(ctx context.Context, q integrations.CensusQuery, yield func(incident.HostService) error) error {
	const op = "read what left by service"
	own, err := flowmath.CensusBounds(op, q)
	if err != nil {
		return err
	}
	views, names, few, err := s.leaving(ctx, op, own, q)
	if err != nil {
		return err
	}
	if few {
		return eachOf(flowmath.HostServices(views, q.From, q.To, func(sensor uint64) string { return names[sensor] }), yield)
	}
	return s.services(ctx, op, own, own, q, yield)
}

func eachOf[T any](list []T, yield func(T) error) error {
	for _, one := range list {
		if err := yield(one); err != nil {
			return err
		}
	}
	return nil
}

// services has the cluster sum what left hosts of some of the networks; where that is too much for one
// answer, half of them at a time.
func (s *Store) services(ctx context.Context, op string, some, own flowmath.Networks, q integrations.CensusQuery, yield func(incident.HostService) error) error {
	lines, err := s.lines(ctx, op, func(e end) query { return s.left(some, own, e, q.From, q.To) }, true)
	if a, b, ok := halves(some); errors.Is(err, errGroups) && ok {
		if err := s.services(ctx, op, a, own, q, yield); err != nil {
			return err
		}
		return s.services(ctx, op, b, own, q, yield)
	}
	if err != nil {
		return err
	}
	return eachOf(servicesOf(lines, q.From, q.To), yield)
}

// halves divides networks in two, without what is in several; false where there is a single address left.
func halves(some flowmath.Networks) (a, b flowmath.Networks, ok bool) {
	if len(some) > 1 {
		return some[:len(some)/2], some[len(some)/2:], true
	}
	p := some[0]
	if p.IsSingleIP() {
		return nil, nil, false
	}
	bytes, bit := p.Addr().AsSlice(), p.Bits()
	bytes[bit/8] |= 0x80 >> (bit % 8)
	upper, _ := netip.AddrFromSlice(bytes)
	return flowmath.Networks{netip.PrefixFrom(p.Addr(), bit+1)}, flowmath.Networks{netip.PrefixFrom(upper, bit+1)}, true
}

// servicesOf sums the lines of each service of a host, to all its peers.
func servicesOf(lines map[line]flowmath.Exchange, from, to time.Time) []incident.HostService {
	sensors := map[line][]string{}
	for at := range lines {
		of := at.service()
		if !slices.Contains(sensors[of], at.sensor) {
			sensors[of] = append(sensors[of], at.sensor)
		}
	}
	sums := map[line]*incident.HostService{}
	for at, x := range fullest(lines) {
		of := at.service()
		sum := sums[of]
		if sum == nil {
			sum = &incident.HostService{
				IP: at.host.String(), Port: int64(at.Port), Transport: at.Transport, Opened: at.Opened, Unseen: true, Sensors: sensors[of],
				First: to.UTC(), Last: from.UTC(),
			}
			slices.Sort(sum.Sensors)
			sums[of] = sum
		}
		addTo(sum, at.Peer, x, from, to)
	}
	services := make([]incident.HostService, 0, len(sums))
	for _, sum := range sums {
		services = append(services, *sum)
	}
	return services
}

// service is the line without the sensor and the peer.
func (l line) service() line {
	l.sensor, l.Peer = "", netip.Addr{}
	return l
}

// addTo adds what the host exchanged with one peer.
func addTo(sum *incident.HostService, with netip.Addr, x flowmath.Exchange, from, to time.Time) {
	sum.BytesOut, sum.BytesIn = flowmath.Add(sum.BytesOut, x.Sent), flowmath.Add(sum.BytesIn, x.Received)
	sum.PacketsOut, sum.Flows = flowmath.Add(sum.PacketsOut, x.Packets), sum.Flows+x.Flows
	sum.Unseen = sum.Unseen && x.Measured == 0
	sum.Peers++
	if peer := with.String(); sum.Peer == "" || x.Sent > sum.PeerBytes || x.Sent == sum.PeerBytes && peer < sum.Peer {
		sum.Peer, sum.PeerBytes = peer, x.Sent
	}
	// Stamps are cut to milliseconds, and the ends of the window need not be.
	within := func(at int64) time.Time {
		return time.Unix(0, min(max(at, from.UnixNano()), to.UnixNano())).UTC()
	}
	if first := within(x.First); first.Before(sum.First) {
		sum.First = first
	}
	if last := within(x.Last); last.After(sum.Last) {
		sum.Last = last
	}
}

// leaving returns the flows that left, not yet each once, with the names of their sensors, or false when
// there are too many to read.
func (s *Store) leaving(ctx context.Context, op string, own flowmath.Networks, q integrations.CensusQuery) ([]flowmath.View, map[uint64]string, bool, error) {
	var any []query
	for _, e := range s.layout.ends() {
		any = append(any, allOf(append([]query{e.leaves(own, own)}, e.with...)...))
	}
	records, few, err := s.records(ctx, op, anyOf(any...), q.From, q.To)
	if err != nil || !few {
		return nil, nil, false, err
	}
	var sensors flowmath.Sensors
	var views []flowmath.View
	names := map[uint64]string{}
	for i := range records {
		r := &records[i]
		number := sensors.Number(r.Sensor)
		if v, left := own.Outgoing(r, number); left && v.Overlaps(q.From.UnixNano(), q.To.UnixNano()) {
			names[number] = r.Sensor
			views = append(views, v)
		}
	}
	return views, names, true, nil
}

// left selects the records at one end that are summed, of hosts of some networks.
func (s *Store) left(some, own flowmath.Networks, e end, from, to time.Time) query {
	all := append([]query{s.layout.records(), s.layout.stamped(from, to), e.leaves(some, own)}, e.with...)
	if s.layout.id != "" {
		all = append(all, s.layout.last)
	}
	return allOf(all...)
}

// leaves selects the records at one end that have a host of some networks there, and at the other neither a
// host of one's own nor an address that does not leave, see [flowmath.Networks.Leaves].
func (e end) leaves(some, own flowmath.Networks) query {
	peers := inNetworks(e.peer, own)
	for _, near := range []string{
		"224.0.0.0/4", "255.255.255.255", "169.254.0.0/16", "127.0.0.0/8", "0.0.0.0", "ff00::/8", "fe80::/10", "::1", "::",
	} {
		peers = append(peers, term(e.peer, near))
	}
	return allOf(anyOf(inNetworks(e.own, some)...), query{Exists: &field{Field: e.peer}}, not(anyOf(peers...)))
}

func inNetworks(field string, networks flowmath.Networks) []query {
	var any []query
	for _, n := range networks {
		any = append(any, term(field, n.String()))
	}
	return any
}
