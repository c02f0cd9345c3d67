package synthetic

import (
	"net/netip"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

// Scenarios returns every scenario. The shapes of attacks follow what the tools
// do, those of the benign ones what was measured on real records: a resolver
// with a cold cache, a forwarding domain controller, an answered speed test.
func Scenarios() []Scenario {
	return slices.Concat(attacks(), transfers(), benign())
}

func attacks() []Scenario {
	return []Scenario{
		{Name: "dns-any", Role: incident.Requester, About: "asks hundreds of open resolvers in a victim's name", draw: asksResolvers},
		{Name: "any-amplifier", Role: incident.Requester, About: "asks the services of one amplification port", draw: asksAnyAmplifier},
		{Name: "requests-behind-office-work", Role: incident.Requester, About: "dns-any while somebody works", draw: func(g *generator) {
			office(g)
			asksResolvers(g)
		}},
		{Name: "udp-flood", Role: incident.Flooder, About: "one stream to one destination, nothing back", draw: floodsOne},
		{Name: "syn-flood", Role: incident.Flooder, About: "connections that are never answered", draw: floodsConnections},
		{Name: "http-flood", Role: incident.Flooder, About: "a storm of connections that are answered", draw: floodsRequests},
		{Name: "open-resolver", Role: incident.Reflector, About: "answers name queries that a victim seems to send", draw: func(g *generator) { reflects(g, 53, 64, 28, 54) }},
		{Name: "cldap-on-a-domain-controller", Role: incident.Reflector, About: "answers CLDAP in addition to its usual clients", draw: func(g *generator) {
			domainController(g)
			reflects(g, 389, 52, 56, 70)
		}},
	}
}

// asksResolvers sends some ten thousand queries; a victim gets the answers.
func asksResolvers(g *generator) {
	resolvers := g.peers(int(g.between(60, 400)))
	perSecond := g.between(120, 400)
	for packets := perSecond * int64(g.Length/time.Second); packets > 0; {
		n := min(packets, g.between(20, 60))
		g.asks(resolvers[g.chance.IntN(len(resolvers))], 53, n, n*g.between(36, 60), 0)
		packets -= n
	}
}

// asksAnyAmplifier draws one of the services that make a role.
func asksAnyAmplifier(g *generator) {
	services := slices.DeleteFunc(traffic.AmplificationTable(), func(s traffic.AmplificationService) bool {
		return s.Transport != "udp" || !traffic.Amplifies(s.Port, s.Transport)
	})
	port := uint16(services[g.chance.IntN(len(services))].Port)
	size, perSecond := g.between(8, 90), g.between(200, 500)
	amplifiers := g.peers(int(g.between(30, 300)))
	for i := range int64(len(amplifiers)) {
		n := perSecond * int64(g.Length/time.Second) / int64(len(amplifiers))
		// A few of them answer to the host: not every network lets its name be forged.
		var in int64
		if i%17 == 0 {
			in = n * size / 4
		}
		g.asks(amplifiers[i], port, n, n*size, in)
	}
}

func floodsOne(g *generator) {
	victim := g.peers(1)[0]
	size := g.between(512, 1400)
	packets := g.between(3000, 30000) * int64(g.Length/time.Second)
	g.flows = append(g.flows, Flow{
		At: g.Begin, Duration: g.Length, Src: g.Host, SrcPort: g.ephemeral(), Dst: victim, DstPort: uint16(g.between(1, 65535)),
		Transport: "udp", Out: packets * size, PacketsOut: packets, State: "S0", History: "D",
	})
	discovers(g)
}

func floodsConnections(g *generator) {
	victim := g.peers(1)[0]
	for i := range g.between(150, 250) * int64(g.Length/time.Second) {
		g.add(Flow{
			Src: g.Host, SrcPort: uint16(1024 + i%60000), Dst: victim, DstPort: 443,
			Transport: "tcp", PacketsOut: 1, State: "S0", History: "S",
		}, 0)
	}
}

func floodsRequests(g *generator) {
	victim := g.peers(1)[0]
	for range g.between(150, 250) * int64(g.Length/time.Second) {
		g.connects(victim, 80, "http", g.spread(420), g.spread(900), time.Second)
	}
	namesAndTime(g)
}

// reflects answers from an amplification port to many victims, with a multiple
// what they seem to ask.
func reflects(g *generator, port uint16, request, low, high int64) {
	victims := g.peers(int(g.between(25, 120)))
	perSecond := g.between(300, 700)
	for _, victim := range victims {
		n := perSecond * int64(g.Length/time.Second) / int64(len(victims))
		in := n * request
		g.answers(victim, port, n, in, in*g.between(low, high))
	}
}

func transfers() []Scenario {
	upload := func(port uint16, service string, low, high int64, most time.Duration) func(*generator) {
		return func(g *generator) {
			out := g.between(low, high)
			g.connects(g.peers(1)[0], port, service, out, out/5000, most)
			discovers(g)
		}
	}
	return []Scenario{
		{Name: "exfiltration", Role: incident.Transfer, About: "one upload of some megabytes in a second", draw: upload(443, "ssl", 2<<20, 40<<20, time.Second)},
		{Name: "speed-test", Role: incident.Transfer, Benign: true, About: "130 MB in under a minute, acknowledged", draw: func(g *generator) {
			server := g.peers(1)[0]
			for range 12 {
				out := g.spread(11e6)
				g.connects(server, 8080, "http", out, out/70, 40*time.Second)
			}
		}},
		{Name: "backup", Role: incident.Transfer, Benign: true, About: "hundreds of megabytes to a server of the own subnet", draw: func(g *generator) {
			out := g.between(200<<20, 900<<20)
			g.connects(g.neighbour(), 445, "smb", out, out/60, g.Length)
			namesAndTime(g)
		}},
	}
}

func benign() []Scenario {
	return []Scenario{
		{Name: "discovery", Role: incident.Discovery, Benign: true, About: "mDNS, SSDP, LLMNR, NetBIOS and the own subnet", draw: discovers},
		{Name: "office-work", Role: incident.UnknownRole, Benign: true, About: "web pages, mail, names and time", draw: office},
		{Name: "cold-cache", Role: incident.UnknownRole, Benign: true, About: "a stub resolver asks 14 times a second", draw: func(g *generator) {
			for _, resolver := range g.peers(2) {
				for range 7 * int64(g.Length/time.Second) {
					g.asks(resolver, 53, 1, g.between(30, 60), g.spread(180))
				}
			}
		}},
		{Name: "resolver", Role: incident.UnknownRole, Benign: true, About: "asks name servers everywhere and is answered", draw: func(g *generator) {
			servers := g.peers(int(g.between(100, 400)))
			for range 120 * int64(g.Length/time.Second) {
				// Some name servers are down: not every query is answered.
				in := g.spread(160)
				if g.chance.IntN(8) == 0 {
					in = 0
				}
				g.asks(servers[g.chance.IntN(len(servers))], 53, 1, g.between(30, 60), in)
			}
		}},
		{Name: "domain-controller", Role: incident.UnknownRole, Benign: true, About: "answers its clients and forwards names", draw: domainController},
		{Name: "peer-to-peer", Role: incident.UnknownRole, Benign: true, About: "a DHT client asks hundreds of peers", draw: func(g *generator) {
			for _, peer := range g.peers(int(g.between(200, 500))) {
				n := g.between(10, 30)
				var in int64
				if g.chance.IntN(3) > 0 {
					in = n * g.between(200, 320)
				}
				g.asks(peer, 6881, n, n*g.between(95, 110), in)
			}
		}},
		{Name: "video-call", Role: incident.UnknownRole, Benign: true, About: "media to relays, both ways, during office work", draw: func(g *generator) {
			office(g)
			for _, relay := range g.peers(5) {
				out := g.spread(200e3)
				g.asks(relay, 3478, packetsOf(out)*2, out, g.spread(400e3))
			}
		}},
	}
}

// office is somebody at work: the bytes go to many places.
func office(g *generator) {
	for _, site := range g.peers(int(g.between(30, 60))) {
		g.connects(site, 443, "ssl", g.between(20e3, 40e3), g.spread(300e3), 10*time.Second)
		g.asks(site, 443, 20, g.between(10e3, 20e3), g.spread(90e3)) // HTTP/3
	}
	namesAndTime(g)
	discovers(g)
}

func namesAndTime(g *generator) {
	resolvers := g.peers(2)
	for i := range 80 {
		g.asks(resolvers[i%2], 53, 1, g.between(30, 60), g.spread(150))
	}
	g.asks(g.peers(1)[0], 123, 1, 48, 48)
}

func domainController(g *generator) {
	for range 300 {
		n := g.between(1, 6)
		g.answers(g.neighbour(), 389, n, n*200, n*170)
		g.answers(g.neighbour(), 53, n, n*40, n*110)
	}
	for _, server := range g.peers(15) {
		for range 9 {
			g.asks(server, 53, 1, g.between(30, 60), g.spread(150))
		}
	}
}

func discovers(g *generator) {
	group := func(a, b, c, d byte) netip.Addr { return netip.AddrFrom4([4]byte{a, b, c, d}) }
	own := g.Host.As4()
	for range g.between(5, 30) {
		g.asks(group(224, 0, 0, 251), 5353, 1, g.spread(80), 0)
		g.asks(group(239, 255, 255, 250), 1900, 4, g.spread(700), 0)
		g.asks(group(224, 0, 0, 252), 5355, 2, g.spread(60), 0)
		g.asks(group(own[0], own[1], own[2], 255), 137, 3, g.spread(150), 0)
		g.asks(group(255, 255, 255, 255), 10001, 1, 4, 0)
	}
	g.connects(g.neighbour(), 445, "smb", g.spread(3000), g.spread(3000), time.Second)
}
