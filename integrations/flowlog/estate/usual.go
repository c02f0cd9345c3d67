package estate

import (
	"math"
	"net/netip"
	"time"
)

// hourly draws the usual flows of hosts.
type hourly struct {
	e       *Estate
	d       dice
	uses    []*use
	weights []float64
}

// uneven is the deviation of the logarithm of how often a host sends in an hour, unevenMean
// the mean of such numbers around 1.
const (
	uneven     = 0.4
	unevenMean = 1.0833
)

// of calls visit with the usual flows that the host begins in the hour. The flow is reused.
func (u *hourly) of(h *Host, hour int, visit func(*flow)) {
	if h.profile < 0 {
		return
	}
	e, d, role := u.e, u.d, &u.e.roles[h.profile]
	d.throw(e.config.Seed, forHour, uint64(h.index), uint64(hour))
	pulse := e.pulse(h, hour)
	n := int(d.around(e.rate*role.weight*h.busy*pulse/unevenMean, uneven) + d.Float64())
	if n == 0 {
		return
	}
	u.uses, u.weights = u.uses[:0], u.weights[:0]
	sum := 0.0
	for range n {
		use := role.draw(d)
		if h.sensor == proxyZurich && use.transport == udp {
			use = &role.uses[0] // nothing else than the web goes through a proxy
		}
		weight := 0.0
		if use.fixed == 0 {
			weight = use.size * math.Exp(role.tail*d.NormFloat64())
		}
		sum += weight
		u.uses, u.weights = append(u.uses, use), append(u.weights, weight)
	}
	volume := d.around(role.bytes*h.habit*pulse, role.spread)
	// What few flows of an hour carry is no more than what that many usually do.
	volume *= min(1, float64(n)/2)
	begin, end := e.hour(hour), e.config.End.UnixNano()
	for i, use := range u.uses {
		f := flow{
			at: begin + d.Int64N(int64(time.Hour)), host: int32(h.index), transport: use.transport, opened: !use.answers,
			program: int16(use.program), cause: usual,
		}
		f.out = int64(use.fixed)
		if use.fixed == 0 {
			f.out = int64(volume * u.weights[i] / sum)
		}
		f.in = int64(float64(f.out) * use.back * (0.5 + d.Float64()))
		f.count(use.packet)
		f.last = min(int64(float64(use.last)*d.ExpFloat64()), end-f.at)
		f.v6 = h.V6.IsValid() && d.IntN(3) == 0
		f.peer = u.peer(h, use, f.v6)
		client := ephemeral(d.Uint64())
		if f.opened {
			f.ownPort, f.peerPort = client, use.port
		} else {
			f.ownPort, f.peerPort = use.port, client
		}
		visit(&f)
	}
}

// draw draws one use of the role.
func (p *profile) draw(d dice) *use {
	at := d.Float64()
	for i := range p.uses {
		if at -= p.uses[i].share; at < 0 {
			return &p.uses[i]
		}
	}
	return &p.uses[0]
}

// peer draws one of the host's peers: some often, some seldom, and half of them the same
// for all hosts.
func (u *hourly) peer(h *Host, use *use, v6 bool) netip.Addr {
	at := u.d.Float64()
	number := uint64(at * at * float64(use.peers))
	lot := uint64(use.program)<<32 | number
	if number%2 == 1 {
		lot |= uint64(h.index+1) << 40
	}
	return outside(mix(u.e.config.Seed^mix(lot|forPeer<<56)), v6)
}
