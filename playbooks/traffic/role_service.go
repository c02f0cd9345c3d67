package traffic

import (
	"net/netip"
	"time"
)

// bitTorrent is the port on which file sharers listen by default. Its name
// service amplifies, and over the same port and transport pass the files.
const bitTorrent = 6881

// filePacket is the mean size of packets from [bitTorrent] above which they are
// files: its name service answers with eight nodes, which are below 600 bytes.
const filePacket = 1200

// service is the traffic of one amplification port, or of several together.
type service struct {
	// sums are of external peers.
	sums
	// external and own are the peers outside of the own subnets and inside.
	external, own map[string]exchange
}

// exchange is the traffic to a peer and back.
type exchange struct{ out, in int64 }

func (s *service) count(p *Peer, own bool, active time.Duration) {
	peers := &s.own
	if !own {
		s.add(p, active)
		peers = &s.external
	}
	if *peers == nil {
		*peers = map[string]exchange{}
	}
	of := (*peers)[p.IP]
	(*peers)[p.IP] = exchange{of.out + p.BytesOut, of.in + p.BytesIn}
}

// answered is the share of the peers that send back more than a part of what
// they got. Those of the own subnets count the same.
func (s *service) answered(back float64) float64 {
	answering := 0
	for _, peers := range []map[string]exchange{s.external, s.own} {
		for _, p := range peers {
			if float64(p.in) > back*float64(p.out) {
				answering++
			}
		}
	}
	return float64(answering) / float64(max(1, len(s.external)+len(s.own)))
}

// driven reports whether the service is used by many peers and faster than any
// benign client or server of it was seen.
func (s *service) driven(peers int, packets, rate int64) bool {
	return len(s.external) >= peers && s.packets >= packets && float64(s.packets) >= float64(rate)*s.seconds()
}

// inAll adds up the services that fit.
func inAll(services map[ServicePort]*service, fits func(ServicePort, *service) bool) *service {
	var fitting []*service
	for port, s := range services {
		if len(s.external) > 0 && fits(port, s) {
			fitting = append(fitting, s)
		}
	}
	if len(fitting) == 1 {
		return fitting[0]
	}
	all := &service{external: map[string]exchange{}}
	for _, s := range fitting {
		all.merge(&s.sums)
		for ip, p := range s.external {
			of := all.external[ip]
			all.external[ip] = exchange{of.out + p.out, of.in + p.in}
		}
	}
	return all
}

// serve counts traffic of an amplification port. Only over udp can the source be
// forged; over tcp that takes a middlebox on the open internet, while a directory
// server answers its clients all day.
func (t *tally) serve(p *Peer, addr netip.Addr, own bool) {
	services := t.asks
	switch {
	case !p.Answering && p.Transport == "udp":
	case p.Answering && !own && p.BytesIn > 0 && (p.Transport == "udp" || !addr.IsPrivate()):
		services = t.answers
	default:
		return
	}
	port := ServicePort{p.Port, p.Transport}
	s, ok := services[port]
	if !ok {
		s = &service{}
		services[port] = s
	}
	s.count(p, own, t.active)
}

// requests leaves out the services that are used and not driven: their packets are
// too large for requests, or their servers answer, and those that do not are
// unreachable.
func (t *tally) requests() bool {
	l := t.limits
	deaf := t.in == 0 && t.unheard > 0
	asks := inAll(t.asks, func(_ ServicePort, s *service) bool {
		return s.size() <= l.RequesterSize && s.answered(l.RequesterBack) <= l.RequesterAnswered
	})
	return !deaf && asks.driven(l.RequesterPeers, l.RequesterPackets, l.RequesterRate) &&
		float64(asks.in) <= l.RequesterBack*float64(asks.out)
}

func (t *tally) reflects() bool {
	l := t.limits
	answers := inAll(t.answers, func(port ServicePort, s *service) bool {
		return port.Port != bitTorrent || s.size() <= filePacket
	})
	return answers.driven(l.ReflectorPeers, l.ReflectorPackets, l.ReflectorRate) &&
		float64(answers.out) >= l.ReflectorGain*float64(answers.in)
}
