package traffic

import (
	"fmt"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// of returns a shape of one host.
func of(active time.Duration, groups ...[]Peer) Shape {
	s := Shape{Host: []string{"10.0.1.4", "fd00:0:10:1::4"}, Active: active}
	for _, g := range groups {
		s.Peers = append(s.Peers, g...)
	}
	return s
}

func single(ip string, p Peer) []Peer {
	p.IP = ip
	return []Peer{p}
}

// Traffic that a sensor did not see is no evidence against a host.
func TestTheUnseenIsNoEvidence(t *testing.T) {
	quarter := 15 * time.Minute
	upload := Peer{Port: 8080, Transport: "tcp", BytesOut: 133e6, PacketsOut: 92e3, Flows: 12}
	page := Peer{Port: 443, Transport: "tcp", BytesOut: 60e3, PacketsOut: 60, Flows: 2}
	acked := upload
	acked.BytesIn = 2e6
	asks := Peer{Port: 53, Transport: "udp", BytesOut: 6e6, PacketsOut: 90e3, Flows: 90e3}
	answers := Peer{Port: 53, Transport: "udp", Answering: true, BytesOut: 60e6, PacketsOut: 90e3, Flows: 90e3}
	questioned := answers
	questioned.BytesIn = 6e6
	flood := Peer{Port: 27015, Transport: "udp", BytesOut: 400e6, PacketsOut: 400e3, Flows: 1}
	syn := Peer{Port: 443, Transport: "tcp", BytesOut: 4e6, PacketsOut: 100e3, Flows: 1000}
	for _, c := range []struct {
		name  string
		shape Shape
		want  incident.Role
	}{
		{"an upload whose acknowledgements were not captured", of(40*time.Second, single("217.75.208.140", upload)), incident.Transfer},
		{"the same over IPv6", of(40*time.Second, single("2a00:1028::1", upload)), incident.Transfer},
		{"the same, captured both ways", of(40*time.Second, single("217.75.208.140", acked)), incident.Transfer},
		{"bare segments without answers", of(40*time.Second, single("203.0.113.9", syn)), incident.Flooder},
		{"a udp flood with such an upload", of(40*time.Second, single("203.0.113.9", flood), single("198.51.100.1", upload)), incident.Flooder},
		{"a resolver of which only the questions are captured, as a form that was sent shows", of(quarter, peers(200, "198.51.100.%d", asks), single("203.0.113.9", page)), incident.UnknownRole},
		{"the same where something came back from others", of(quarter, peers(200, "198.51.100.%d", asks), single("203.0.113.9", acked)), incident.Requester},
		{"a name server of which only the answers are captured", of(quarter, peers(200, "198.51.100.%d", answers)), incident.UnknownRole},
		{"one that is abused", of(quarter, peers(200, "198.51.100.%d", questioned)), incident.Reflector},
		{"nineteen that ask, and answers without questions", of(quarter, peers(19, "198.51.100.%d", questioned), peers(200, "203.0.113.%d", answers)), incident.UnknownRole},
	} {
		if got := Classify(c.shape, DefaultRoleLimits()); got != c.want {
			t.Errorf("%s is %s, want %s", c.name, got, c.want)
		}
	}
}

// Flows to outside whose volume was not seen are not "everything stays in the own
// subnet", and the peer that got most of the seen traffic need not have got most.
func TestUnseenVolumeIsNoNothing(t *testing.T) {
	minute := time.Minute
	answered := Peer{Port: 443, Transport: "tcp", BytesIn: 100_000, Flows: 1}
	told := answered
	told.Answering, told.Unseen = true, 1
	blind := Peer{Port: 443, Transport: "tcp", Flows: 1, Unseen: 1}
	scanned := Peer{Port: 445, Transport: "tcp", Answering: true, BytesIn: 44, Flows: 1}
	download := Peer{Port: 443, Transport: "tcp", BytesIn: 900e6, Flows: 6, Unseen: 6}
	netbios := single("10.0.1.255", Peer{Port: 137, Transport: "udp", BytesOut: 400, PacketsOut: 3, Flows: 1})
	files := single("10.0.1.9", Peer{Port: 445, Transport: "tcp", BytesIn: 40e6, Flows: 1, Unseen: 1})
	theft := single("203.0.113.9", Peer{Port: 443, Transport: "tcp", BytesOut: 90e6, BytesIn: 2e6, PacketsOut: 70e3, Flows: 1})
	flood := single("203.0.113.9", Peer{Port: 27015, Transport: "udp", BytesOut: 400e6, PacketsOut: 400e3, Flows: 1})
	asks := peers(200, "198.51.100.%d", Peer{Port: 53, Transport: "udp", BytesOut: 6e6, PacketsOut: 90e3, Flows: 90e3})
	for _, c := range []struct {
		name  string
		shape Shape
		want  incident.Role
	}{
		{"broadcasts", of(minute, netbios), incident.Discovery},
		{"broadcasts, and a peer outside of which only the answers were seen", of(minute, netbios, single("198.51.100.9", answered)), incident.UnknownRole},
		{"the same, who opened the flow", of(minute, netbios, single("198.51.100.9", told)), incident.UnknownRole},
		{"the same, of which nothing was counted", of(minute, netbios, single("198.51.100.9", blind)), incident.UnknownRole},
		{"broadcasts, and a scan that was not answered", of(minute, netbios, single("198.51.100.9", scanned)), incident.Discovery},
		{"broadcasts, and a file server of which only the answers were seen", of(minute, netbios, files), incident.UnknownRole},
		{"a theft with an unseen question", of(minute, theft, single("198.51.100.9", Peer{Port: 53, Transport: "udp", BytesIn: 200, Flows: 1, Unseen: 1})), incident.Transfer},
		{"a theft and two downloads whose other direction was not seen", of(minute, theft, peers(2, "198.51.100.%d", download)), incident.Transfer},
		{"a theft and three of them", of(minute, theft, peers(3, "198.51.100.%d", download)), incident.UnknownRole},
		{"a theft and flows that were not counted", of(minute, theft, peers(20, "198.51.100.%d", Peer{Port: 443, Transport: "tcp", Flows: 20, Unseen: 20})), incident.UnknownRole},
		{"a flood with an unseen question", of(40*time.Second, flood, single("198.51.100.9", Peer{Port: 53, Transport: "udp", BytesIn: 200, Flows: 1, Unseen: 1})), incident.Flooder},
		{"a flood and flows that were not counted", of(40*time.Second, flood, peers(5, "198.51.100.%d", Peer{Port: 443, Transport: "tcp", Flows: 5, Unseen: 5})), incident.UnknownRole},
		{"requests with them are requests", of(minute, asks, single("203.0.113.9", blind)), incident.Requester},
	} {
		if got := Classify(c.shape, DefaultRoleLimits()); got != c.want {
			t.Errorf("%s is %s, want %s", c.name, got, c.want)
		}
	}
}

// A forwarder with one upstream server asks it a hundred times a second, and a
// directory answers its clients all day: neither is an attack.
func TestServiceIsNoAttack(t *testing.T) {
	minute := time.Minute
	forwarder := Peer{Port: 53, Transport: "udp", BytesOut: 960e3, BytesIn: 2e6, PacketsOut: 12e3, Flows: 12e3}
	burst := Peer{Port: 53, Transport: "udp", BytesOut: 9e3, BytesIn: 20e3, PacketsOut: 120, Flows: 120}
	directory := Peer{Port: 389, Transport: "tcp", Answering: true, BytesOut: 90e6, BytesIn: 3e6, PacketsOut: 90e3, Flows: 3e3}
	page := Peer{Port: 443, Transport: "tcp", BytesOut: 90e3, BytesIn: 2e6, PacketsOut: 900, Flows: 150, Last: time.Second}
	printer := Peer{Port: 161, Transport: "udp", BytesOut: 300e3, BytesIn: 900e3, PacketsOut: 4e3, Flows: 4e3}
	for _, c := range []struct {
		name  string
		shape Shape
		want  incident.Role
	}{
		{"a forwarder with one upstream server", of(minute, single("9.9.9.9", forwarder)), incident.UnknownRole},
		{"a second of it", of(time.Second, single("9.9.9.9", burst)), incident.UnknownRole},
		{"a directory and its clients elsewhere in the company", of(minute, peers(200, "10.9.8.%d", directory)), incident.UnknownRole},
		{"the same over IPv6", of(minute, peers(200, "fd00:0:10:9::%d", directory)), incident.UnknownRole},
		{"a page that opens many connections at once", of(10*minute, single("203.0.113.9", page)), incident.UnknownRole},
		{"printers that are polled", of(minute, peers(80, "10.7.7.%d", printer)), incident.UnknownRole},
	} {
		if got := Classify(c.shape, DefaultRoleLimits()); got != c.want {
			t.Errorf("%s is %s, want %s", c.name, got, c.want)
		}
	}
}

// Other traffic of the host, before or after, neither hides an attack nor makes
// one.
func TestARateIsOverItsOwnTime(t *testing.T) {
	quarter := 15 * time.Minute
	heartbeat := single("203.0.113.250", Peer{Port: 443, Transport: "tcp", BytesOut: 90e3, BytesIn: 90e3, PacketsOut: 900, Flows: 15, Last: quarter})
	attack := Peer{Port: 53, Transport: "udp", BytesOut: 420e3, PacketsOut: 6000, Flows: 6000, First: 13 * time.Minute, Last: 14 * time.Minute}
	if got := Classify(of(quarter, heartbeat, peers(200, "198.51.100.%d", attack)), DefaultRoleLimits()); got != incident.Requester {
		t.Errorf("a minute of 100 queries a second is %s with a heartbeat", got)
	}
	attack.First, attack.Last = 0, quarter
	if got := Classify(of(quarter, heartbeat, peers(200, "198.51.100.%d", attack)), DefaultRoleLimits()); got != incident.UnknownRole {
		t.Errorf("7 queries a second for a quarter of an hour are %s", got)
	}
}

// Diversity counts addresses, not their spellings.
func TestSpellingsAreOnePeer(t *testing.T) {
	ask := Peer{Port: 123, Transport: "udp", BytesOut: 40e3, PacketsOut: 4e3, Flows: 4e3}
	spelled := of(10*time.Second, peers(10, "198.51.100.%d", ask), peers(10, "::ffff:198.51.100.%d", ask),
		peers(9, "2001:db8::%d", ask), peers(9, "2001:0db8:0::%d", ask))
	if got := Classify(spelled, DefaultRoleLimits()); got != incident.UnknownRole {
		t.Errorf("nineteen servers in two spellings each are %s", got)
	}
}

func TestLimitsDecide(t *testing.T) {
	ask := Peer{Port: 53, Transport: "udp", BytesOut: 6e6, PacketsOut: 60e3, Flows: 60e3}
	own := ask
	own.Port = 27960
	shape, ports := of(5*time.Minute, peers(200, "198.51.100.%d", ask)), of(5*time.Minute, peers(200, "198.51.100.%d", own))
	byRole := LimitsByRole{}
	for _, role := range ResolverRoles() {
		if got := Classify(shape, byRole.For(role)); got != incident.UnknownRole {
			t.Errorf("200 queries a second of a %s are %s", role, got)
		}
	}
	for _, role := range []string{"", "workstation", "server", "time"} {
		if got := Classify(shape, byRole.For(role)); got != incident.Requester {
			t.Errorf("200 queries a second of a %q are %s", role, got)
		}
	}
	limits := DefaultRoleLimits()
	limits.Ports = []ServicePort{{27961, "udp"}}
	for name, s := range map[string]Shape{"53": shape, "27960": ports} {
		if got := Classify(s, limits); got != incident.UnknownRole {
			t.Errorf("port %s counts though only 27961 is listed: %s", name, got)
		}
	}
	limits.Ports = append(limits.Ports, ServicePort{27960, "udp"})
	if got := Classify(ports, limits); got != incident.Requester {
		t.Errorf("a listed port does not count: %s", got)
	}
}

func TestServicePorts(t *testing.T) {
	for text, ok := range map[string]bool{
		"53/udp": true, "389/tcp": true, "65535/udp": true, "0/udp": false, "65536/udp": false, "53": false, "53/icmp": false, "-1/udp": false, "": false,
	} {
		var p ServicePort
		if err := p.UnmarshalText([]byte(text)); (err == nil) != ok || ok && fmt.Sprint(p) != text {
			t.Errorf("%q is read as %v, %v", text, p, err)
		}
	}
}
