package estate

import (
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Allow says that a program may send to some destinations until some day.
type Allow struct {
	ID     string    `json:"id"`
	Owner  string    `json:"owner"`
	Reason string    `json:"reason"`
	Until  time.Time `json:"until"`
	// Path and Signer are those of the program; a bare image name is no proof of it.
	Path         string   `json:"path"`
	Signer       string   `json:"signer"`
	Destinations []string `json:"destinations"`
	Ports        []int    `json:"ports"`
	Transport    string   `json:"transport"`
}

// The entries' ids.
const (
	AllowBackup  = "nightly-backup"
	AllowSecond  = "second-backup-site"
	AllowPatches = "patches"
	AllowImages  = "machine-images"
	AllowReport  = "monthly-report"
	AllowEnded   = "old-archive"
)

// Allows are the entries of what is sanctioned.
func (e *Estate) Allows() []Allow {
	later, before := e.config.End.Add(90*24*time.Hour), e.Start().Add(time.Duration(e.config.Days/2)*24*time.Hour)
	entry := func(id, owner, reason string, program int, port int, until time.Time, to ...string) Allow {
		p := e.programs[program]
		return Allow{id, owner, reason, until, p.path, p.signer, to, []int{port}, "tcp"}
	}
	return []Allow{
		entry(AllowBackup, "operations", "the nightly backup to the vault", backupAgent, 443, later, "198.19.254.0/24"),
		entry(AllowSecond, "operations", "the vault's second place, in use since this month", backupAgent, 443, later, "198.19.252.10/32"),
		entry(AllowPatches, "operations", "patches for hosts that are not in the network", patchServer, 443, later, "198.19.200.0/21", "198.19.208.0/20", "198.19.224.0/20", "198.19.240.0/21", "198.19.248.0/23"),
		entry(AllowImages, "engineering", "images of machines to the archive", copyTool, 8022, later, "198.19.253.10/32"),
		entry(AllowReport, "finance", "the month's report for the regulator", reportJob, 443, later, "198.19.253.77/32"),
		entry(AllowEnded, "engineering", "images of machines to the old archive, until the new one is in use", copyTool, 22, before, "198.19.253.10/32"),
	}
}

// benign plants who sends much and may.
func (p *planner) benign() {
	p.backups()
	p.heavyServices()
	p.pushes()
	p.once()
	p.calls()
}

func (p *planner) good(kind, why string, host, program int, role incident.Role, allow string) int32 {
	return p.sow(planted{class: Benign, kind: kind, why: why, host: host, role: role, program: int16(program), allow: allow})
}

// backups are nightly; one of the hosts has a new target in the last third.
func (p *planner) backups() {
	e, second := p.e, false
	for i := range e.hosts {
		h := &e.hosts[i]
		if h.Role != "backup" || p.taken[i] != "" {
			continue
		}
		nightly := p.good("nightly-backup", "it does so every night, and an entry allows it", i, backupAgent, incident.Transfer, AllowBackup)
		night := backsUp(400*gB+1100*gB*p.d.Float64(), 24, 0)
		p.days(i, func(midnight int64, _ time.Time) { p.at(nightly, midnight+int64(22*time.Hour), 6*time.Hour, night) })
		if second || !seenWhole(h) {
			continue
		}
		second = true
		added := p.good("new-backup-target", "an entry allows the new target", i, backupAgent, incident.Transfer, AllowSecond)
		night = backsUp(200*gB, 8, 1)
		p.days(i, func(midnight int64, _ time.Time) {
			if e.hourOf(midnight) >= e.hours*2/3 {
				p.at(added, midnight+int64(20*time.Hour), 2*time.Hour, night)
			}
		})
	}
}

// backsUp sends about that much in parts to the vault, or to its second place.
func backsUp(bytes float64, parts, second int64) func(*painter) {
	return func(p *painter) {
		for k := range parts {
			to := vault(k % 4)
			if second > 0 {
				to = secondVault()
			}
			out := int64(p.d.around(bytes/float64(parts), 0.2))
			p.asks(to, 443, tcp, 40*time.Minute, 0, out, out/200)
		}
	}
}

// heavyServices answer whoever asks.
func (p *planner) heavyServices() {
	for range p.copies {
		host := p.host("web", seenWhole)
		origin := p.good("cdn-origin", "it fills the caches of a delivery network every day", host, webServer, incident.UnknownRole, "")
		p.days(host, func(midnight int64, _ time.Time) {
			p.at(origin, midnight+int64(16*time.Hour), 6*time.Hour, func(p *painter) {
				for _, cache := range p.peers(120) {
					out := int64(p.d.around(12*gB, 0.5))
					p.answers(cache, 443, tcp, 20*time.Minute, 0, out/400, out)
				}
			})
		})
		host = p.host("dns", seenWhole)
		clock := p.good("time-server", "it answers as much as it is asked", host, timeService, incident.UnknownRole, "")
		p.days(host, func(midnight int64, _ time.Time) {
			p.at(clock, midnight, 24*time.Hour, func(p *painter) {
				for _, client := range p.peers(150) {
					n := p.d.between(1, 40) * 48
					p.answers(client, 123, udp, 10*time.Minute, 48, n, n)
				}
			})
		})
	}
	host := p.host("dns", seenWhole)
	cold := p.good("cold-cache", "a resolver that was restarted asks everybody, and is answered", host, dnsServer, incident.UnknownRole, "")
	p.at(cold, p.when(host, 5*time.Minute, working), 5*time.Minute, func(p *painter) {
		servers := p.peers(300)
		for range 70 * p.length() {
			// Some name servers are down: not every query is answered.
			in := p.d.between(80, 300)
			if p.d.IntN(8) == 0 {
				in = 0
			}
			p.asks(servers[p.d.IntN(len(servers))], 53, udp, 0, 0, p.d.between(30, 60), in)
		}
	})
	host = p.host("server", seenWhole)
	patches := p.good("patch-distribution", "the month's patches, and an entry allows it", host, patchServer, incident.UnknownRole, AllowPatches)
	p.at(patches, p.patchEvening(host), 4*time.Hour, func(p *painter) {
		for _, client := range p.peers(400) {
			out := int64(p.d.around(0.5*gB, 0.3))
			p.answers(client, 443, tcp, 10*time.Minute, 0, out/100, out)
		}
	})
}

// patchEvening is the evening of the second Tuesday, else of the last full day.
func (p *planner) patchEvening(host int) int64 {
	var at int64
	p.days(host, func(midnight int64, local time.Time) {
		evening := midnight + int64(18*time.Hour)
		if evening+int64(4*time.Hour) <= p.e.config.End.UnixNano() && (at == 0 || patchDay(local)) {
			at = evening
		}
	})
	return at
}

// pushes are those of the build farm.
func (p *planner) pushes() {
	for i := range p.e.hosts {
		h := &p.e.hosts[i]
		if h.Role != "build" || p.taken[i] != "" {
			continue
		}
		number := p.good("build-farm", "it pushes images several times a working day", i, buildAgent, incident.Transfer, "")
		p.days(i, func(midnight int64, local time.Time) {
			for hour := 9; weekday(local) && hour < 18; hour += 3 {
				p.at(number, midnight+int64(hour)*int64(time.Hour)+p.d.Int64N(int64(2*time.Hour)), 8*time.Minute, func(p *painter) {
					for range 6 {
						out := int64(p.d.around(0.6*gB, 0.5))
						p.asks(registry(), 443, tcp, 5*time.Minute, 0, out, out/200)
					}
				})
			}
		})
	}
}

// once are those that happen once.
func (p *planner) once() {
	host := p.host("server", by(fwZurich))
	copied := p.good("image-copy", "an administrator copies an image, and an entry allows it", host, copyTool, incident.Transfer, AllowImages)
	p.at(copied, p.when(host, 30*time.Minute, working), 30*time.Minute, func(p *painter) {
		p.asks(archive(), 8022, tcp, 28*time.Minute, 0, 40*gB, 200*mB)
	})
	host = p.host("server", seenWhole)
	report := p.good("monthly-report", "it is sent once a month, and an entry allows it", host, reportJob, incident.Transfer, AllowReport)
	p.at(report, p.when(host, 40*time.Minute, func(t time.Time) bool { return t.Hour() == 5 }), 40*time.Minute, func(p *painter) {
		for range 4 {
			p.asks(regulator(), 443, tcp, 30*time.Minute, 0, 5*gB, 50*mB)
		}
	})
	for range 2 * p.copies {
		host := p.host(workstation, func(h *Host) bool { return h.sensor == fwBoston && !h.Shared.IsValid() })
		test := p.good("speed-test", "133 MB in 40 seconds, acknowledged, by who works there", host, speedTest, incident.Transfer, "")
		p.at(test, p.when(host, 40*time.Second, working), 40*time.Second, func(p *painter) {
			server := p.target()
			for range 12 {
				p.asks(server, 8080, tcp, 38*time.Second, 0, 11_083_333, 158_000)
			}
		})
	}
}

// calls are of people who meet several times a week.
func (p *planner) calls() {
	for range max(2, p.e.config.Hosts/100) {
		host := p.host(workstation, func(h *Host) bool { return h.sensor == fwBoston || h.sensor == gatewayVPN })
		call := p.good("video-calls", "media both ways, several times a week", host, meetings, incident.UnknownRole, "")
		p.days(host, func(midnight int64, local time.Time) {
			if !weekday(local) || p.d.IntN(2) == 0 {
				return
			}
			p.at(call, midnight+int64(9*time.Hour)+p.d.Int64N(int64(6*time.Hour)), time.Duration(p.d.between(20, 60))*time.Minute, func(p *painter) {
				relays := p.peers(2)
				for k := range 5 {
					out := p.d.between(80_000, 250_000) * p.length() / 5
					p.asks(relays[k%2], uint16(3478+k%4), udp, time.Duration(p.length())*time.Second, 900, out, out*2)
				}
			})
		})
	}
}
