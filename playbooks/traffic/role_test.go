package traffic

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// peers returns n peers that share the given totals equally.
func peers(n int, format string, p Peer) []Peer {
	out := make([]Peer, n)
	for i := range out {
		q := p
		q.IP = fmt.Sprintf(format, i+1)
		q.BytesOut, q.BytesIn = p.BytesOut/int64(n), p.BytesIn/int64(n)
		q.PacketsOut, q.Flows = p.PacketsOut/int64(n), p.Flows/int64(n)
		out[i] = q
	}
	return out
}

func TestClassify(t *testing.T) {
	dns := Peer{Port: 53, Transport: "udp"}
	with := func(p Peer, out, in, packets, flows int64) Peer {
		p.BytesOut, p.BytesIn, p.PacketsOut, p.Flows = out, in, packets, flows
		return p
	}
	answering := func(port int, transport string) Peer {
		return Peer{Port: port, Transport: transport, Answering: true}
	}
	one := func(ip string, port int, transport string, p Peer) []Peer {
		p.IP, p.Port, p.Transport = ip, port, transport
		return []Peer{p}
	}
	minute := time.Minute
	for _, c := range []struct {
		name   string
		active time.Duration
		peers  []Peer
		want   incident.Role
	}{
		{"nothing", minute, nil, incident.UnknownRole},
		{"requests to open resolvers, nothing back", minute, peers(200, "198.51.100.%d", with(dns, 600e3, 0, 10e3, 10e3)), incident.Requester},
		{"attacker's reflectors in RFC 1918 space", minute, peers(200, "192.168.7.%d", with(dns, 600e3, 0, 10e3, 10e3)), incident.Requester},
		{"a resolver that is answered", minute, peers(200, "198.51.100.%d", with(dns, 600e3, 1200e3, 10e3, 10e3)), incident.UnknownRole},
		{"a cold cache: 838 queries to two resolvers", 408 * time.Second, peers(2, "198.51.100.%d", with(dns, 58e3, 120e3, 838, 838)), incident.UnknownRole},
		{"a cold cache without answers seen", 408 * time.Second, peers(15, "198.51.100.%d", with(dns, 58e3, 0, 838, 838)), incident.UnknownRole},
		{"a forwarder: 142 a minute to 15 addresses", minute, peers(15, "198.51.100.%d", with(dns, 10e3, 20e3, 142, 142)), incident.UnknownRole},
		{"a burst of 999 unanswered queries is too small", time.Second, peers(99, "198.51.100.%d", with(dns, 60e3, 0, 999, 999)), incident.UnknownRole},
		{"many browsers' QUIC", minute, peers(200, "198.51.100.%d", with(Peer{Port: 443, Transport: "udp"}, 900e3, 0, 9e3, 400)), incident.UnknownRole},
		{"a port that only one list names", minute, peers(200, "198.51.100.%d", with(Peer{Port: 7001, Transport: "udp"}, 600e3, 0, 10e3, 10e3)), incident.UnknownRole},
		{"a domain controller answers spoofed CLDAP", minute, peers(50, "198.51.100.%d", with(answering(389, "udp"), 60e6, 1e6, 60e3, 20e3)), incident.Reflector},
		{"a domain controller answers its clients", minute, peers(200, "198.51.100.%d", with(answering(389, "udp"), 174e4, 207e4, 1e4, 1e4)), incident.UnknownRole},
		{"a web server", minute, peers(200, "198.51.100.%d", with(answering(443, "udp"), 60e6, 1e6, 60e3, 20e3)), incident.UnknownRole},
		{"a udp flood in one flow", 40 * time.Second, one("203.0.113.9", 27015, "udp", with(dns, 400e6, 0, 400e3, 1)), incident.Flooder},
		{"a storm of connections", minute, one("203.0.113.9", 443, "tcp", with(dns, 6e6, 9e6, 60e3, 12e3)), incident.Flooder},
		{"a speed test: 133 MB in 40 s, acknowledged", 40 * time.Second, one("217.75.208.140", 8080, "tcp", with(dns, 133e6, 2e6, 92e3, 12)), incident.Transfer},
		{"exfiltration into RFC 1918 space", time.Second, one("192.168.0.4", 80, "tcp", with(dns, 2181167, 44370, 582, 1)), incident.Transfer},
		{"a backup inside the own subnet", minute, one("10.0.1.9", 445, "tcp", with(dns, 900e6, 20e6, 600e3, 1)), incident.Transfer},
		{"a chat inside the own subnet", minute, one("10.0.1.9", 445, "tcp", with(dns, 9e3, 9e3, 60, 1)), incident.Discovery},
		{"mDNS", minute, one("224.0.0.251", 5353, "udp", with(dns, 2330, 0, 35, 1)), incident.Discovery},
		{"much multicast", minute, one("239.1.1.1", 5004, "udp", with(dns, 900e6, 0, 700e3, 1)), incident.Discovery},
		{"NetBIOS broadcast", minute, one("10.0.1.255", 137, "udp", with(dns, 229, 0, 1, 1)), incident.Discovery},
		{"limited broadcast", minute, one("255.255.255.255", 10001, "udp", with(dns, 32, 0, 1, 1)), incident.Discovery},
		{"link-local", minute, one("fe80::1", 5355, "udp", with(dns, 232, 0, 3, 1)), incident.Discovery},
		{"one web page", minute, one("203.0.113.9", 443, "tcp", with(dns, 9e3, 90e3, 60, 1)), incident.UnknownRole},
		{"an invalid address does not count as noise", minute, one("gone", 443, "tcp", with(dns, 9e6, 90e3, 60, 1)), incident.Transfer},
	} {
		t.Run(c.name, func(t *testing.T) {
			shape := Shape{Host: []string{"10.0.1.4", "fe80::9"}, Active: c.active, Peers: c.peers}
			for range 5 {
				if got := Classify(shape, DefaultRoleLimits()); got != c.want {
					t.Fatalf("role is %s, want %s", got, c.want)
				}
				rand.Shuffle(len(c.peers), func(i, j int) { c.peers[i], c.peers[j] = c.peers[j], c.peers[i] })
			}
		})
	}
}

func TestResolverRolesAreShippedRoles(t *testing.T) {
	for _, role := range ResolverRoles() {
		if got, _ := incident.AssetRoles().Word(role); got != role {
			t.Errorf("%s is read as %q", role, got)
		}
	}
}
