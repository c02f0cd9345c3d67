package traffic

import (
	"cmp"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// index holds connections by tuple and time, and which tuple each flow has. It
// copies neither, for there may be a million of them.
type index struct {
	flows []incident.Flow
	conns []incident.Connection
	names *names
	// images decides which of the connections' paths are of one image.
	images *images
	// seen are the places in conns of the connections that a sensor could see,
	// those of one tuple side by side, earliest first; the last ones have no
	// time and therefore no tuple.
	seen []int32
	// at and destinationOf go with seen.
	at            []int64
	destinationOf []end
	// tuples are the places in seen of each tuple's connections; tupleOf is a
	// flow's tuple, -1 where no connection has it.
	tuples  []span
	tupleOf []int32
	// endsOf are the numbers of each flow's ends.
	endsOf []flowEnds
	// imageOf and processOf number who made each of conns; sameImage and
	// sameProcess say, for each of seen, where the run of equal ones ends.
	imageOf, processOf     []int32
	sameImage, sameProcess []int32
	// flowUses are the times at which each tuple was used, by its flows; useOf
	// numbers the uses of each tuple that its connections, in seen, are of.
	flowUses [][]use
	useOf    []int32
}

// span is a range of places, without its end.
type span struct{ begin, end int32 }

// end is one end of a connection, by the numbers of its address and transport.
type end struct{ ip, port, transport int32 }

func newEnd(ip int32, port int, transport int32) end {
	return end{ip, int32(min(max(port, -1), math.MaxUint16+1)), transport}
}

// flowEnds are the numbers of a flow's addresses and transport.
type flowEnds struct{ src, dst, transport int32 }

func (e flowEnds) of(f *incident.Flow) (src, dst end) {
	return newEnd(e.src, f.SrcPort, e.transport), newEnd(e.dst, f.DstPort, e.transport)
}

// ends are both of a tuple, in an order of their own, so that it does not
// matter who opened the connection.
type ends struct{ a, b end }

func endsOf(a, b end) ends {
	if a.ip > b.ip || a.ip == b.ip && a.port > b.port {
		a, b = b, a
	}
	return ends{a, b}
}

func newIndex(flows []incident.Flow, conns []incident.Connection) *index {
	x := &index{flows: flows, conns: conns, names: newNames()}
	x.number()
	for i := range conns {
		if !unseen(conns[i].Tuple) {
			x.seen = append(x.seen, int32(i))
		}
	}
	slices.SortFunc(x.seen, func(a, b int32) int { return compareConnections(&x.conns[a], &x.conns[b]) })
	numbers := x.sortByTuple()
	x.findTuples(numbers)
	x.sameImage, x.sameProcess = x.runs(x.imageOf), x.runs(x.processOf)
	x.flowUses = x.usesOfFlows()
	x.numberUses()
	return x
}

// findTuples finds the tuple of each flow among those of the connections.
func (x *index) findTuples(numbers map[ends]int32) {
	x.tupleOf, x.endsOf = make([]int32, len(x.flows)), make([]flowEnds, len(x.flows))
	for i := range x.flows {
		f := &x.flows[i]
		e := flowEnds{x.names.find(f.SrcIP), x.names.find(f.DstIP), x.names.transport(f.Transport)}
		x.endsOf[i], x.tupleOf[i] = e, -1
		if e.src < 0 || e.dst < 0 || e.transport < 0 || !timed(f.Start) {
			continue
		}
		if t, ok := numbers[endsOf(e.of(f))]; ok {
			x.tupleOf[i] = t
		}
	}
}

// number gives equal numbers to connections of one image and of one process.
// Without a process id, processes are the same if nothing distinguishes them.
func (x *index) number() {
	type process struct {
		image int32
		pid   int64
	}
	images, processes, others := map[string]int32{}, map[process]int32{}, map[incident.Process]int32{}
	// Many connections have few spellings.
	spellings := map[string]int32{}
	x.imageOf, x.processOf = make([]int32, len(x.conns)), make([]int32, len(x.conns))
	for i := range x.conns {
		x.imageOf[i] = numberOf(spellings, spelled(&x.conns[i].Process))
	}
	x.images = imagesOf(slices.Collect(maps.Keys(spellings)))
	keys, imageOf := make([]string, len(spellings)), make([]int32, len(spellings))
	for text, n := range spellings {
		keys[n] = x.images.key(text)
		imageOf[n] = numberOf(images, keys[n])
	}
	for i := range x.conns {
		p, key, n := &x.conns[i].Process, keys[x.imageOf[i]], imageOf[x.imageOf[i]]
		x.imageOf[i] = n
		if pid, ok := p.PID.Get(); ok {
			x.processOf[i] = numberOf(processes, process{n, pid})
			continue
		}
		alike := *p
		alike.Path = incident.Known(key, incident.FromEDR)
		x.processOf[i] = -1 - numberOf(others, alike)
	}
}

func numberOf[K comparable](numbers map[K]int32, key K) int32 {
	n, ok := numbers[key]
	if !ok {
		n = int32(len(numbers))
		numbers[key] = n
	}
	return n
}

// sortByTuple sorts seen, which is sorted by time, by tuple first, and returns
// the tuples' numbers.
func (x *index) sortByTuple() map[ends]int32 {
	numbers := map[ends]int32{}
	tupleOf, destinations := make([]int32, len(x.conns)), make([]end, len(x.conns))
	x.at, x.destinationOf = make([]int64, 0, len(x.seen)), make([]end, 0, len(x.seen))
	for _, i := range x.seen {
		c := &x.conns[i]
		src, dst := x.names.add(c.SrcIP, c.SrcPort, c.Transport), x.names.add(c.DstIP, c.DstPort, c.Transport)
		destinations[i], tupleOf[i] = dst, math.MaxInt32
		if timed(c.At) {
			tupleOf[i] = numberOf(numbers, endsOf(src, dst))
		}
	}
	slices.SortStableFunc(x.seen, func(a, b int32) int { return cmp.Compare(tupleOf[a], tupleOf[b]) })
	x.tuples = make([]span, len(numbers))
	for place, i := range x.seen {
		x.destinationOf = append(x.destinationOf, destinations[i])
		t := tupleOf[i]
		if t == math.MaxInt32 {
			continue
		}
		x.at = append(x.at, x.conns[i].At.UnixNano())
		if x.tuples[t].end == 0 {
			x.tuples[t].begin = int32(place)
		}
		x.tuples[t].end = int32(place) + 1
	}
	return numbers
}

// runs returns for each of seen where the run of equal values that it belongs
// to ends.
func (x *index) runs(of []int32) []int32 {
	ends := make([]int32, len(x.seen))
	for i := len(x.seen) - 1; i >= 0; i-- {
		ends[i] = int32(i) + 1
		if i+1 < len(x.seen) && of[x.seen[i]] == of[x.seen[i+1]] {
			ends[i] = ends[i+1]
		}
	}
	return ends
}

// claims appends the connections of a flow: those of its tuple whose times,
// corrected by one of the offsets, are within its life and the tolerance. It
// returns none where they are of several images or of another use of the tuple,
// for then the sender is open, and reports whether they are of one
// process.
func (x *index) claims(flow int, offsets []int64, by []span) (_ []span, oneProcess bool) {
	t := x.tupleOf[flow]
	if t < 0 {
		return nil, false
	}
	f := &x.flows[flow]
	oneProcess = true
	for _, offset := range offsets {
		s := x.reported(x.tuples[t], period{
			f.Start.UnixNano() + offset - int64(JoinTolerance), endOf(f) + offset + int64(JoinTolerance),
		})
		if s.begin == s.end {
			s = x.before(flow, t, offset)
		}
		if s.begin == s.end {
			continue
		}
		by = append(by, s)
		first, c := x.seen[by[0].begin], x.seen[s.begin]
		if x.imageOf[c] != x.imageOf[first] || x.sameImage[s.begin] < s.end || x.contested(s, t, offset) {
			return nil, false
		}
		oneProcess = oneProcess && x.processOf[c] == x.processOf[first] && x.sameProcess[s.begin] >= s.end
	}
	return by, oneProcess
}

// before returns the connections from which the use of its tuple that a flow is
// a part of began: those since the use's first record or, where it was under way
// when the window began, the last one before it. It returns none where
// connections of several images may have begun it.
func (x *index) before(flow int, t int32, offset int64) span {
	u, start := x.useOfFlow(flow), x.flows[flow].Start.UnixNano()
	s := x.reported(x.tuples[t], period{u.from + offset - int64(JoinTolerance), start + offset})
	if s.begin < s.end || !u.running {
		return s
	}
	all := x.reported(x.tuples[t], period{math.MinInt64, u.from + offset})
	if all.begin == all.end || x.sameImage[all.begin] < all.end {
		return span{}
	}
	return span{all.end - 1, all.end}
}

// reported returns the connections of a tuple in a period of the endpoint's
// clock.
func (x *index) reported(tuple span, in period) span {
	at := x.at[tuple.begin:tuple.end]
	begin, _ := slices.BinarySearch(at, in.from)
	end, _ := slices.BinarySearch(at, in.to+1)
	return span{tuple.begin + int32(begin), tuple.begin + int32(end)}
}

// names numbers addresses and transports. Of a connection's address every
// spelling is kept, so that it is read once.
type names struct {
	texts      map[string]int32
	addrs      map[netip.Addr]int32
	transports map[string]int32
	// last and lastTransport are the results of the last lookup.
	last, lastTransport string
	lastIP, lastNumber  int32
}

func newNames() *names {
	return &names{texts: map[string]int32{}, addrs: map[netip.Addr]int32{}, transports: map[string]int32{}, lastIP: -1, lastNumber: -1}
}

// add returns the end, and numbers new values.
func (n *names) add(ip string, port int, transport string) end {
	e := newEnd(-1, port, numberOf(n.transports, strings.ToLower(transport)))
	var ok bool
	if e.ip, ok = n.texts[ip]; ok {
		return e
	}
	next := int32(len(n.texts))
	if addr, err := parseAddr(ip); err == nil {
		if e.ip, ok = n.addrs[addr]; !ok {
			e.ip = next
			n.addrs[addr] = next
		}
	} else {
		e.ip = next
	}
	n.texts[ip] = e.ip
	return e
}

// find returns the number of an address, -1 where it has none.
func (n *names) find(ip string) int32 {
	// One host has few addresses: its own is mostly the one of the flow before.
	if ip == n.last && n.lastIP >= 0 {
		return n.lastIP
	}
	known, ok := n.texts[ip]
	if !ok {
		known = -1
		if addr, err := parseAddr(ip); err == nil {
			if of, ok := n.addrs[addr]; ok {
				known = of
			}
		}
	}
	if known >= 0 {
		n.last, n.lastIP = ip, known
	}
	return known
}

// transport returns the number of a transport, -1 where it has none.
func (n *names) transport(text string) int32 {
	if text == n.lastTransport && n.lastNumber >= 0 {
		return n.lastNumber
	}
	of, ok := n.transports[strings.ToLower(text)]
	if !ok {
		return -1
	}
	n.lastTransport, n.lastNumber = text, of
	return of
}

// parseAddr makes addresses of different origin comparable.
func parseAddr(ip string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(ip)
	return addr.Unmap().WithZone(""), err
}

// timed reports whether a time can be one that a recorder wrote: zero times of
// any kind cannot, and the sums of others do not overflow.
func timed(t time.Time) bool {
	const year2100 = 4102444800
	return t.Unix() > 0 && t.Unix() < year2100
}

// endOf is when a flow ended; no flow lasts longer than a year.
func endOf(f *incident.Flow) int64 {
	const year = 365 * 24 * time.Hour
	return f.Start.UnixNano() + int64(min(max(0, f.Duration), year))
}

// unseen reports whether no sensor on the network sees the connection.
func unseen(t incident.Tuple) bool {
	src, errSrc := parseAddr(t.SrcIP)
	dst, errDst := parseAddr(t.DstIP)
	if errSrc != nil || errDst != nil {
		return false
	}
	return src == dst || groupOrLocal(dst, subnetsAround(src)) || groupOrLocal(src, subnetsAround(dst))
}

func subnetsAround(addr netip.Addr) []netip.Prefix {
	bits := 64
	if addr.Is4() {
		bits = 24
	}
	// An address has a prefix of either length.
	p, _ := addr.Prefix(bits)
	return []netip.Prefix{p}
}

// compareConnections is an order that depends on the connections only.
func compareConnections(a, b *incident.Connection) int {
	if c := a.At.Compare(b.At); c != 0 {
		return c
	}
	return cmp.Or(compareTuples(a.Tuple, b.Tuple), compareValues(a.Process.Path, b.Process.Path),
		compareValues(a.Process.Name, b.Process.Name), compareValues(a.Process.PID, b.Process.PID),
		compareValues(a.Process.CommandLine, b.Process.CommandLine))
}

// compareValues puts unknown values first.
func compareValues[T cmp.Ordered](a, b incident.Value[T]) int {
	x, known := a.Get()
	y, too := b.Get()
	switch {
	case known == too:
		return cmp.Compare(x, y)
	case known:
		return 1
	default:
		return -1
	}
}

func compareTuples(a, b incident.Tuple) int {
	return cmp.Or(cmp.Compare(a.SrcIP, b.SrcIP), cmp.Compare(a.SrcPort, b.SrcPort),
		cmp.Compare(a.DstIP, b.DstIP), cmp.Compare(a.DstPort, b.DstPort), cmp.Compare(a.Transport, b.Transport))
}
