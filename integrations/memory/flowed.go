package memory

import (
	"cmp"
	"maps"
	"math"
	"math/bits"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// volume is what went over one lane.
type volume struct{ out, in int64 }

// flowed is what the estate's sensor saw on a host's lanes in [from, to), the agent's
// channel last.
func (e *Estate) flowed(h *host, from, to time.Time) []volume {
	return e.integrate(h, from, to, e.unseen)
}

// integrate is what goes over a host's lanes in [from, to) with everything in force but
// what is left out, the agent's channel last. It is exact: nothing changes between two
// cuts, and bytes are counted from the cut before, so that the sum over adjoining windows
// is the sum over their union.
func (e *Estate) integrate(h *host, from, to time.Time, without func(*containment) bool) []volume {
	got := make([]volume, len(h.lanes)+1)
	if now := e.now(); to.After(now) {
		to = now
	}
	if !from.Before(to) {
		return got
	}
	cuts := e.cuts(h, from, to)
	for i := 0; i+1 < len(cuts); i++ {
		begin, end := cuts[i], cuts[i+1]
		left, right := later(begin, from), earlier(end, to)
		if !left.Before(right) {
			continue
		}
		for n, rate := range e.rates(h, begin, without) {
			got[n].out += bytesOf(rate.out, right.Sub(begin)) - bytesOf(rate.out, left.Sub(begin))
			got[n].in += bytesOf(rate.in, right.Sub(begin)) - bytesOf(rate.in, left.Sub(begin))
		}
	}
	return got
}

// cuts are the moments around [from, to) at which a rate can change, sorted.
// They depend on the window only by its hours, and a later cut does not move those
// before it.
func (e *Estate) cuts(h *host, from, to time.Time) []time.Time {
	first, last := from.Truncate(time.Hour), to.Truncate(time.Hour).Add(time.Hour)
	moments := map[int64]time.Time{}
	add := func(at time.Time) {
		if !at.IsZero() && !at.Before(first) && !at.After(last) {
			moments[at.UnixNano()] = at
		}
	}
	for at := first; !at.After(last); at = at.Add(time.Hour) {
		add(at)
	}
	for _, l := range h.lanes {
		add(l.from)
		add(l.to)
	}
	for _, c := range e.containments {
		if c.Order.Target.ID() == h.ID {
			add(c.StandsAt)
			add(c.EndsAt)
			add(c.ExpiresAt)
			for _, t := range c.Tightened {
				add(t.At)
			}
		}
	}
	for _, k := range e.kills {
		if k.Host == h.ID {
			add(k.At)
		}
	}
	cuts := slices.Collect(maps.Values(moments))
	slices.SortFunc(cuts, time.Time.Compare)
	return cuts
}

// rates returns the lanes' rates at a moment with everything that is in force but what is
// left out, the agent's channel last: isolation stops all but that channel, a block stops
// what it matches, a killed process sends nothing, and what is left of each limit's
// traffic shares it in proportion, the lowest first.
func (e *Estate) rates(h *host, at time.Time, without func(*containment) bool) []volume {
	rates := make([]volume, len(h.lanes)+1)
	var filters []incident.Filter
	var limits []incident.Order
	for _, c := range e.containments {
		if c.Order.Target.ID() != h.ID || c.Ineffective || c.Elsewhere || !c.stands(at) || without(c) {
			continue
		}
		switch c.Order.Action {
		case incident.Isolate:
			rates[len(h.lanes)] = volume{out: agentRate, in: agentRate}
			return rates
		case incident.Block:
			filters = append(filters, *c.Order.Filter)
		case incident.RateLimit:
			limit := c.Order
			limit.Rate = c.rate(at)
			limits = append(limits, limit)
		case incident.Notify, incident.Collect, incident.KillProcess:
		}
	}
	for i, l := range h.lanes {
		if !l.active(at) || e.killed(h.ID, l.process, at) {
			continue
		}
		rates[i].out, rates[i].in = l.rates(at)
		for _, f := range filters {
			rates[i] = l.blocked(f, rates[i])
		}
	}
	slices.SortStableFunc(limits, func(a, b incident.Order) int { return cmp.Compare(a.Rate, b.Rate) })
	for _, o := range limits {
		h.limit(o, rates)
	}
	return rates
}

// limit bounds the rates of the lanes that a limit is for.
func (h *host) limit(o incident.Order, rates []volume) {
	var sum int64
	for i, l := range h.lanes {
		if o.Filter == nil || l.matches(*o.Filter) {
			sum += rates[i].out
		}
	}
	if sum <= o.Rate {
		return
	}
	for i, l := range h.lanes {
		if o.Filter == nil || l.matches(*o.Filter) {
			rates[i] = volume{out: share(rates[i].out, o.Rate, sum), in: share(rates[i].in, o.Rate, sum)}
		}
	}
}

// matches reports whether a filter is for the lane, in whichever direction.
func (l lane) matches(f incident.Filter) bool {
	return (f.RemoteIP == "" || f.RemoteIP == l.dst) &&
		(f.RemotePort == 0 || f.RemotePort == l.dstPort) &&
		(f.LocalPort == 0 || f.LocalPort == l.srcPort) &&
		(f.Transport == "" || f.Transport == l.transport)
}

// blocked returns the lane's rates under a filter. Where the host only answers,
// stopping the requests stops the answers.
func (l lane) blocked(f incident.Filter, rate volume) volume {
	switch {
	case !l.matches(f):
		return rate
	case f.Direction == incident.Inbound && !l.answers():
		return volume{out: rate.out}
	default:
		return volume{}
	}
}

// bytesOf is rate times time, rounded down, without overflow.
func bytesOf(bitsPerSecond int64, d time.Duration) int64 {
	const bitsPerByteSecond = 8 * uint64(time.Second)
	hi, lo := bits.Mul64(uint64(bitsPerSecond), uint64(d))
	n, _ := bits.Div64(hi, lo, bitsPerByteSecond)
	return int64(n)
}

// share is n*part/whole, rounded down, without overflow; part is below whole.
func share(n, part, whole int64) int64 {
	hi, lo := bits.Mul64(uint64(n), uint64(part))
	q, _ := bits.Div64(hi, lo, uint64(whole))
	return int64(q)
}

// bitsPerSecond is the rate of so many bytes in such a time.
func bitsPerSecond(bytes int64, d time.Duration) int64 {
	if d <= 0 || bytes < 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(bytes), 8*uint64(time.Second))
	if hi >= uint64(d) {
		return math.MaxInt64
	}
	rate, _ := bits.Div64(hi, lo, uint64(d))
	return int64(min(rate, math.MaxInt64))
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
