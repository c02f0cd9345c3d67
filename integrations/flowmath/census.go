package flowmath

import (
	"net/netip"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// CensusBounds reads a query for what left. The error is an invalid one.
func CensusBounds(op string, q integrations.CensusQuery) (Networks, error) {
	own, _, err := HostsBounds(op, integrations.HostsQuery{From: q.From, To: q.To, Networks: q.Networks})
	return own, err
}

// CensusWindows is [CensusBounds] with the number of windows of a length.
func CensusWindows(op string, q integrations.CensusQuery, each time.Duration) (Networks, int, error) {
	own, err := CensusBounds(op, q)
	if err != nil {
		return nil, 0, err
	}
	n := (q.To.Sub(q.From) + each - 1) / max(each, 1)
	if each < time.Minute || n > MaxWindows {
		return nil, 0, integrations.Errorf(integrations.Invalid, op, "windows of %s from %s to %s: want a minute at least, and %d at most",
			each, q.From.Format(time.RFC3339), q.To.Format(time.RFC3339), MaxWindows)
	}
	return own, int(n), nil
}

// Leaves reports whether what an own host sends to the peer leaves the networks.
func (n Networks) Leaves(peer netip.Addr) bool {
	return !n.Has(peer) && !peer.IsMulticast() && !peer.IsLinkLocalUnicast() && !peer.IsLoopback() && !peer.IsUnspecified() &&
		peer != netip.AddrFrom4([4]byte{255, 255, 255, 255})
}

// Outgoing returns the record as seen from its own end, if exactly one is and the other is outside.
func (n Networks) Outgoing(r *Record, sensor uint64) (View, bool) {
	source, destination := n.Has(r.Src), n.Has(r.Dst)
	switch {
	case source && n.Leaves(r.Dst):
		return ViewOf(r, true, sensor), true
	case destination && n.Leaves(r.Src):
		return ViewOf(r, false, sensor), true
	}
	return View{}, false
}

// HostServices sums views of one or many hosts by host and service. The views are of [from, to), not yet
// through [Distinct], which this does; name returns the names of sensors.
func HostServices(views []View, from, to time.Time, name func(sensor uint64) string) []incident.HostService {
	sums := NewServiceSums(from, to)
	for i := range views {
		sums.Seen(&views[i], name(views[i].Sensor))
	}
	for _, v := range Distinct(views) {
		sums.Add(&v)
	}
	return sums.Services()
}

// ServiceSums sums flows of many hosts by host and service, one after the other, in memory for each
// service of a host and each of its peers.
type ServiceSums struct {
	from, to int64
	sensors  map[hostService][]string
	sums     map[hostService]*serviceSum
	peers    int
}

// hostService is a service of one host, to all peers.
type hostService struct {
	local     netip.Addr
	port      uint16
	transport string
	opened    bool
}

func (v *View) hostService() hostService {
	s := v.service(v.Opened)
	return hostService{v.Local, s.Port, s.Transport, s.Opened}
}

// NewServiceSums returns the empty sums of [from, to).
func NewServiceSums(from, to time.Time) *ServiceSums {
	return &ServiceSums{
		from: from.UnixNano(), to: to.UnixNano(),
		sensors: map[hostService][]string{}, sums: map[hostService]*serviceSum{},
	}
}

// Seen notes that the sensor saw some of the flow: of each record, before [Distinct].
func (s *ServiceSums) Seen(v *View, sensor string) {
	k := v.hostService()
	if !slices.Contains(s.sensors[k], sensor) {
		s.sensors[k] = append(s.sensors[k], sensor)
	}
}

// Add counts a flow: once, after [Distinct].
func (s *ServiceSums) Add(v *View) {
	k := v.hostService()
	at := s.sums[k]
	if at == nil {
		at = &serviceSum{peers: map[netip.Addr]int64{}, first: 1<<63 - 1}
		s.sums[k] = at
	}
	before := len(at.peers)
	at.add(v, s.from, s.to)
	s.peers += len(at.peers) - before
}

// Size is how many peers of services are held in memory.
func (s *ServiceSums) Size() int { return s.peers }

// Services returns the sums, in no order.
func (s *ServiceSums) Services() []incident.HostService {
	services := make([]incident.HostService, 0, len(s.sums))
	for k, at := range s.sums {
		one := at.service()
		one.IP, one.Port, one.Transport, one.Opened, one.Sensors = k.local.String(), int64(k.port), k.transport, k.opened, s.sensors[k]
		slices.Sort(one.Sensors)
		services = append(services, one)
	}
	return services
}

// serviceSum sums one service of one host.
type serviceSum struct {
	incident.HostService
	peers       map[netip.Addr]int64
	first, last int64
	measured    bool
}

func (s *serviceSum) add(v *View, from, to int64) {
	share := func(n int64) int64 { return v.Share(n, from, to) }
	s.Flows++
	s.BytesIn = Add(s.BytesIn, share(v.Received))
	s.first, s.last = min(s.first, max(v.Start, from)), max(s.last, min(v.End, to))
	sent := int64(0)
	if v.Measured {
		sent, s.measured = share(v.Sent), true
		s.PacketsOut = Add(s.PacketsOut, share(max(0, v.Packets)))
	}
	s.BytesOut = Add(s.BytesOut, sent)
	s.peers[v.Remote] = Add(s.peers[v.Remote], sent)
}

func (s *serviceSum) service() incident.HostService {
	one := s.HostService
	one.Unseen, one.Peers = !s.measured, int64(len(s.peers))
	one.First, one.Last = time.Unix(0, s.first).UTC(), time.Unix(0, s.last).UTC()
	for peer, bytes := range s.peers {
		if one.Peer == "" || bytes > one.PeerBytes || bytes == one.PeerBytes && peer.String() < one.Peer {
			one.Peer, one.PeerBytes = peer.String(), bytes
		}
	}
	return one
}

// HostWindows divides views of one or many hosts, which went through [Distinct], over windows of a length.
func HostWindows(views []View, from time.Time, each time.Duration, windows int) []incident.HostWindow {
	sums := NewWindowSums(from, each, windows)
	for i := range views {
		sums.Add(&views[i])
	}
	return sums.Windows()
}

// WindowSums sums flows of many hosts by host and window, one after the other, in memory for each
// window of each host.
type WindowSums struct {
	empty  Windows
	byHost map[netip.Addr]*Windows
}

// NewWindowSums returns the empty sums of windows of a length from a time on.
func NewWindowSums(from time.Time, each time.Duration, windows int) *WindowSums {
	return &WindowSums{Windows{from.UnixNano(), int64(each), make([]window, windows)}, map[netip.Addr]*Windows{}}
}

// Add divides a flow, which went through [Distinct], over the windows.
func (s *WindowSums) Add(v *View) {
	w := s.byHost[v.Local]
	if w == nil {
		w = s.empty.Empty()
		s.byHost[v.Local] = w
	}
	if v.Measured {
		w.Spread(v, 1, 0)
	} else {
		// Also a record of what the host received, of which it is not known whether it was answered.
		w.Spread(v, 0, 1)
	}
}

// Size is how many windows are held in memory.
func (s *WindowSums) Size() int { return len(s.byHost) * len(s.empty.windows) }

// Windows returns the windows in which there are flows, in no order; they are numbered from 0.
func (s *WindowSums) Windows() []incident.HostWindow {
	var list []incident.HostWindow
	for a, w := range s.byHost {
		for i, at := range w.windows {
			if at.measured > 0 || at.oneWay > 0 {
				list = append(list, incident.HostWindow{IP: a.String(), Window: i, BytesOut: at.bytes, Unseen: at.measured == 0})
			}
		}
	}
	return list
}
