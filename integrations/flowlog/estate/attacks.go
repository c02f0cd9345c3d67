package estate

import (
	"cmp"
	"net/netip"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

// attack is one kind of attack.
type attack struct {
	kind, why string
	role      incident.Role // of the traffic, by construction
	// from is the asset role of who does it; empty is any.
	from    string
	fits    func(*Host) bool
	quiet   bool // of the hosts the one that sends least is taken
	program int
	length  time.Duration
	wanted  func(time.Time) bool
	draw    func(*painter)
	allow   string
	// last reports whether one more is planted in the last quarter of an hour.
	last bool
}

func attacks() []attack {
	return slices.Concat(floods(), uploads(), hidden())
}

// floods make a traffic role.
func floods() []attack {
	const minute = time.Minute
	return []attack{
		{kind: "dns-any", why: "asks hundreds of open resolvers in a victim's name", role: incident.Requester, fits: seenWhole, program: requester, length: 5 * minute, draw: asksResolvers, last: true},
		{kind: "any-amplifier", why: "asks the services of one amplification port", role: incident.Requester, fits: seenWhole, program: requester, length: 5 * minute, draw: asksAmplifiers},
		{kind: "udp-flood", why: "one stream to one destination, nothing back", role: incident.Flooder, fits: firewalled, program: flooder, length: 4 * minute, draw: floodsOne, last: true},
		{kind: "syn-flood", why: "connections that are never answered", role: incident.Flooder, fits: seenWhole, program: flooder, length: minute, draw: floodsConnections},
		{kind: "http-flood", why: "a storm of connections that are answered", role: incident.Flooder, fits: seenWhole, program: stresser, length: minute, draw: floodsRequests},
		{kind: "open-resolver", why: "answers name queries that victims seem to send", role: incident.Reflector, from: "dns", fits: seenWhole, program: dnsServer, length: 6 * minute, draw: reflects(53, 64, 28, 54)},
		{kind: "cldap-reflector", why: "a domain controller answers CLDAP to victims", role: incident.Reflector, from: "domain_controller", fits: seenWhole, program: directory, length: 6 * minute, draw: reflects(389, 52, 56, 70)},
		{kind: "cache-reflector", why: "a memcached that answers the outside", role: incident.Reflector, from: "server", fits: seenWhole, program: cacheService, length: 6 * minute, draw: reflects(11211, 15, 5000, 9000)},
		{kind: "flood-from-the-cloud", why: "a flood of which the sensor records each direction by itself", role: incident.Flooder, fits: by(vpcCloud), program: flooder, length: 4 * minute, draw: floodsOne},
		{kind: "flood-sampled", why: "a flood of which the sensor counts one packet in 64", role: incident.Flooder, from: "server", fits: by(routerSingapore), program: flooder, length: 4 * minute, draw: floodsOne},
		{kind: "flood-by-a-driver", why: "no process sends it that the agent could see", role: incident.Flooder, from: workstation, fits: by(fwBoston), program: noProcess, length: 4 * minute, draw: floodsOne},
		{kind: "flood-past-the-proxy", why: "a client of the proxy floods past it", role: incident.Flooder, from: workstation, fits: by(proxyZurich), program: flooder, length: 4 * minute, draw: floodsOne},
		{kind: "flood-over-ipv6", why: "one stream to one destination, over IPv6", role: incident.Flooder, fits: func(h *Host) bool { return h.V6.IsValid() }, program: flooder, length: 4 * minute, draw: floodsOverV6},
		{kind: "flood-in-a-benign-hour", why: "a flood while another host of the site has its nightly backup", role: incident.Flooder, from: "server", fits: by(fwZurich), program: flooder, length: 4 * minute, wanted: func(t time.Time) bool { return t.Hour() == 23 }, draw: floodsOne},
	}
}

// uploads carry something out.
func uploads() []attack {
	const quarter = 15 * time.Minute
	return []attack{
		{kind: "slow-exfiltration", why: "a script sends some megabytes each minute for hours", role: incident.Transfer, from: "server", fits: seenWhole, quiet: true, program: scripted, length: 6 * time.Hour, draw: trickles, last: true},
		{kind: "tool-upload", why: "a copying tool on a role that never uploads", role: incident.Transfer, from: "database", fits: seenWhole, program: uploader, length: 25 * time.Minute, draw: uploadsTo(8, 6*gB, 15*gB)},
		{kind: "beyond-own-baseline", why: "little by any threshold, far more than the host ever sends", role: incident.Transfer, from: "database", fits: seenWhole, quiet: true, program: scripted, length: 10 * time.Minute, wanted: anyTime, draw: uploadsTo(4, 40*mB, 60*mB)},
		{kind: "usual-for-the-role-only", why: "other build hosts push that much daily, this one never did", role: incident.Transfer, from: "build", fits: seenWhole, quiet: true, program: uploader, length: 8 * time.Minute, wanted: working, draw: uploadsTo(6, 2*gB, 5*gB)},
		{kind: "at-night", why: "a workstation uploads when nobody works", role: incident.Transfer, from: workstation, fits: by(fwBoston), program: scripted, length: quarter, wanted: atNight, draw: uploadsTo(4, 1*gB, 3*gB)},
		{kind: "at-the-weekend", why: "a workstation uploads when nobody works", role: incident.Transfer, from: workstation, fits: by(fwBoston), program: uploader, length: quarter, wanted: weekend, draw: uploadsTo(4, 1*gB, 3*gB)},
		{kind: "through-the-proxy", why: "the firewall sees the proxy send it", role: incident.Transfer, from: workstation, fits: by(proxyZurich), program: scripted, length: quarter, wanted: working, draw: uploadsTo(4, 2*gB, 4*gB), last: true},
		{kind: "through-the-vpn", why: "the gateway's clock is ahead", role: incident.Transfer, from: workstation, fits: by(gatewayVPN), program: uploader, length: quarter, wanted: working, draw: uploadsTo(4, 2*gB, 4*gB)},
	}
}

// hidden are those of whom something is missing, or that look like what is allowed.
func hidden() []attack {
	const quarter = 15 * time.Minute
	return []attack{
		{kind: "behind-the-nat", why: "which of several hosts it was is not known: nobody may be contained", role: incident.Requester, from: workstation, fits: func(h *Host) bool { return h.Shared.IsValid() }, program: requester, length: 5 * time.Minute, draw: asksResolvers},
		{kind: "named-like-the-backup", why: "an image with the backup agent's name, of nobody's signature, to elsewhere", role: incident.Transfer, from: "server", fits: seenWhole, program: masked, length: quarter, wanted: atNight, draw: uploadsTo(4, 8*gB, 12*gB)},
		{kind: "allowed-no-longer", why: "the entry that allowed it ended before", role: incident.Transfer, from: "server", fits: by(fwZurich), program: copyTool, length: quarter, wanted: working, allow: AllowEnded, draw: copies},
		{kind: "without-an-agent", why: "the host has no agent: the process is not known", role: incident.Transfer, from: workstation, fits: func(h *Host) bool { return h.Agent == NoAgent && (seenWhole(h) || by(proxyZurich)(h)) }, program: uploader, length: quarter, wanted: anyTime, draw: uploadsTo(4, 3*gB, 6*gB)},
	}
}

// attacks plants them all, first those that only few hosts can do.
func (p *planner) attacks() {
	all := attacks()
	slices.SortStableFunc(all, func(a, b attack) int { return cmp.Compare(picky(b), picky(a)) })
	for _, a := range all {
		if a.wanted == nil {
			a.wanted = anyTime
		}
		for range p.copies {
			host := p.attacker(a)
			number := p.sow(a.planted(host))
			p.at(number, p.when(host, a.length, a.wanted), a.length, a.draw)
		}
		if a.last {
			host := p.attacker(a)
			length := min(a.length, 10*time.Minute)
			from := p.e.config.End.Add(-12 * time.Minute)
			if a.length > time.Hour {
				length, from = a.length, p.e.config.End.Add(-a.length)
			}
			p.at(p.sow(a.planted(host)), from.UnixNano(), length, a.draw)
		}
	}
}

func picky(a attack) int {
	if a.from == "" {
		return 0
	}
	return 1
}

func (p *planner) attacker(a attack) int {
	if a.quiet {
		return p.quietest(a.from, a.fits)
	}
	return p.host(a.from, a.fits)
}

func (a attack) planted(host int) planted {
	return planted{class: Attack, kind: a.kind, why: a.why, host: host, role: a.role, program: int16(a.program), allow: a.allow}
}

// asksResolvers sends tens of thousands of queries; a victim gets the answers.
func asksResolvers(p *painter) {
	resolvers := p.peers(p.d.between(60, 400))
	for packets := p.d.between(120, 400) * p.length(); packets > 0; {
		n, size := min(packets, p.d.between(40, 120)), p.d.between(36, 60)
		p.asks(resolvers[p.d.IntN(len(resolvers))], 53, udp, 20*time.Second, size, n*size, 0)
		packets -= n
	}
}

// asksAmplifiers draws one of the services that make a role.
func asksAmplifiers(p *painter) {
	services := slices.DeleteFunc(traffic.AmplificationTable(), func(s traffic.AmplificationService) bool {
		return s.Transport != "udp" || s.Port == 53 || !traffic.Amplifies(s.Port, s.Transport)
	})
	port := uint16(services[p.d.IntN(len(services))].Port)
	amplifiers := p.peers(p.d.between(30, 300))
	size, each := p.d.between(8, 90), p.d.between(200, 500)*p.length()/int64(len(amplifiers))
	for i, a := range amplifiers {
		// A few answer to the host: not every network lets its name be forged.
		var in int64
		if i%17 == 0 {
			in = each * size / 4
		}
		p.asks(a, port, udp, time.Minute, size, each*size, in)
	}
}

func floodsOne(p *painter) { p.stream(p.target(), false) }

func floodsOverV6(p *painter) { p.stream(outside(p.d.Uint64(), true), true) }

// stream is one flow of full length.
func (p *painter) stream(victim netip.Addr, v6 bool) {
	size, packets := p.d.between(512, 1400), p.d.between(3000, 30000)*p.length()
	p.put(&flow{
		at: p.plant.from, last: p.plant.to - p.plant.from, peer: victim, peerPort: uint16(p.d.between(1024, 65535)), ownPort: p.next(),
		transport: udp, opened: true, v6: v6, out: size * packets, packetsOut: packets,
	})
}

func floodsConnections(p *painter) {
	victim := p.target()
	for range p.d.between(150, 250) * p.length() {
		p.put(&flow{at: p.moment(0), peer: victim, peerPort: 443, ownPort: p.next(), transport: tcp, opened: true, packetsOut: 1})
	}
}

func floodsRequests(p *painter) {
	victim := p.target()
	for range p.d.between(150, 250) * p.length() {
		p.asks(victim, 80, tcp, time.Second, 0, p.d.between(300, 600), p.d.between(600, 1500))
	}
}

// reflects answers from an amplification port to many victims, with a multiple of what they
// seem to ask.
func reflects(port uint16, request, low, high int64) func(*painter) {
	return func(p *painter) {
		victims := p.peers(p.d.between(25, 120))
		each := p.d.between(300, 700) * p.length() / int64(len(victims))
		for _, victim := range victims {
			in := each * request
			f := flow{peer: victim, peerPort: p.next(), ownPort: port, transport: udp, in: in, out: in * p.d.between(low, high)}
			p.add(&f, 2*time.Minute, fullPacket)
		}
	}
}

// trickles sends one part a minute to the same peer.
func trickles(p *painter) {
	target := p.target()
	for minute := range p.length() / 60 {
		f := flow{peer: target, peerPort: 443, ownPort: p.next(), transport: tcp, opened: true, out: p.d.between(2*mB, 4*mB), in: p.d.between(2000, 6000)}
		f.at, f.last = p.plant.from+minute*int64(time.Minute)+p.d.Int64N(int64(20*time.Second)), p.d.Int64N(int64(20*time.Second))
		f.count(0)
		p.put(&f)
	}
}

// uploadsTo sends that much to one peer over that many connections.
func uploadsTo(connections, low, high int64) func(*painter) {
	return func(p *painter) {
		target, out := p.target(), p.d.between(low, high)
		for range connections {
			p.asks(target, 443, tcp, time.Duration(p.length())*time.Second*2/3, 0, out/connections, out/connections/80)
		}
	}
}

func copies(p *painter) {
	out := p.d.between(5*gB, 9*gB)
	p.asks(archive(), 22, tcp, time.Duration(p.length())*time.Second, 0, out, out/90)
}
