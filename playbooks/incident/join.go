package incident

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// JoinTolerance is how far a connection may lie from its flow once the clocks
// are corrected. Sysmon writes its events in batches of up to 15 seconds; in
// seven real captures 95 of 100 pairs stayed within 10.
const JoinTolerance = 15 * time.Second

// JoinResult is what joining flows and connections found.
type JoinResult struct {
	// Process is who sent, where one process explains most of it. Its PID is
	// unknown where several processes of one image share the traffic.
	Process     Process
	Attribution Attribution
	// JoinRate is the share of the connections that found their flow. Those to
	// multicast, broadcast, link-local and loopback addresses are left out: no
	// sensor sees them.
	JoinRate Value[float64]
	// ClockSkew is endpoint clock minus flow clock.
	ClockSkew Value[time.Duration]
	// Matched counts the flows that found a connection, Flows all of them.
	Matched, Flows int
}

// Join tells which process sent the flows of a host. Flows and connections are
// matched by 5-tuple; the clocks' difference is the median over the tuples that
// occur once on each side, and a match stands when the corrected time lies
// within [JoinTolerance] of the flow. A process is named only when it explains
// more than half of the bytes (of the flows, where the bytes are unknown).
// Where no process does, address and port alone decide in the same way, and
// last the bare list of connections. The result does not depend on the order
// of either list.
func Join(flows []Flow, conns []Connection) JoinResult {
	flows, conns = slices.Clone(flows), slices.Clone(conns)
	slices.SortFunc(flows, compareFlows)
	slices.SortStableFunc(conns, compareConnections)
	conns = slices.DeleteFunc(conns, func(c Connection) bool { return unseen(c.Tuple) })

	j := joiner{flows: flows, conns: conns, byTuple: indexConnections(conns)}
	result := JoinResult{Attribution: NoneJoined, Flows: len(flows)}
	skew, known := j.skew()
	if known {
		result.ClockSkew = Known(skew, Computed)
	} else {
		result.ClockSkew = NotKnown[time.Duration]("no 5-tuple occurs once among the flows and once among the connections")
	}
	owners, joined := j.exact(skew)
	for _, o := range owners {
		if o >= 0 {
			result.Matched++
		}
	}
	result.JoinRate = rate(joined, len(conns))
	if p, ok := j.majority(owners); ok {
		result.Process, result.Attribution = p, Exact
	} else if p, ok := j.majority(j.byDestination()); ok {
		result.Process, result.Attribution = p, Destination
	} else if p, ok := j.listed(); ok {
		result.Process, result.Attribution = p, ProcessList
	}
	return result
}

func rate(joined, of int) Value[float64] {
	if of == 0 {
		return NotKnown[float64]("the endpoint reports no connection that a sensor could see")
	}
	return Known(float64(joined)/float64(of), Computed)
}

type joiner struct {
	flows []Flow
	conns []Connection
	// byTuple holds the places in conns of each tuple.
	byTuple map[Tuple][]int
}

func indexConnections(conns []Connection) map[Tuple][]int {
	index := make(map[Tuple][]int, len(conns))
	for i, c := range conns {
		t := canonical(c.Tuple)
		index[t] = append(index[t], i)
	}
	return index
}

// candidates returns the connections of a flow. An endpoint may name the ends
// the other way round for what it received.
func (j *joiner) candidates(f Flow) []int {
	t := canonical(f.Tuple)
	if c := j.byTuple[t]; len(c) > 0 {
		return c
	}
	return j.byTuple[Tuple{t.DstIP, t.DstPort, t.SrcIP, t.SrcPort, t.Transport}]
}

// skew is the median difference over tuples that cannot be mistaken: one flow,
// one connection.
func (j *joiner) skew() (time.Duration, bool) {
	flowsOf := map[Tuple]int{}
	for _, f := range j.flows {
		flowsOf[canonical(f.Tuple)]++
	}
	var diffs []time.Duration
	for _, f := range j.flows {
		c := j.candidates(f)
		if flowsOf[canonical(f.Tuple)] == 1 && len(c) == 1 {
			diffs = append(diffs, j.conns[c[0]].At.Sub(f.Start))
		}
	}
	if len(diffs) == 0 {
		return 0, false
	}
	slices.Sort(diffs)
	return diffs[(len(diffs)-1)/2], true
}

// exact returns for each flow the connection that made it, or -1, and how many
// connections found a flow.
func (j *joiner) exact(skew time.Duration) (owners []int, joined int) {
	owners = make([]int, len(j.flows))
	found := make([]bool, len(j.conns))
	for i, f := range j.flows {
		owners[i] = -1
		var best time.Duration
		for _, c := range j.candidates(f) {
			d := distance(j.conns[c].At.Add(-skew), f)
			if d > JoinTolerance {
				continue
			}
			found[c] = true
			if owners[i] < 0 || d < best {
				owners[i], best = c, d
			}
		}
	}
	for _, f := range found {
		if f {
			joined++
		}
	}
	return owners, joined
}

// distance is how far a time lies from a flow's life.
func distance(at time.Time, f Flow) time.Duration {
	end := f.Start.Add(f.Duration)
	switch {
	case at.Before(f.Start):
		return f.Start.Sub(at)
	case at.After(end):
		return at.Sub(end)
	default:
		return 0
	}
}

// byDestination returns for each flow a connection to the same address and
// port, where all such connections are of one image. For what it received, an
// endpoint may name its own end as the destination.
func (j *joiner) byDestination() []int {
	type destination struct {
		ip        string
		port      int
		transport string
	}
	first := map[destination]int{}
	for i, c := range j.conns {
		t := canonical(c.Tuple)
		d := destination{t.DstIP, t.DstPort, t.Transport}
		if o, ok := first[d]; !ok {
			first[d] = i
		} else if o >= 0 && image(j.conns[o].Process) != image(c.Process) {
			first[d] = -1
		}
	}
	owners := make([]int, len(j.flows))
	for i, f := range j.flows {
		owners[i] = -1
		t := canonical(f.Tuple)
		if o, ok := first[destination{t.DstIP, t.DstPort, t.Transport}]; ok {
			owners[i] = o
		} else if o, ok := first[destination{t.SrcIP, t.SrcPort, t.Transport}]; ok {
			owners[i] = o
		}
	}
	return owners
}

// listed names the process that made most of the connections.
func (j *joiner) listed() (Process, bool) {
	shares := newShares()
	for _, c := range j.conns {
		shares.add(c.Process, 0)
	}
	return shares.winner(0, len(j.conns))
}

// majority names the process that owns most of the flows' bytes, or most of
// the flows where no byte is known.
func (j *joiner) majority(owners []int) (Process, bool) {
	shares := newShares()
	var total int64
	for i, f := range j.flows {
		bytes := max(0, f.BytesOut)
		total += bytes
		if owners[i] >= 0 {
			shares.add(j.conns[owners[i]].Process, bytes)
		}
	}
	return shares.winner(total, len(j.flows))
}

// image identifies what runs, whichever process runs it. Windows paths ignore
// case.
func image(p Process) string {
	if path, ok := p.Path.Get(); ok {
		return strings.ToLower(path)
	}
	name, _ := p.Name.Get()
	return strings.ToLower(name)
}

type share struct {
	image   string
	process Process
	bytes   int64
	matches int
	pids    map[int64]*share
}

// shares sums bytes and matches by image, and within it by process id. Images
// stand in the order in which they were added, so that ties do not hang on a
// map.
type shares struct {
	index map[string]*share
	order []*share
}

func newShares() *shares { return &shares{index: map[string]*share{}} }

// add counts one match. A process without path and name stands for nobody: an
// EDR writes such a row for what it could not attribute.
func (s *shares) add(p Process, bytes int64) {
	key := image(p)
	if key == "" || strings.Contains(key, "<unknown process>") || strings.Contains(key, "&lt;unknown process&gt;") {
		return
	}
	of, ok := s.index[key]
	if !ok {
		of = &share{image: key, process: p, pids: map[int64]*share{}}
		s.index[key] = of
		s.order = append(s.order, of)
	}
	of.bytes += bytes
	of.matches++
	pid, ok := p.PID.Get()
	if !ok {
		return
	}
	one, ok := of.pids[pid]
	if !ok {
		one = &share{process: p}
		of.pids[pid] = one
	}
	one.bytes += bytes
	one.matches++
}

// winner returns the image with the most bytes, then the most matches, then
// the first path, when it has more than half of the total.
func (s *shares) winner(bytes int64, matches int) (Process, bool) {
	if len(s.order) == 0 {
		return Process{}, false
	}
	best := slices.MaxFunc(s.order, func(a, b *share) int {
		return cmp.Or(cmp.Compare(a.bytes, b.bytes), cmp.Compare(a.matches, b.matches), cmp.Compare(b.image, a.image))
	})
	if !best.most(bytes, matches) {
		return Process{}, false
	}
	for _, one := range best.pids {
		if one.most(bytes, matches) {
			return one.process, true
		}
	}
	p := best.process
	if len(best.pids) > 1 {
		p.PID = NotKnown[int64](fmt.Sprintf("%d processes of this image share the traffic", len(best.pids)))
	}
	return p, true
}

func (s *share) most(bytes int64, matches int) bool {
	if bytes > 0 {
		return s.bytes > bytes/2
	}
	return s.matches*2 > matches
}

// unseen tells whether no sensor on the network sees the connection.
func unseen(t Tuple) bool {
	t = canonical(t)
	src, errSrc := netip.ParseAddr(t.SrcIP)
	dst, errDst := netip.ParseAddr(t.DstIP)
	if errSrc != nil || errDst != nil {
		return false
	}
	return src == dst || src.IsLoopback() || src.IsMulticast() || groupOrLocal(dst, subnetsOf([]string{t.SrcIP})) ||
		groupOrLocal(src, subnetsOf([]string{t.DstIP}))
}

// canonical makes tuples of different origin comparable.
func canonical(t Tuple) Tuple {
	t.SrcIP, t.DstIP = canonicalIP(t.SrcIP), canonicalIP(t.DstIP)
	t.Transport = strings.ToLower(t.Transport)
	return t
}

func canonicalIP(ip string) string {
	addr, err := netip.ParseAddr(ip)
	if err != nil {
		return ip
	}
	return addr.Unmap().WithZone("").String()
}

func compareTuples(a, b Tuple) int {
	return cmp.Or(cmp.Compare(a.SrcIP, b.SrcIP), cmp.Compare(a.SrcPort, b.SrcPort),
		cmp.Compare(a.DstIP, b.DstIP), cmp.Compare(a.DstPort, b.DstPort), cmp.Compare(a.Transport, b.Transport))
}

func compareFlows(a, b Flow) int {
	return cmp.Or(a.Start.Compare(b.Start), compareTuples(a.Tuple, b.Tuple), cmp.Compare(b.BytesOut, a.BytesOut),
		cmp.Compare(a.Duration, b.Duration))
}

func compareConnections(a, b Connection) int {
	pidA, _ := a.Process.PID.Get()
	pidB, _ := b.Process.PID.Get()
	return cmp.Or(a.At.Compare(b.At), compareTuples(a.Tuple, b.Tuple),
		cmp.Compare(image(a.Process), image(b.Process)), cmp.Compare(pidA, pidB))
}
