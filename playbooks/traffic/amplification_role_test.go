package traffic

import (
	"fmt"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// onPort returns traffic that has the shape of an attack but for its port:
// fast, many external peers, all in one direction.
func onPort(s AmplificationService, answering bool) Shape {
	p := Peer{Port: s.Port, Transport: s.Transport, Answering: answering, PacketsOut: 60e3, Flows: 20e3}
	p.BytesOut, p.BytesIn = 6e6, 0
	if answering {
		p.BytesOut, p.BytesIn = 60e6, 1e6
	}
	return Shape{Host: []string{"10.0.1.4"}, Active: time.Minute, Peers: peers(200, "198.51.100.%d", p)}
}

// TestOnlyEvidentServicesMakeARole walks the whole shipped table, so that a new
// row cannot drive an automatic action unnoticed. Policies act by themselves on
// the roles requester and reflector, and rows of confidence C are on one list.
func TestOnlyEvidentServicesMakeARole(t *testing.T) {
	everybody := map[int]bool{80: true, 443: true, 1194: true} // browsers and VPN clients
	counted := map[string]int{}
	for _, s := range AmplificationTable() {
		evident := s.Confidence != "C" && !everybody[s.Port]
		if got := Amplifies(s.Port, s.Transport); got != evident {
			t.Errorf("%d/%s, confidence %s: Amplifies is %v", s.Port, s.Transport, s.Confidence, got)
		}
		want := map[incident.Role]bool{incident.Requester: evident && s.Transport == "udp", incident.Reflector: evident}
		for role, fits := range want {
			got := Classify(onPort(s, role == incident.Reflector), DefaultRoleLimits())
			if fits != (got == role) || !fits && got != incident.UnknownRole {
				t.Errorf("%d/%s, confidence %s: the shape of a %s is %s", s.Port, s.Transport, s.Confidence, role, got)
			}
		}
		counted[s.Confidence]++
	}
	for _, class := range []string{"A", "B", "C"} {
		if counted[class] == 0 {
			t.Errorf("the table has no row of confidence %s, so nothing was tried", class)
		}
	}
}

// Rows of confidence C do not count together with others either: neither their peers
// nor their packets lift something small over a threshold.
func TestUnevidentServicesAddNothing(t *testing.T) {
	l := DefaultRoleLimits()
	few := peers(l.RequesterPeers-1, "198.51.100.%d", Peer{Port: 53, Transport: "udp", BytesOut: 6e6, PacketsOut: 60e3, Flows: 20e3})
	for _, s := range AmplificationTable() {
		if s.Confidence != "C" || s.Transport != "udp" {
			continue
		}
		shape := onPort(s, false)
		shape.Peers = append(shape.Peers, few...)
		if got := Classify(shape, l); got != incident.UnknownRole {
			t.Errorf("19 name servers with 200 peers on %d/%s are a %s", s.Port, s.Transport, got)
		}
	}
}

func TestEveryServiceNamesItsSources(t *testing.T) {
	for _, s := range AmplificationTable() {
		if s.Sources == "" {
			t.Errorf("%d/%s has no source", s.Port, s.Transport)
		}
	}
}

// TestThresholdsAreSharp tries each threshold of the two roles on which
// policies act by themselves: at it the role holds, just below it does not.
func TestThresholdsAreSharp(t *testing.T) {
	l := DefaultRoleLimits()
	shape := func(n int, p Peer, active time.Duration) Shape {
		s := Shape{Host: []string{"10.0.1.4"}, Active: active}
		for i := range n {
			p.IP = fmt.Sprintf("198.51.%d.%d", 100+i/250, 1+i%250)
			s.Peers = append(s.Peers, p)
		}
		return s
	}
	ask := Peer{Port: 123, Transport: "udp", BytesOut: 4000, PacketsOut: 50, Flows: 50}
	answer := Peer{Port: 123, Transport: "udp", Answering: true, BytesOut: 50_000, BytesIn: 10_000, PacketsOut: 50, Flows: 50}
	with := func(p Peer, change func(*Peer)) Peer { change(&p); return p }
	second := time.Second
	answered := func(n int) Shape {
		s := shape(20, ask, second)
		for i := range n {
			s.Peers[i].BytesIn = 2001
		}
		return s
	}
	for _, c := range []struct {
		name         string
		at, below    Shape
		want, except incident.Role
	}{
		{"peers of a requester", shape(l.RequesterPeers, ask, second), shape(l.RequesterPeers-1, with(ask, func(p *Peer) { p.PacketsOut = 53 }), second), incident.Requester, incident.UnknownRole},
		{"packets of a requester", shape(20, ask, second), shape(20, with(ask, func(p *Peer) { p.PacketsOut = 49 }), second), incident.Requester, incident.UnknownRole},
		{"rate of a requester", shape(20, ask, 20*second), shape(20, ask, 20*second+500*time.Millisecond), incident.Requester, incident.UnknownRole},
		{"what comes back to a requester", shape(20, with(ask, func(p *Peer) { p.BytesIn = 2000 }), second), shape(20, with(ask, func(p *Peer) { p.BytesIn = 2001 }), second), incident.Requester, incident.UnknownRole},
		{"size of a request", shape(20, with(ask, func(p *Peer) { p.BytesOut = 50 * 512 }), second), shape(20, with(ask, func(p *Peer) { p.BytesOut = 50 * 513 }), second), incident.Requester, incident.UnknownRole},
		{"answering hosts among those that a requester asks", answered(4), answered(5), incident.Requester, incident.UnknownRole},
		{"peers of a reflector", shape(l.ReflectorPeers, answer, second), shape(l.ReflectorPeers-1, with(answer, func(p *Peer) { p.PacketsOut = 53 }), second), incident.Reflector, incident.UnknownRole},
		{"gain of a reflector", shape(20, answer, second), shape(20, with(answer, func(p *Peer) { p.BytesIn = 10_001 }), second), incident.Reflector, incident.UnknownRole},
		{"rate of a reflector", shape(20, answer, 20*second), shape(20, answer, 20*second+500*time.Millisecond), incident.Reflector, incident.UnknownRole},
	} {
		if got := Classify(c.at, l); got != c.want {
			t.Errorf("%s: at the threshold the role is %s, want %s", c.name, got, c.want)
		}
		if got := Classify(c.below, l); got != c.except {
			t.Errorf("%s: above the threshold the role is %s, want %s", c.name, got, c.except)
		}
	}
}

// The same address in IPv4 and mapped into IPv6 is the same place.
func TestMappedAddressesAreSeenThrough(t *testing.T) {
	chat := Peer{Port: 445, Transport: "tcp", BytesOut: 9e3, BytesIn: 9e3, PacketsOut: 60, Flows: 1}
	for _, ip := range []string{"::ffff:255.255.255.255", "::ffff:10.0.1.255", "::ffff:239.1.1.1", "::ffff:10.0.1.9"} {
		chat.IP = ip
		shape := Shape{Host: []string{"::ffff:10.0.1.4"}, Active: time.Minute, Peers: []Peer{chat}}
		if got := Classify(shape, DefaultRoleLimits()); got != incident.Discovery {
			t.Errorf("traffic to %s is %s, want %s", ip, got, incident.Discovery)
		}
	}
}
