package traffic

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

func start() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }

func tuple(port int) incident.Tuple {
	return incident.Tuple{SrcIP: "10.0.1.4", SrcPort: port, DstIP: "203.0.113.9", DstPort: 53, Transport: "udp"}
}

func flow(port int, after time.Duration, bytes int64) incident.Flow {
	return incident.Flow{Start: start().Add(after), Tuple: tuple(port), BytesOut: bytes}
}

func conn(port int, after time.Duration, path string, pid int64) incident.Connection {
	return incident.Connection{At: start().Add(after), Tuple: tuple(port), Process: incident.Process{
		Path: incident.Known(path, incident.FromEDR), PID: incident.Known(pid, incident.FromEDR),
	}}
}

func TestJoin(t *testing.T) {
	const skew = -12 * time.Hour
	for _, c := range []struct {
		name        string
		flows       []incident.Flow
		conns       []incident.Connection
		path        string
		pid         int64
		attribution incident.Attribution
		rate        float64
		skew        time.Duration
	}{
		{
			name:        "clocks that differ by hours",
			flows:       []incident.Flow{flow(1, 0, 100), flow(2, time.Minute, 100), flow(3, 2*time.Minute, 100)},
			conns:       []incident.Connection{conn(1, skew, "a.exe", 7), conn(2, skew+time.Minute+9*time.Second, "a.exe", 7), conn(3, skew+2*time.Minute+4*time.Second, "a.exe", 7)},
			path:        "a.exe",
			pid:         7,
			attribution: incident.Exact,
			rate:        1,
			skew:        skew + 4*time.Second,
		},
		{
			name:        "a port that was used again much later does not match",
			flows:       []incident.Flow{flow(1, 0, 900), flow(2, 0, 500), flow(3, 0, 500)},
			conns:       []incident.Connection{conn(1, 203*time.Second, "reused.exe", 1), conn(2, 0, "a.exe", 7), conn(3, 0, "a.exe", 7)},
			path:        "a.exe",
			pid:         7,
			attribution: incident.Exact,
			rate:        2.0 / 3,
		},
		{
			name:        "bytes count, not connections",
			flows:       []incident.Flow{flow(1, 0, 9000), flow(2, 0, 10), flow(3, 0, 10)},
			conns:       []incident.Connection{conn(1, 0, "big.exe", 1), conn(2, 0, "small.exe", 2), conn(3, 0, "small.exe", 2)},
			path:        "big.exe",
			pid:         1,
			attribution: incident.Exact,
			rate:        1,
		},
		{
			name:        "unknown bytes: the flows count",
			flows:       []incident.Flow{flow(1, 0, -1), flow(2, 0, -1), flow(3, 0, -1)},
			conns:       []incident.Connection{conn(1, 0, "a.exe", 1), conn(2, 0, "a.exe", 1), conn(3, 0, "b.exe", 2)},
			path:        "a.exe",
			pid:         1,
			attribution: incident.Exact,
			rate:        1,
		},
		{
			name:        "the bulk has no process: the little that joined says nothing",
			flows:       []incident.Flow{flow(1, 0, 9000), flow(2, 0, 10)},
			conns:       []incident.Connection{{At: start(), Tuple: incident.Tuple{SrcIP: "10.0.1.4", SrcPort: 2, DstIP: "203.0.113.8", DstPort: 99, Transport: "udp"}, Process: incident.Process{Path: incident.Known("a.exe", incident.FromEDR)}}, {At: start(), Tuple: incident.Tuple{SrcIP: "10.0.1.4", SrcPort: 2, DstIP: "203.0.113.7", DstPort: 99, Transport: "udp"}, Process: incident.Process{Path: incident.Known("b.exe", incident.FromEDR)}}},
			attribution: incident.NoneJoined,
		},
		{
			name:        "several processes of one image",
			flows:       []incident.Flow{flow(1, 0, 10), flow(2, 0, 10), flow(3, 0, 10)},
			conns:       []incident.Connection{conn(1, 0, `C:\A.exe`, 1), conn(2, 0, `c:\a.exe`, 2), conn(3, 0, `C:\a.exe`, 3)},
			path:        `C:\A.exe`,
			attribution: incident.Exact,
			rate:        1,
		},
		{
			name:        "only the destination agrees",
			flows:       []incident.Flow{flow(1, 0, 10), flow(2, 0, 10)},
			conns:       []incident.Connection{conn(8, 0, "a.exe", 1), conn(9, 0, "a.exe", 1)},
			path:        "a.exe",
			pid:         1,
			attribution: incident.Destination,
		},
		{
			name:        "one equal tuple hours away is a port that was used again",
			flows:       []incident.Flow{flow(1, 0, 10)},
			conns:       []incident.Connection{conn(1, skew, "a.exe", 1)},
			path:        "a.exe",
			pid:         1,
			attribution: incident.Destination,
		},
		{
			name:        "one connection in the middle of a long flow",
			flows:       []incident.Flow{{Start: start(), Duration: 10 * time.Minute, Tuple: tuple(1), BytesOut: 10}},
			conns:       []incident.Connection{conn(1, 5*time.Minute, "a.exe", 1)},
			path:        "a.exe",
			pid:         1,
			attribution: incident.Exact,
			rate:        1,
		},
		{
			name:        "two images within one flow",
			flows:       []incident.Flow{flow(1, 0, 10)},
			conns:       []incident.Connection{conn(1, 0, "a.exe", 1), conn(1, 8*time.Second, "b.exe", 2)},
			attribution: incident.NoneJoined,
		},
		{
			name:        "two processes of an image within one flow",
			flows:       []incident.Flow{flow(1, 0, 10)},
			conns:       []incident.Connection{conn(1, 0, "a.exe", 1), conn(1, 8*time.Second, "a.exe", 2)},
			path:        "a.exe",
			attribution: incident.Exact,
			rate:        1,
			skew:        0,
		},
		{
			name:        "two images to one destination decide nothing",
			flows:       []incident.Flow{flow(1, 0, 10)},
			conns:       []incident.Connection{conn(8, 0, "a.exe", 1), conn(9, 0, "b.exe", 1)},
			attribution: incident.NoneJoined,
		},
		{
			name:        "an endpoint with no other connections",
			flows:       []incident.Flow{{Start: start(), Tuple: incident.Tuple{SrcIP: "10.0.1.4", SrcPort: 4, DstIP: "203.0.113.77", DstPort: 80, Transport: "tcp"}, BytesOut: 10}},
			conns:       []incident.Connection{conn(8, 0, "a.exe", 1), conn(9, 0, "a.exe", 1)},
			path:        "a.exe",
			pid:         1,
			attribution: incident.ProcessList,
		},
		{
			name:        "a process that the endpoint could not name",
			flows:       []incident.Flow{flow(1, 0, 10)},
			conns:       []incident.Connection{conn(1, 0, "&lt;unknown process&gt;", 1)},
			attribution: incident.NoneJoined,
			rate:        1,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Join(c.flows, c.conns)
			named := got.Process
			if c.attribution != incident.Exact {
				named = got.Candidate
			}
			path, _ := named.Path.Get()
			pid, _ := named.PID.Get()
			joinRate, _ := got.JoinRate.Get()
			clockSkew, _ := got.ClockSkew.Get()
			if path != c.path || pid != c.pid || got.Attribution != c.attribution || joinRate != c.rate || clockSkew != c.skew {
				t.Errorf("got %q pid %d, %s, rate %v, skew %v\nwant %q pid %d, %s, rate %v, skew %v",
					path, pid, got.Attribution, joinRate, clockSkew, c.path, c.pid, c.attribution, c.rate, c.skew)
			}
		})
	}
}

func TestJoinSaysOfSeveralProcessesOnlyWhatHoldsForAll(t *testing.T) {
	shell := func(port int, pid int64, line string) incident.Connection {
		c := conn(port, 0, `C:\Windows\powershell.exe`, pid)
		c.Process.CommandLine, c.Process.User = incident.Known(line, incident.FromEDR), incident.Known("alice", incident.FromEDR)
		return c
	}
	flows := []incident.Flow{flow(1, 0, 10), flow(2, 0, 10), flow(3, 0, 10)}
	got := Join(flows, []incident.Connection{shell(1, 1, "backup"), shell(2, 2, "upload"), shell(3, 3, "upload")})
	p := got.Process
	if got.Attribution != incident.Exact || p.PID.IsKnown() || p.CommandLine.IsKnown() || p.User != incident.Known("alice", incident.FromEDR) {
		t.Errorf("got %s, pid %v, command line %v, user %v; want exact, the first two unknown, alice", got.Attribution, p.PID, p.CommandLine, p.User)
	}
	if p.PID.Why() == "" || p.CommandLine.Why() == "" {
		t.Errorf("pid (%v) and command line (%v) do not say why they are unknown", p.PID, p.CommandLine)
	}
	got = Join(flows, []incident.Connection{shell(1, 1, "backup"), shell(2, 2, "upload"), shell(3, 2, "upload")})
	if line, _ := got.Process.CommandLine.Get(); line != "upload" {
		t.Errorf("command line is %v, want that of the process with most of the bytes", got.Process.CommandLine)
	}
}

func TestJoinLeavesOutWhatNoSensorSees(t *testing.T) {
	unseen := []incident.Tuple{
		{SrcIP: "127.0.0.1", SrcPort: 1, DstIP: "127.0.0.1", DstPort: 2, Transport: "tcp"},
		{SrcIP: "10.0.1.4", SrcPort: 5353, DstIP: "224.0.0.251", DstPort: 5353, Transport: "udp"},
		{SrcIP: "10.0.1.4", SrcPort: 137, DstIP: "10.0.1.255", DstPort: 137, Transport: "udp"},
		{SrcIP: "224.0.0.251", SrcPort: 5353, DstIP: "10.0.1.4", DstPort: 5353, Transport: "udp"},
		{SrcIP: "0:0:0:0:0:0:0:1", SrcPort: 1, DstIP: "0:0:0:0:0:0:0:1", DstPort: 389, Transport: "tcp"},
	}
	conns := []incident.Connection{conn(1, 0, "a.exe", 1)}
	for _, u := range unseen {
		conns = append(conns, incident.Connection{At: start(), Tuple: u, Process: incident.Process{Path: incident.Known("svchost.exe", incident.FromEDR)}})
	}
	got := Join([]incident.Flow{flow(1, 0, 10)}, conns)
	if r, ok := got.JoinRate.Get(); !ok || r != 1 {
		t.Errorf("join rate is %v, want 1", got.JoinRate)
	}
	if r := Join(nil, conns[1:]).JoinRate; r.IsKnown() {
		t.Errorf("join rate without a visible connection is %v, want unknown", r)
	}
}

func TestJoinAcceptsReceivedConnectionsNamedFromTheOtherEnd(t *testing.T) {
	f := incident.Flow{Start: start(), Tuple: incident.Tuple{SrcIP: "203.0.113.9", SrcPort: 4444, DstIP: "10.0.1.4", DstPort: 389, Transport: "udp"}, BytesOut: 10}
	c := incident.Connection{At: start(), Tuple: incident.Tuple{SrcIP: "10.0.1.4", SrcPort: 389, DstIP: "203.0.113.9", DstPort: 4444, Transport: "udp"}, Process: incident.Process{Name: incident.Known("lsass.exe", incident.FromEDR)}}
	if got := Join([]incident.Flow{f}, []incident.Connection{c}); got.Attribution != incident.Exact || got.Matched != 1 {
		t.Errorf("got %s with %d matched, want exact with 1", got.Attribution, got.Matched)
	}
}

func TestJoinByTheServiceThatAnswered(t *testing.T) {
	f := incident.Flow{Start: start(), Tuple: incident.Tuple{SrcIP: "10.0.1.4", SrcPort: 389, DstIP: "203.0.113.9", DstPort: 4444, Transport: "udp"}, BytesOut: 10}
	c := incident.Connection{At: start(), Tuple: incident.Tuple{SrcIP: "203.0.113.9", SrcPort: 5555, DstIP: "10.0.1.4", DstPort: 389, Transport: "udp"}, Process: incident.Process{Name: incident.Known("lsass.exe", incident.FromEDR)}}
	if got := Join([]incident.Flow{f}, []incident.Connection{c}); got.Attribution != incident.Destination || got.Matched != 0 {
		t.Errorf("got %s with %d matched, want destination with none", got.Attribution, got.Matched)
	}
}

func TestJoinDoesNotDependOnOrder(t *testing.T) {
	var flows []incident.Flow
	var conns []incident.Connection
	for i := range 60 {
		flows = append(flows, flow(i%40, time.Duration(i)*time.Second, int64(i%7)))
		conns = append(conns, conn(i%40, time.Duration(i)*time.Second, fmt.Sprintf("p%d.exe", i%2), int64(i%5)))
	}
	want := Join(flows, conns)
	for range 50 {
		rand.Shuffle(len(flows), func(i, j int) { flows[i], flows[j] = flows[j], flows[i] })
		rand.Shuffle(len(conns), func(i, j int) { conns[i], conns[j] = conns[j], conns[i] })
		if diff := cmp.Diff(fmt.Sprint(want), fmt.Sprint(Join(flows, conns))); diff != "" {
			t.Fatal(diff)
		}
	}
}
