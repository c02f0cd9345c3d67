package estate

import (
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// way is one opening: what leaves, seldom and little, and should not.
type way struct {
	kind, why string
	port      uint16
	transport uint8
	from      string
	fits      func(*Host) bool
	program   int
	// answers reports whether the outside opens the flow; the answer is so many times as long.
	answers int64
	bypass  bool
	// often is the mean number of times in a day.
	often float64
}

func ways() []way {
	desk := func(h *Host) bool { return h.sensor == fwBoston && !h.Shared.IsValid() }
	risky := func(kind string, port uint16, transport uint8, from string, fits func(*Host) bool, program int) way {
		return way{kind: kind, why: "a port that no host of its role needs outside", port: port, transport: transport, from: from, fits: fits, program: program, often: 0.7}
	}
	reflecting := func(kind string, port uint16, from string, program int, times int64) way {
		return way{kind: kind, why: "it answers the outside with more than it is asked", port: port, transport: udp, from: from, fits: firewalled, program: program, answers: times, often: 6}
	}
	past := func(kind string, port uint16, transport uint8, program int) way {
		return way{kind: kind, why: "a client of the proxy goes past it", port: port, transport: transport, from: workstation, fits: by(proxyZurich), program: program, bypass: true, often: 2}
	}
	return []way{
		risky("smb-out", 445, tcp, workstation, desk, kernel),
		risky("rdp-out", 3389, tcp, workstation, desk, terminal),
		risky("ssh-out", 22, tcp, workstation, desk, terminal),
		risky("ftp-out", 21, tcp, "server", firewalled, terminal),
		risky("telnet-out", 23, tcp, "server", firewalled, terminal),
		risky("ldap-out", 389, tcp, "server", firewalled, lineOfBusiness),
		risky("snmp-out", 161, udp, "server", firewalled, lineOfBusiness),
		risky("winrm-out", 5985, tcp, "server", firewalled, systemService),
		risky("database-out", 1433, tcp, workstation, desk, browser),
		risky("irc-out", 6667, tcp, workstation, desk, terminal),
		reflecting("open-ldap", 389, "domain_controller", directory, 60),
		reflecting("open-resolver-probed", 53, "dns", dnsServer, 30),
		reflecting("open-snmp", 161, "server", systemService, 6),
		reflecting("open-cache", 11211, "server", cacheService, 900),
		past("direct-web", 443, tcp, browser),
		past("direct-names", 53, udp, browser),
		past("direct-tls-names", 853, tcp, browser),
	}
}

// openings plants them all, over the whole time.
func (p *planner) openings() {
	for _, w := range ways() {
		for range p.copies {
			host := p.host(w.from, w.fits)
			number := p.sow(planted{class: Opening, kind: w.kind, why: w.why, host: host, role: incident.UnknownRole, program: int16(w.program)})
			times := int(w.often * float64(p.e.config.Days))
			for range times {
				p.at(number, p.e.start+p.d.Int64N(int64(p.e.hours-1)*int64(time.Hour)), 10*time.Minute, w.draw)
			}
		}
	}
}

func (w way) draw(p *painter) {
	peer := p.target()
	f := flow{peer: peer, peerPort: w.port, ownPort: p.next(), transport: w.transport, opened: true, bypass: w.bypass}
	f.out = int64(p.d.around(4000, 1))
	f.in = f.out * 2
	if w.answers > 0 { // many ask, each once
		f.peer, f.peerPort, f.ownPort, f.opened = p.peers(1)[0], f.ownPort, w.port, false
		f.in = p.d.between(15, 60)
		f.out = f.in * w.answers
	}
	p.add(&f, 30*time.Second, 0)
}
