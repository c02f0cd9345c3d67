package estate

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// The places.
const (
	Zurich    = "zurich"
	Boston    = "boston"
	Singapore = "singapore"
	Cloud     = "cloud"
)

// Agent is the state of the EDR's agent on a host.
type Agent string

// The states of agents.
const (
	Answers Agent = "answers"
	Silent  Agent = "silent" // since some day
	NoAgent Agent = "none"
)

// Address is one that a host has for a time, until To at the latest.
type Address struct {
	Addr netip.Addr `json:"addr"`
	From time.Time  `json:"from"`
	To   time.Time  `json:"to"`
}

// Host is one of the company's.
type Host struct {
	// ID is the EDR's id of the device; empty where it never had an agent.
	ID          string        `json:"id"`
	Name        string        `json:"name"`
	Role        string        `json:"role"`
	Site        string        `json:"site"`
	Owner       string        `json:"owner"`
	Criticality string        `json:"criticality"`
	Exit        incident.Exit `json:"exit"`
	// Zone is local time minus UTC; people work by it.
	Zone time.Duration `json:"zone"`
	// Addresses are the IPv4 addresses over time, oldest first.
	Addresses []Address `json:"addresses"`
	// V6 is the IPv6 address; invalid where it has none.
	V6 netip.Addr `json:"v6,omitzero"`
	// Shared is the address of the NAT that sensors see in place of its own.
	Shared netip.Addr `json:"shared,omitzero"`
	// Sensor names the sensor that its flows come by; empty where there is none.
	Sensor string `json:"sensor"`
	Agent  Agent  `json:"agent"`
	// SilentSince is when the agent was heard last, if it is silent.
	SilentSince time.Time `json:"silent_since,omitzero"`
	// Filtered reports whether a web filter on it sends for all of its programs.
	Filtered bool `json:"filtered"`
	// Audited reports whether command lines are recorded there.
	Audited bool `json:"audited"`
	// User is the account of who works there.
	User string   `json:"user"`
	Tags []string `json:"tags,omitempty"`

	index, profile, sensor int
	habit, busy            float64 // how much it sends, and how often, of its role's usual
}

// Addr is the IPv4 address at a time.
func (h *Host) Addr(at time.Time) netip.Addr { return h.addr(at.UnixNano()) }

func (h *Host) addr(at int64) netip.Addr {
	last := len(h.Addresses) - 1
	for i := range last {
		if at < h.Addresses[i].To.UnixNano() {
			return h.Addresses[i].Addr
		}
	}
	return h.Addresses[last].Addr
}

// answers reports whether the agent says what the host did at a time.
func (h *Host) answers(at int64) bool {
	return h.Agent == Answers || h.Agent == Silent && at < h.SilentSince.UnixNano()
}

// Shares of hosts.
const (
	cloudShare    = 0.35 // of servers, web, database and build hosts
	vpnShare      = 0.08 // of workstations
	natShare      = 0.12 // of boston's workstations
	labShare      = 0.15 // of singapore's hosts
	unseenShare   = 0.05 // of singapore's hosts
	v6Share       = 0.25 // of hosts behind a firewall
	movingShare   = 0.10 // of workstations
	noAgentShare  = 0.06
	silentShare   = 0.04
	filteredShare = 0.03 // of workstations
	auditedShare  = 0.90
)

// settle makes the hosts, role by role in order.
func (e *Estate) settle() {
	left := e.config.Hosts
	for p := len(e.roles) - 1; p > 0; p-- {
		n := max(e.roles[p].least, int(math.Round(e.roles[p].share*float64(e.config.Hosts))))
		left -= n
		for i := range n {
			e.add(p, i)
		}
	}
	for i := range left {
		e.add(0, i)
	}
	e.move()
	e.appliances()
}

// add makes the i-th host of a role.
func (e *Estate) add(p, i int) {
	d := newDice()
	index := len(e.hosts)
	d.throw(e.config.Seed, forHosts, uint64(index), 0)
	role := &e.roles[p]
	h := Host{
		Name: fmt.Sprintf("%s-%04d", role.prefix, i+1), Role: role.role, index: index, profile: p,
		Owner: owners()[d.IntN(len(owners()))], Criticality: fmt.Sprintf("tier%d", 1+d.IntN(3)),
		habit: d.around(1, role.own), busy: d.around(1, 0.4), Audited: d.chance(auditedShare),
	}
	h.User = fmt.Sprintf("CORP\\u%05d", 10000+mix(e.config.Seed^uint64(index))%80000)
	h.place(d, i)
	e.agent(&h, d, i)
	e.number(&h, d, i)
	e.hosts = append(e.hosts, h)
}

// place decides where the host, the i-th of its role, is and how it leaves. The first are
// given their places, so that the smallest estate has one of each.
func (h *Host) place(d dice, i int) {
	const rest = 20 // from here on it is drawn
	h.Site, h.Exit = []string{Zurich, Zurich, Zurich, Zurich, Boston, Boston, Singapore}[d.IntN(7)], incident.ExitDirect
	desk := h.Role == workstation
	moves := slices.Contains([]string{"server", "web", "database", "build"}, h.Role)
	nat, vpn, lab, unseen, away := d.chance(natShare), d.chance(vpnShare), d.chance(labShare), d.chance(unseenShare), d.chance(cloudShare)
	if i < 4 {
		h.Site = []string{Zurich, Boston, Zurich, Singapore}[i]
		nat, vpn, lab, unseen, away = false, false, false, false, i == 2
	}
	if moves && away {
		h.Site = Cloud
	}
	if desk && i >= 4 && i < rest {
		h.Site = []string{Boston, Boston, Boston, Zurich, Zurich, Boston, Singapore, Singapore, Zurich, Boston}[(i-4)%10]
		nat, vpn, lab, unseen = i < 7, i >= 7 && i < 10, i == 10, i == 11
	}
	h.leave(desk, nat, vpn, lab, unseen)
	if h.sensor != noSensor {
		h.Sensor = sensors()[h.sensor].Name
	}
}

// leave decides how the host, at its site, leaves.
func (h *Host) leave(desk, nat, vpn, lab, unseen bool) {
	switch h.Site {
	case Zurich:
		h.Zone, h.sensor = time.Hour, fwZurich
		if desk {
			h.sensor, h.Exit = proxyZurich, incident.ExitProxy
		}
	case Boston:
		h.Zone, h.sensor = -5*time.Hour, fwBoston
		if desk && nat {
			h.Shared = natBoston()
		}
	case Singapore:
		h.Zone, h.sensor = 8*time.Hour, routerSingapore
		switch {
		case unseen:
			h.sensor = noSensor
		case lab:
			h.sensor = routerLab
		}
	case Cloud:
		h.sensor, h.Exit = vpcCloud, incident.ExitCloud
	}
	if desk && vpn && !h.Shared.IsValid() {
		h.sensor, h.Exit = gatewayVPN, incident.ExitVPN
	}
}

// agent decides what the EDR knows of the host, the i-th of its role.
func (e *Estate) agent(h *Host, d dice, i int) {
	h.Agent = Answers
	lot := d.Float64()
	if h.Role == workstation && i < 20 { // the smallest estate has one of each
		lot = map[int]float64{12: noAgentShare, 13: 0}[i]
		if i < 12 || i > 13 {
			lot = 1
		}
	}
	switch {
	case lot < noAgentShare:
		h.Agent = NoAgent
	case lot < noAgentShare+silentShare:
		h.Agent = Silent
		h.SilentSince = e.End().Add(-time.Duration(d.between(1, int64(e.config.Days)-1)) * 24 * time.Hour)
	}
	if h.Agent != NoAgent {
		h.ID = fmt.Sprintf("%016x%016x", mix(e.config.Seed+uint64(h.index)), mix(^e.config.Seed-uint64(h.index)))
	}
	h.Filtered = h.Role == workstation && d.chance(filteredShare)
}

// number gives the host its addresses: the second byte is its site, the third begins with
// its role, so that rules of a firewall can name roles by networks.
func (e *Estate) number(h *Host, d dice, i int) {
	site := map[string]byte{Zurich: 20, Boston: 30, Singapore: 40, Cloud: 50}[h.Site]
	third := byte(h.profile)
	if h.Exit == incident.ExitVPN {
		site, third = 60, 0
	}
	const subnet = 250 // hosts in a /24
	a := netip.AddrFrom4([4]byte{10, site, third*16 + byte(h.index/subnet%16), byte(1 + h.index%subnet)})
	h.Addresses = []Address{{Addr: a, From: e.Start(), To: e.End()}}
	if (h.sensor == fwZurich || h.sensor == fwBoston) && !h.Shared.IsValid() && (d.chance(v6Share) || i == 14) {
		b := netip.MustParseAddr("2001:db8:20::").As16()
		b[6], b[7], b[14], b[15] = site, third, byte(h.index>>8), byte(h.index)
		h.V6 = netip.AddrFrom16(b)
	}
}

// move lets pairs of workstations of one site change their addresses with each other, as
// DHCP does: what an address meant before it does not mean after.
func (e *Estate) move() {
	d := newDice()
	d.throw(e.config.Seed, forHosts, 0, 1)
	waiting := map[string]int{}
	for i := range e.hosts {
		h := &e.hosts[i]
		if h.Role != workstation || h.Exit == incident.ExitVPN || !d.chance(movingShare) {
			continue
		}
		key := h.Site + h.Sensor + h.Shared.String()
		other, ok := waiting[key]
		if !ok {
			waiting[key] = i
			continue
		}
		delete(waiting, key)
		at := time.Unix(0, e.hour(int(d.between(24, int64(e.hours)-24)))).UTC()
		exchange(h, &e.hosts[other], at)
	}
}

func exchange(a, b *Host, at time.Time) {
	first, second := a.Addresses[0], b.Addresses[0]
	until, since := first.To, at
	first.To, second.To = at, at
	a.Addresses = []Address{first, {second.Addr, since, until}}
	b.Addresses = []Address{second, {first.Addr, since, until}}
}

func natBoston() netip.Addr   { return netip.AddrFrom4([4]byte{10, 30, 255, 1}) }
func proxyAddr() netip.Addr   { return netip.AddrFrom4([4]byte{10, 20, 255, 8}) }
func gatewayAddr() netip.Addr { return netip.AddrFrom4([4]byte{10, 60, 255, 1}) }

// appliances adds what stands for other hosts. They have no agent, and send nothing of
// their own.
func (e *Estate) appliances() {
	for _, a := range []struct {
		name, role, site string
		addr             netip.Addr
		sensor           int
		exit             incident.Exit
		tags             []string
	}{
		{"proxy-zurich", "proxy", Zurich, proxyAddr(), fwZurich, incident.ExitDirect, []string{"proxy"}},
		{"nat-boston", "nat", Boston, natBoston(), fwBoston, incident.ExitDirect, []string{"nat"}},
		{"vpn-gateway", "vpn", Zurich, gatewayAddr(), gatewayVPN, incident.ExitVPN, []string{"vpn"}},
	} {
		e.hosts = append(e.hosts, Host{
			Name: a.name, Role: a.role, Site: a.site, Owner: "network", Criticality: "tier1", Exit: a.exit,
			Addresses: []Address{{a.addr, e.Start(), e.End()}}, Sensor: sensors()[a.sensor].Name, Agent: NoAgent, Tags: a.tags,
			index: len(e.hosts), profile: -1, sensor: a.sensor,
		})
	}
}

func owners() []string {
	return []string{"finance", "research", "sales", "human-resources", "operations", "engineering", "logistics", "legal"}
}
