package loganalytics

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/flowmath"
)

// statement is the query for some hosts' flows that overlap [from, to).
type statement struct {
	*pipeline
	l        layout
	from, to time.Time
	// first and last bound TimeGenerated.
	first, last time.Time
}

// statement begins the query for a question: the flows, each as its host sees it.
func (s *Store) statement(q flowmath.Question) *statement {
	st := &statement{l: s.layout, from: q.From, to: q.To}
	st.first, st.last = st.l.stamps(q.From, q.To, s.config.Longest)
	st.pipeline = st.l.counting(st.first, st.last)
	if len(q.Addrs) > 0 {
		st.where(st.l.touching(q.Addrs))
	}
	st.l.flows(st.pipeline)
	st.where(fmt.Sprintf("Begun < %s and (Ended > %s or Begun >= %s)", datetime(q.To), datetime(q.From), datetime(q.From)))
	switch {
	case q.Own != nil:
		st.both(func(column string) string { return st.l.inAny(column, q.Own) })
	case q.Each:
		st.both(func(column string) string { return st.l.oneOf(column, q.Addrs) })
	case len(q.Addrs) > 0:
		st.one(q.Addrs)
	default:
		st.then("extend", "Out = true")
	}
	return st.seen()
}

// one keeps one host's flows, without those between its own addresses.
func (st *statement) one(addrs []netip.Addr) {
	st.then("extend", "Out = "+st.l.oneOf("Src", addrs), "Back = "+st.l.oneOf("Dst", addrs))
	st.where("Out != Back")
}

// both makes a flow of each end that is one of the hosts: one between two of them counts for
// both.
func (st *statement) both(isHost func(column string) string) {
	st.where("(" + isHost("Src") + " or " + isHost("Dst") + ")")
	st.then("extend", "Side = pack_array(1, 0)")
	st.then("mv-expand", "Side to typeof(long)")
	st.then("extend", "Out = Side == 1")
	st.where("(Out and " + isHost("Src") + ") or (not(Out) and " + isHost("Dst") + ")")
}

func (l layout) inAny(column string, own flowmath.Networks) string {
	any := make([]string, len(own))
	for i, p := range own {
		any[i] = l.within(column, p)
	}
	return anyOf(any)
}

// seen adds what is known of a flow from its host's end: see [flowmath.View]. A count that is
// missing was not seen. Where records are of whole flows, one without any packet has no
// counts, and a host that opened one has sent something.
func (st *statement) seen() *statement {
	st.then("extend", "Local = iff(Out, Src, Dst)", "Peer = iff(Out, Dst, Src)", "LocalPort = iff(Out, SrcPort, DstPort)", "PeerPort = iff(Out, DstPort, SrcPort)",
		"Mine = iff(Out, SrcBytes, DstBytes)", "Theirs = iff(Out, DstBytes, SrcBytes)", "MinePackets = iff(Out, SrcPackets, DstPackets)")
	if st.l.grows {
		st.then("extend", "Blank = 0", "OneWay = iff(Mine < 0, 1, 0)")
	} else {
		st.then("extend", fmt.Sprintf("Blank = iff(SrcBytes <= 0 and DstBytes <= 0 and SrcPackets <= 0 and DstPackets <= 0 and (SrcBytes == 0 or DstBytes == 0 or SrcPackets == 0 or DstPackets == 0), %d, 0)", flowmath.NoPackets))
		st.then("extend", "OneWay = iff(Blank > 0 or Mine < 0 or (Mine == 0 and (Out or MinePackets > 0)), 1, 0)")
	}
	st.then("extend", "Measured = 1 - OneWay", "Opened = iff(Out, 1, 0)")
	st.then("extend", "Sent = iff(Measured == 1, todouble(Mine), 0.0)", "Received = iff(Blank == 0 and Theirs > 0, todouble(Theirs), 0.0)",
		"Packets = iff(Measured == 1 and MinePackets > 0, todouble(MinePackets), 0.0)",
		"Uncounted = iff(Measured == 1 and (MinePackets < 0 or (MinePackets == 0 and Mine > 0)), 1, 0)")
	return st
}

// ends are the columns that make a flow of a host.
const ends = "Local, Peer, LocalPort, PeerPort, Proto, Opened"

// views ends the query with its flows one by one.
func (st *statement) views() *statement {
	st.then("project", ends, "Begun", "Ended", "Sent", "Received", "Packets = iff(Uncounted == 1, -1.0, Packets)", "Measured", "OneWay", "Blank", "Sensor")
	return st
}

// few keeps any n of the rows.
func (st *statement) few(n int) *statement {
	st.then("take", strconv.Itoa(n))
	return st
}

// largest keeps the n rows that are first in the order.
func (st *statement) largest(n int, order string) *statement {
	st.then("order by", order)
	return st.few(n)
}

// share adds the part of a flow that is in the window.
func (st *statement) share() {
	from, to := datetime(st.from), datetime(st.to)
	st.then("extend", fmt.Sprintf("Share = iff(Begun >= %[1]s and Ended <= %[2]s, 1.0, (min_of(Ended, %[2]s) - max_of(Begun, %[1]s)) / (Ended - Begun))", from, to))
}

// counted sums the shares of each 5-tuple once: of several sensors' counts the largest is
// used. Counts of one sensor add up.
func (st *statement) counted() *statement {
	st.share()
	st.summarize([]string{
		"Sent = sum(Sent * Share)", "Received = sum(Received * Share)", "Packets = sum(Packets * Share)", "Flows = count()",
		"Measured = max(Measured)", "OneWay = max(OneWay)", "Blank = max(Blank)", "Uncounted = max(Uncounted)", "Begun = min(Begun)", "Ended = max(Ended)",
	}, ends, "Sensor")
	st.then("extend", "Least = iff(Measured == 1, Sent, todouble(\"\"))")
	st.summarize([]string{
		"Sent = max(Sent)", "Received = max(Received)", "Packets = max(Packets)", "Low = min(Least)", "High = max(Least)", "Flows = max(Flows)",
		"Measured = max(Measured)", "OneWay = max(OneWay)", "Blank = max(Blank)", "Uncounted = max(Uncounted)", "Begun = min(Begun)", "Ended = max(Ended)",
	}, ends)
	st.then("extend", "Low = coalesce(Low, 0.0)", "High = coalesce(High, 0.0)",
		"OneWay = iff(Measured == 1, 0, OneWay)", "Blank = iff(Measured == 1, 0, Blank)")
	st.then("extend", "SentFlows = iff(Sent > 0 or Packets > 0 or (Opened == 1 and Measured + OneWay > 0), Flows, 0)", "Port = iff(Opened == 1, PeerPort, LocalPort)",
		"FirstPort = PeerPort", "LastPort = PeerPort")
	return st
}

// sums are the sums of the columns that counted leaves, under the same names.
func sums() []string {
	list := []string{"FirstPort = min(FirstPort)", "LastPort = max(LastPort)", "Blank = max(Blank)", "Uncounted = max(Uncounted)", "Begun = min(Begun)", "Ended = max(Ended)"}
	for _, name := range []string{"Sent", "Received", "Packets", "Low", "High", "Flows", "Measured", "OneWay", "SentFlows"} {
		list = append(list, name+" = sum("+name+")")
	}
	return list
}

func (st *statement) summarize(what []string, by ...string) {
	operator := strings.Join(what, ", ")
	if len(by) > 0 {
		operator += " by " + strings.Join(by, ", ")
	}
	st.then("summarize", operator)
}

// services sums each service of a host.
func (st *statement) services() *statement {
	st.counted().summarize(sums(), "Local", "Peer", "Port", "Proto", "Opened")
	return st
}

const largestFirst = "Sent desc, Packets desc, Peer asc, Port asc, Proto asc, Opened asc"

// totals sums all services, of each host or of all together, and counts the peers.
func (st *statement) totals(each bool) *statement {
	st.counted()
	if !each {
		st.then("extend", `Local = ""`)
	}
	st.summarize(sums(), "Local", "Peer")
	st.summarize(append(sums(), "Destinations = countif(SentFlows > 0)"), "Local")
	return st
}

// ranked sums what each host sent. A flow that several sensors saw counts several times.
func (st *statement) ranked() *statement {
	st.share()
	st.summarize([]string{"Sent = sum(Sent * Share)"}, "Local")
	return st
}

// parts sums what was sent in each of n windows of a length: of several sensors' counts of a
// 5-tuple the largest is used in each. With by, they are summed by these columns too.
func (st *statement) parts(length time.Duration, n int, by ...string) *statement {
	from, each := datetime(st.from), timespan(length)
	st.then("extend", fmt.Sprintf("FirstWindow = max_of(tolong((Begun - %s) / %s), 0)", from, each))
	st.then("extend", fmt.Sprintf("LastWindow = max_of(FirstWindow, min_of(%d, iff(Ended > Begun, tolong((Ended - %s - 1tick) / %s), FirstWindow)))", n-1, from, each))
	st.then("mv-expand", "Window = range(FirstWindow, LastWindow, 1) to typeof(long)")
	st.then("extend", fmt.Sprintf("PartBegun = max_of(Begun, %[1]s + Window * %[2]s)", from, each),
		fmt.Sprintf("PartEnded = min_of(Ended, %[1]s + (Window + 1) * %[2]s)", from, each))
	st.then("extend", "Sent = Sent * iff(Ended > Begun, (PartEnded - PartBegun) / (Ended - Begun), 1.0)")
	st.summarize([]string{"Sent = sum(Sent)", "Measured = max(Measured)", "OneWay = max(OneWay)"}, "Window", ends, "Sensor")
	st.summarize([]string{"Sent = max(Sent)", "Measured = max(Measured)", "OneWay = max(OneWay)"}, "Window", ends)
	st.then("extend", "OneWay = iff(Measured == 1, 0, OneWay)")
	st.summarize([]string{"Sent = sum(Sent)", "Measured = sum(Measured)", "OneWay = sum(OneWay)"}, append([]string{"Window"}, by...)...)
	return st
}

// sensors counts the records of each sensor.
func (st *statement) sensors() *statement {
	st.summarize([]string{
		"Records = count()", "Measured = max(Measured)", fmt.Sprintf("NoPackets = countif(Blank == %d)", flowmath.NoPackets), "Newest = max(Ended)",
	}, "Sensor")
	return st
}

// senders sums when each sensor named whom as the one who opened flows.
func (st *statement) senders() *statement {
	st.where("Out and (isnotempty(Device) or isnotempty(User))")
	st.summarize([]string{"First = min(Begun)", "Last = max(Ended)"}, "Local", "Sensor", "Device", "User")
	return st
}
