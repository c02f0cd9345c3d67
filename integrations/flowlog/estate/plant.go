package estate

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Class is what something planted is to people.
type Class string

// The classes.
const (
	Attack  Class = "attack"
	Benign  Class = "benign"
	Opening Class = "opening" // it may leave, and should not
)

// planted is something that one host does besides what is usual.
type planted struct {
	class     Class
	kind, why string
	host      int
	role      incident.Role
	program   int16
	allow     string
}

// plant is one time at which it does it.
type plant struct {
	planted  int32
	from, to int64
	seed     uint64
	draw     func(*painter)
}

// painter draws the flows of plants.
type painter struct {
	e        *Estate
	d        dice
	h        *Host
	plant    *plant
	planted  *planted
	from, to int64 // of the hour
	port     uint16
	visit    func(*flow)
}

// paint calls visit with the flows of a plant that begin in the hour.
func (p *painter) paint(number int32, hour int, visit func(*flow)) {
	p.plant = &p.e.plants[number]
	p.planted = &p.e.planted[p.plant.planted]
	p.h = &p.e.hosts[p.planted.host]
	p.from, p.to, p.visit = p.e.hour(hour), p.e.hour(hour+1), visit
	p.d.throw(p.e.config.Seed, forPlant, p.plant.seed, uint64(p.plant.planted))
	p.port = ephemeral(p.d.Uint64())
	p.plant.draw(p)
}

// length is how long the plant lasts, in seconds.
func (p *painter) length() int64 { return (p.plant.to - p.plant.from) / int64(time.Second) }

// moment draws when a flow begins that lasts that long and ends with the plant.
func (p *painter) moment(last time.Duration) int64 {
	return p.plant.from + p.d.Int64N(max(1, p.plant.to-p.plant.from-int64(last)))
}

// asks draws a flow that the host opens, add one that it answers.
func (p *painter) asks(peer netip.Addr, port uint16, transport uint8, last time.Duration, packet, out, in int64) {
	f := flow{peer: peer, peerPort: port, ownPort: p.next(), transport: transport, opened: true, out: out, in: in}
	p.add(&f, last, packet)
}

func (p *painter) answers(peer netip.Addr, port uint16, transport uint8, last time.Duration, packet, in, out int64) {
	f := flow{peer: peer, peerPort: p.next(), ownPort: port, transport: transport, out: out, in: in}
	p.add(&f, last, packet)
}

// add places the flow into the plant's time.
func (p *painter) add(f *flow, last time.Duration, packet int64) {
	last = min(last, time.Duration(p.plant.to-p.plant.from))
	if last > 0 {
		last = time.Duration(p.d.between(int64(last)/2, int64(last)))
	}
	f.at, f.last = p.moment(last), int64(last)
	f.count(packet)
	p.put(f)
}

func (p *painter) put(f *flow) {
	f.host, f.program, f.cause = int32(p.planted.host), p.planted.program, p.plant.planted
	if p.h.sensor == proxyZurich && (f.transport == udp || f.peerPort != 443 && f.peerPort != 80) {
		f.bypass = true // a proxy carries nothing else
	}
	if f.at >= p.from && f.at < p.to {
		p.visit(f)
	}
}

// next is a port of a client: none is used again at once.
func (p *painter) next() uint16 {
	if p.port++; p.port < 49152 {
		p.port = 49152
	}
	return p.port
}

// peers draws n addresses of those whom usual traffic does not know.
func (p *painter) peers(n int64) []netip.Addr {
	list := make([]netip.Addr, n)
	for i := range list {
		list[i] = stranger(p.d.Rand)
	}
	return list
}

// target is the one peer of all times of what is planted.
func (p *painter) target() netip.Addr {
	return stranger(rand.New(rand.NewPCG(p.e.config.Seed, uint64(p.plant.planted))))
}

func stranger(r *rand.Rand) netip.Addr {
	return netip.AddrFrom4([4]byte{198, 19, byte(200 + r.IntN(50)), byte(1 + r.IntN(254))})
}

// Fixed peers, of which allow entries speak.
func registry() netip.Addr     { return netip.AddrFrom4([4]byte{198, 19, 251, 10}) }
func secondVault() netip.Addr  { return netip.AddrFrom4([4]byte{198, 19, 252, 10}) }
func archive() netip.Addr      { return netip.AddrFrom4([4]byte{198, 19, 253, 10}) }
func regulator() netip.Addr    { return netip.AddrFrom4([4]byte{198, 19, 253, 77}) }
func vault(i int64) netip.Addr { return netip.AddrFrom4([4]byte{198, 19, 254, byte(1 + i)}) }

// planner decides which hosts do what, and when.
type planner struct {
	e     *Estate
	d     dice
	order []int         // of hosts, drawn
	taken map[int]Class // what a host does that has something planted on it
	// copies is how often each kind is planted.
	copies int
	err    error
}

func (e *Estate) plant() error {
	p := &planner{e: e, d: newDice(), taken: map[int]Class{}, copies: max(1, e.config.Hosts/500)}
	p.d.throw(e.config.Seed, forPlan, 0, 0)
	p.order = p.d.Perm(len(e.hosts))
	p.attacks()
	p.benign()
	p.openings()
	return p.err
}

// host takes a host of the role, free if there is one, or of a common role where it is empty, of which fits is true:
// one whose agent would explain what it sends, if there is one.
func (p *planner) host(role string, fits func(*Host) bool) int {
	return p.best(role, fits, func(a, b *Host) int { return cmp.Compare(clarity(b), clarity(a)) })
}

// quietest takes the free host that usually sends least.
func (p *planner) quietest(role string, fits func(*Host) bool) int {
	return p.best(role, fits, func(a, b *Host) int {
		return cmp.Or(cmp.Compare(clarity(b), clarity(a)), cmp.Compare(a.habit, b.habit))
	})
}

func clarity(h *Host) int {
	if h.Agent == Answers && h.Audited && !h.Filtered {
		return 1
	}
	return 0
}

func (p *planner) best(role string, fits func(*Host) bool, compare func(a, b *Host) int) int {
	best := -1
	for _, i := range p.order {
		h := &p.e.hosts[i]
		if role != h.Role && (role != "" || !common(h.Role)) || !fits(h) {
			continue
		}
		if best < 0 || cmp.Or(cmp.Compare(p.load(i), p.load(best)), compare(h, &p.e.hosts[best])) < 0 {
			best = i
		}
	}
	if best < 0 {
		if p.err == nil {
			p.err = fmt.Errorf("make an estate: no host of role %q can have something planted on it", role)
		}
		return 0
	}
	return best
}

// common reports whether there are so many hosts of the role that any of them will do.
func common(role string) bool { return role == workstation || role == "server" || role == "database" }

// load is how little the host is fit for more: in a small estate one may have to do two
// things, but an attacker should do nothing else.
func (p *planner) load(host int) int {
	switch p.taken[host] {
	case Attack:
		return 3
	case Benign:
		return 2
	case Opening:
		return 1
	}
	return 0
}

// sow notes something planted and returns its number.
func (p *planner) sow(s planted) int32 {
	if p.taken[s.host] != Attack {
		p.taken[s.host] = s.class
	}
	p.e.planted = append(p.e.planted, s)
	return int32(len(p.e.planted) - 1)
}

// at lets it happen once more, from a time on, for so long.
func (p *planner) at(number int32, from int64, length time.Duration, draw func(*painter)) {
	e := p.e
	to := min(from+int64(length), e.config.End.UnixNano())
	if from < e.start || to-from < int64(time.Second) {
		return
	}
	i := int32(len(e.plants))
	e.plants = append(e.plants, plant{number, from, to, p.d.Uint64(), draw})
	for hour := e.hourOf(from); hour <= min(e.hours-1, e.hourOf(to-1)); hour++ {
		e.byHour[hour] = append(e.byHour[hour], i)
	}
}

// when draws a time in the last third for which wanted is true of the host's local time, so
// that it ends within its hour if it is short. It is not near the sensor's restart, and not
// in the last hour, unless nothing else is left.
func (p *planner) when(host int, length time.Duration, wanted func(local time.Time) bool) int64 {
	e := p.e
	first := e.hours * 2 / 3
	spare := max(0, int64(time.Hour-length))
	offset := p.d.Int64N(spare + 1)
	restart := e.hourOf(e.restart.at)
	for range 5000 {
		hour := int(p.d.between(int64(first), int64(e.hours-2-int(length/time.Hour))))
		if wanted(e.local(&e.hosts[host], hour)) && (hour < restart-2 || hour > restart+2) {
			return e.hour(hour) + offset
		}
	}
	return e.hour(first) + offset
}

// days calls do with the beginning of each local day of the host that is within the time.
func (p *planner) days(host int, do func(midnight int64, local time.Time)) {
	e := p.e
	h := &e.hosts[host]
	local := e.Start().Add(h.Zone).Truncate(24 * time.Hour)
	for ; ; local = local.Add(24 * time.Hour) {
		midnight := local.Add(-h.Zone).UnixNano()
		if midnight >= e.config.End.UnixNano() {
			return
		}
		do(midnight, local)
	}
}

// Local times.
func anyTime(time.Time) bool { return true }

func weekday(t time.Time) bool {
	return t.Weekday() != time.Saturday && t.Weekday() != time.Sunday
}
func working(t time.Time) bool { return weekday(t) && t.Hour() >= 9 && t.Hour() < 16 }
func atNight(t time.Time) bool { return weekday(t) && t.Hour() >= 1 && t.Hour() < 4 }
func weekend(t time.Time) bool { return !weekday(t) && t.Hour() >= 10 && t.Hour() < 18 }

// seenWhole reports whether the records say everything of the host, and it is not behind
// the proxy.
func seenWhole(h *Host) bool {
	return (h.sensor == fwZurich || h.sensor == fwBoston || h.sensor == vpcCloud) && !h.Shared.IsValid()
}

func by(sensor int) func(*Host) bool {
	return func(h *Host) bool { return h.sensor == sensor && !h.Shared.IsValid() }
}

// firewalled reports whether a firewall decides what leaves the host.
func firewalled(h *Host) bool {
	return (h.sensor == fwZurich || h.sensor == fwBoston) && !h.Shared.IsValid()
}
