package traffic

import (
	"cmp"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// JoinTolerance is how far a connection may be from its flow once the clocks are
// corrected. Sysmon writes its events in batches of up to 15 seconds; in
// seven real captures 95 of 100 pairs stayed within 10.
const JoinTolerance = 15 * time.Second

// JoinResult is the result of joining flows and connections.
type JoinResult struct {
	// Process is the sender, where the attribution is exact: connections of one
	// process, or of several of one image, match most of it. Where several share
	// the traffic its PID is unknown, and so is every field that differs between
	// them. Candidate is the possible sender where the attribution is a guess.
	Process, Candidate incident.Process
	Attribution        incident.Attribution
	// Explained is how many bytes the connections of Process match, Bytes how
	// many all flows have.
	Explained, Bytes int64
	// JoinRate is the share of the connections that found their flow. Those to
	// multicast, broadcast, link-local and loopback addresses are left out: no
	// sensor sees them.
	JoinRate incident.Value[float64]
	// ClockSkew is endpoint clock minus flow clock.
	ClockSkew incident.Value[time.Duration]
	// Matched counts the flows that found a connection, Flows all of them.
	Matched, Flows int
}

// Join determines which process sent the flows of a host. Flows and connections are
// matched by 5-tuple, whichever end comes first, and by time: the clocks'
// difference is the one on which the pairs of equal tuples agree, and a match
// is accepted when the corrected time is within [JoinTolerance] of the flow. A
// tuple alone is not a match, for ports are used again: where the pairs do not
// agree the clocks are assumed to be right, and where connections of several images
// fit one flow it is not attributed.
//
// A process is named only when it explains more than half of the bytes (of the
// flows, where the bytes are unknown). Where no process does, one is guessed in
// the same way by address and port alone, and last by the bare list of
// connections. A connection that found its flow is not used to guess the sender of
// the others. The result does not depend on the order of either list.
func Join(flows []incident.Flow, conns []incident.Connection) JoinResult {
	x := newIndex(flows, conns)
	offsets, skew := x.clocks()
	m := x.match(offsets)
	joined := m.joined()
	result := JoinResult{
		Attribution: incident.NoneJoined, ClockSkew: skew, JoinRate: rate(count(joined), len(x.seen)),
		Matched: m.flows, Flows: len(flows), Bytes: x.total().bytes,
	}
	if p, bytes, ok := x.majority(m.owned); ok {
		result.Process, result.Explained, result.Attribution = p, bytes, incident.Exact
	} else if p, _, ok := x.majority(x.byDestination(joined)); ok {
		result.Candidate, result.Attribution = p, incident.Destination
	} else if p, _, ok := x.listed(joined); ok {
		result.Candidate, result.Attribution = p, incident.ProcessList
	}
	return result
}

// Sender is the sender, known or guessed.
func (r *JoinResult) Sender() incident.Process {
	if r.Attribution == incident.Exact {
		return r.Process
	}
	return r.Candidate
}

// DisownAgent clears the process where it is one of the agents, and returns why:
// an agent sends for others. It is left as the candidate.
func (r *JoinResult) DisownAgent(agents []string) (why string) {
	if r.Attribution != incident.Exact || !isAgent(&r.Process, agents) {
		return ""
	}
	r.Process, r.Candidate, r.Attribution, r.Explained = incident.Process{}, r.Process, incident.NoneJoined, 0
	return "the traffic leaves through an agent, which sends for other programs of the host"
}

// Share returns the share of the bytes that the process explains, of what the
// host sent in all: the flows that were joined may be only the largest.
func (r *JoinResult) Share(bytesOut incident.Value[int64]) incident.Value[float64] {
	sent, ok := bytesOut.Get()
	all := max(sent, r.Bytes)
	switch {
	case r.Attribution != incident.Exact:
		return incident.NotKnown[float64]("no process is joined exactly")
	case !ok:
		return incident.NotKnown[float64](cmp.Or(bytesOut.Why(), "how much was sent is not known"))
	case all <= 0:
		return incident.NotKnown[float64]("nothing was sent")
	}
	return incident.Known(float64(r.Explained)/float64(all), incident.Computed)
}

func rate(joined, of int) incident.Value[float64] {
	if of == 0 {
		return incident.NotKnown[float64]("the endpoint reports no connection that a sensor could see")
	}
	return incident.Known(float64(joined)/float64(of), incident.Computed)
}

// owned is the flows of a connection: those of its own process, and those of some
// process of the same image.
type owned struct{ own, shared volume }

type volume struct {
	bytes   int64
	matches int
}

func (v *volume) add(f *incident.Flow) {
	v.bytes += max(0, f.BytesOut)
	v.matches++
}

func (v *volume) join(o volume) {
	v.bytes += o.bytes
	v.matches += o.matches
}

// matches is the result of [index.match].
type matches struct {
	// owned holds a volume for each of index.seen.
	owned []owned
	// edges marks the connections that were matched: at each place of index.seen
	// how many ranges of matched ones begin, less those that end.
	edges []int
	flows int
}

// joined reports for each of index.seen whether it found a flow.
func (m *matches) joined() []bool {
	joined, open := make([]bool, len(m.edges)-1), 0
	for i := range joined {
		open += m.edges[i]
		joined[i] = open > 0
	}
	return joined
}

func count(of []bool) (n int) {
	for _, is := range of {
		if is {
			n++
		}
	}
	return n
}

// match gives each flow to the connections that claim it.
func (x *index) match(offsets []int64) matches {
	m := matches{owned: make([]owned, len(x.seen)), edges: make([]int, len(x.seen)+1)}
	var by []span
	for i := range x.flows {
		var oneProcess bool
		by, oneProcess = x.claims(i, offsets, by[:0])
		if len(by) == 0 {
			continue
		}
		owner := &m.owned[by[0].begin]
		if oneProcess {
			owner.own.add(&x.flows[i])
		} else {
			owner.shared.add(&x.flows[i])
		}
		m.flows++
		for _, s := range by {
			m.edges[s.begin]++
			m.edges[s.end]--
		}
	}
	return m
}

// majority names the process that owns most of the flows' bytes, or most of
// the flows where no byte is known, and returns how many bytes those are.
func (x *index) majority(of []owned) (incident.Process, int64, bool) {
	return x.sum(of).winner(x.total())
}

func (x *index) total() (all volume) {
	for i := range x.flows {
		all.add(&x.flows[i])
	}
	return all
}

// sum adds up the flows of the connections. They are many and the processes few:
// the first connection of each represents it.
func (x *index) sum(of []owned) *shares {
	sums := map[int32]*owned{}
	var first []int32
	for i, o := range of {
		c := x.seen[i]
		sum, ok := sums[x.processOf[c]]
		if !ok {
			sum = &owned{}
			sums[x.processOf[c]] = sum
			first = append(first, c)
		}
		sum.own.join(o.own)
		sum.shared.join(o.shared)
	}
	shares := newShares(x.images)
	for _, c := range first {
		sum := sums[x.processOf[c]]
		if sum.own.matches > 0 {
			shares.add(x.conns[c].Process, sum.own)
		}
		if sum.shared.matches > 0 {
			shares.addShared(x.conns[c].Process, sum.shared)
		}
	}
	return shares
}

// byDestination gives each flow to a connection to the same address and port
// that found no flow of its own, where all such connections are of one image. For
// received traffic, an endpoint may name its own end as the destination.
func (x *index) byDestination(joined []bool) []owned {
	type destination struct {
		first              int
		mixed, mixedImages bool
	}
	ends := map[end]destination{}
	for i, c := range x.seen {
		if joined[i] {
			continue
		}
		e := x.destinationOf[i]
		d, ok := ends[e]
		if !ok {
			d.first = i
		}
		first := x.seen[d.first]
		d.mixed = d.mixed || x.processOf[first] != x.processOf[c]
		d.mixedImages = d.mixedImages || x.imageOf[first] != x.imageOf[c]
		ends[e] = d
	}
	of := make([]owned, len(x.seen))
	for i := range x.flows {
		f := &x.flows[i]
		src, dst := x.endsOf[i].of(f)
		d, ok := ends[dst]
		if !ok {
			d, ok = ends[src]
		}
		switch {
		case !ok || d.mixedImages:
		case d.mixed:
			of[d.first].shared.add(f)
		default:
			of[d.first].own.add(f)
		}
	}
	return of
}

// listed names the process that made most of the connections that found no flow.
func (x *index) listed(joined []bool) (incident.Process, int64, bool) {
	of := make([]owned, len(x.seen))
	for i := range of {
		if !joined[i] {
			of[i].own.matches = 1
		}
	}
	return x.sum(of).winner(volume{matches: len(of) - count(joined)})
}
