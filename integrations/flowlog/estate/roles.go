package estate

import "time"

const workstation = "workstation"

// profile is what hosts of a role usually send.
type profile struct {
	role, prefix string
	// share is theirs of all hosts, of whom there are at least as many as least.
	share float64
	least int
	// weight is how many flows a host has in a full hour, relative to others.
	weight float64
	// bytes is the median of what a host sends in a full hour, spread the deviation of its
	// logarithm between hours, own between hosts, and tail between the flows of an hour.
	bytes, spread, own, tail float64
	rhythm                   int
	uses                     []use
}

// use is one kind of flows of a role.
type use struct {
	share     float64 // of the role's flows
	port      uint16
	transport uint8
	// answers reports whether the peer opens the flow and the host answers.
	answers bool
	// size is what such a flow sends relative to others; fixed is its bytes where they do not
	// depend on the hour; back is what comes back per byte.
	size, fixed, back float64
	packet            int64 // payload of one; 0 is a full one
	// peers is how many peers a host has.
	peers   int
	last    time.Duration // the mean
	program int
}

// The transports.
const (
	tcp uint8 = iota
	udp
)

func transportName(t uint8) string {
	if t == udp {
		return "udp"
	}
	return "tcp"
}

const (
	kB = 1e3
	mB = 1e6
	gB = 1e9
)

// profiles are the roles, workstations first.
func profiles() []profile {
	short, long := 20*time.Second, 4*time.Minute
	names := func(share float64, program int) use {
		return use{share: share, port: 53, transport: udp, fixed: 45, back: 2.5, peers: 6, last: 50 * time.Millisecond, program: program}
	}
	clock := use{share: 0.01, port: 123, transport: udp, fixed: 48, back: 1, peers: 3, last: 40 * time.Millisecond, program: timeService}
	telemetry := use{share: 0.1, port: 443, size: 0.3, back: 0.5, peers: 12, last: short, program: systemService}
	return []profile{
		{
			role: workstation, prefix: "ws", share: 0.80, least: 50, weight: 1, bytes: 15 * mB, spread: 0.7, own: 0.6, tail: 1.6, rhythm: office,
			uses: []use{
				{share: 0.52, port: 443, size: 1, back: 12, peers: 150, last: short, program: browser},
				{share: 0.14, port: 443, transport: udp, size: 1, back: 14, peers: 60, last: short, program: browser},
				{share: 0.12, port: 443, size: 2, back: 3, peers: 8, last: long, program: mailClient},
				{share: 0.08, port: 443, size: 3, back: 2, peers: 4, last: long, program: syncClient},
				{share: 0.03, port: 80, size: 0.3, back: 30, peers: 40, last: short, program: browser},
				clock, telemetry,
			},
		},
		{
			role: "server", prefix: "srv", share: 0.09, least: 20, weight: 1.2, bytes: 8 * mB, spread: 0.6, own: 1, tail: 1.4, rhythm: steady,
			uses: []use{
				{share: 0.6, port: 443, size: 1, back: 3, peers: 20, last: short, program: lineOfBusiness},
				{share: 0.1, port: 25, size: 1, back: 0.1, peers: 40, last: short, program: mailRelay},
				names(0.19, dnsClient), clock, telemetry,
			},
		},
		{
			role: "domain_controller", prefix: "dc", share: 0.01, least: 4, weight: 6, bytes: 0.5 * mB, spread: 0.4, own: 0.4, tail: 0.8, rhythm: office,
			uses: []use{{share: 0.88, port: 53, transport: udp, size: 0.1, packet: 45, back: 2.5, peers: 300, last: 2 * time.Second, program: dnsServer}, clock, {share: 0.11, port: 443, size: 1, back: 2, peers: 10, last: short, program: systemService}},
		},
		{
			role: "dns", prefix: "dns", share: 0.01, least: 4, weight: 10, bytes: 2 * mB, spread: 0.4, own: 0.4, tail: 0.8, rhythm: office,
			uses: []use{
				{share: 0.95, port: 53, transport: udp, size: 0.1, packet: 45, back: 2.5, peers: 2000, last: 2 * time.Second, program: dnsServer},
				{share: 0.02, port: 53, size: 0.3, back: 3, peers: 200, last: time.Second, program: dnsServer},
				clock,
				{share: 0.02, port: 443, size: 1, back: 2, peers: 10, last: short, program: systemService},
			},
		},
		{
			role: "backup", prefix: "bak", share: 0.01, least: 4, weight: 0.5, bytes: 5 * mB, spread: 0.6, own: 0.5, tail: 1, rhythm: steady,
			uses: []use{{share: 0.6, port: 443, size: 1, back: 0.5, peers: 6, last: short, program: backupAgent}, names(0.29, dnsClient), clock, telemetry},
		},
		{
			role: "build", prefix: "bld", share: 0.02, least: 5, weight: 2, bytes: 40 * mB, spread: 1, own: 0.7, tail: 1.5, rhythm: office,
			uses: []use{
				{share: 0.75, port: 443, size: 1, back: 20, peers: 30, last: short, program: buildAgent},
				{share: 0.05, port: 22, size: 1, back: 8, peers: 3, last: short, program: gitClient},
				names(0.09, dnsClient), clock, telemetry,
			},
		},
		{
			role: "database", prefix: "db", share: 0.03, least: 5, weight: 0.3, bytes: 1 * mB, spread: 0.6, own: 0.6, tail: 1, rhythm: steady,
			uses: []use{{share: 0.5, port: 443, size: 1, back: 2, peers: 5, last: short, program: systemService}, names(0.39, dnsClient), clock, telemetry},
		},
		{
			role: "web", prefix: "web", share: 0.03, least: 6, weight: 4, bytes: 300 * mB, spread: 0.5, own: 0.9, tail: 1.2, rhythm: public,
			uses: []use{
				{share: 0.8, port: 443, answers: true, size: 1, back: 0.05, peers: 3000, last: short, program: webServer},
				{share: 0.08, port: 80, answers: true, size: 0.5, back: 0.1, peers: 3000, last: short, program: webServer},
				names(0.08, dnsClient), clock,
				{share: 0.03, port: 443, size: 0.1, back: 3, peers: 8, last: short, program: webServer},
			},
		},
	}
}

// The rhythms of a week.
const (
	office = iota
	steady
	public
	rhythms
)

// weeks are the rhythms by hour of the local week, Monday first; 1 is a full hour.
func weeks() [rhythms][]float64 {
	var w [rhythms][]float64
	for hour := range 7 * 24 {
		day, at := hour/24, hour%24
		desk := 0.03
		switch {
		case day >= 5:
			desk = 0.05
		case at == 12:
			desk = 0.7
		case at >= 8 && at < 17:
			desk = 1
		case at == 7 || at == 17:
			desk = 0.5
		case at >= 18 && at < 22:
			desk = 0.12
		}
		w[office] = append(w[office], desk)
		even := 0.8
		if at >= 8 && at < 18 && day < 5 {
			even = 1
		}
		w[steady] = append(w[steady], even)
		visitors := []float64{0.4, 0.3, 0.25, 0.25, 0.3, 0.4, 0.5, 0.7, 0.8, 0.9, 0.95, 1, 1, 0.95, 0.9, 0.9, 0.9, 0.95, 1, 1, 1, 0.9, 0.7, 0.5}
		w[public] = append(w[public], visitors[at])
	}
	return w
}

// local is the local time of the host at the beginning of an hour, to be read as if it were
// UTC.
func (e *Estate) local(h *Host, hour int) time.Time {
	return time.Unix(0, e.hour(hour)).UTC().Add(h.Zone)
}

// pulse is how full the hour is for the host.
func (e *Estate) pulse(h *Host, hour int) float64 {
	at := e.local(h, hour)
	role := &e.roles[h.profile]
	pulse := e.rhythms[role.rhythm][(int(at.Weekday())+6)%7*24+at.Hour()]
	if role.role == workstation && patchDay(at) && at.Hour() >= 9 {
		pulse *= 1.5
	}
	return pulse
}

// patchDay reports whether it is a month's second Tuesday.
func patchDay(at time.Time) bool {
	return at.Weekday() == time.Tuesday && at.Day() >= 8 && at.Day() <= 14
}

// weight is how many records there are when a host of weight 1 has one in a full hour.
func (e *Estate) weight() float64 {
	sum := 0.0
	for i := range e.hosts {
		h := &e.hosts[i]
		if h.profile < 0 {
			continue
		}
		share := e.roles[h.profile].weight * h.busy * h.recordsOf()
		for hour := range e.hours {
			sum += share * e.pulse(h, hour)
		}
	}
	return sum
}
