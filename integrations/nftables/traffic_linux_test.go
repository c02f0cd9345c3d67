package nftables

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// network is a host's network, a gateway and what is beyond it, each in a namespace.
type network struct {
	hosts, gateway, internet space
}

// The addresses of the hosts and of the far end, IPv4 and IPv6.
const (
	hostA, hostB, hostC = "192.0.2.2", "192.0.2.3", "192.0.2.4"
	hostA6              = "2001:db8::2"
	farEnd, farEnd6     = "198.51.100.1", "2001:db8:f::1"
)

func newNetwork(t testing.TB) network {
	t.Helper()
	if _, err := exec.LookPath("iperf3"); err != nil {
		t.Skip("SKIPPED: iperf3 is not installed")
	}
	n := network{newSpace(t), newSpace(t), newSpace(t)}
	for _, s := range []space{n.hosts, n.gateway, n.internet} {
		// Nobody else has the addresses: they need not be tried out for a second.
		s.in("sysctl", "-q", "-w", "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.accept_dad=0")
	}
	link := func(a, b space, name string) {
		run(t, nil, "ip", "-n", a.name, "link", "add", name, "type", "veth", "peer", "name", name, "netns", b.name)
		for _, s := range []space{a, b} {
			run(t, nil, "ip", "-n", s.name, "link", "set", name, "up")
		}
	}
	link(n.hosts, n.gateway, "lan")
	link(n.gateway, n.internet, "wan")
	address := func(s space, on string, addresses ...string) {
		for _, a := range addresses {
			args := []string{"-n", s.name, "addr", "add", a, "dev", on}
			if strings.Contains(a, ":") {
				args = append(args, "nodad")
			}
			run(t, nil, "ip", args...)
		}
	}
	address(n.hosts, "lan", hostA+"/24", hostB+"/24", hostC+"/24", hostA6+"/64")
	address(n.gateway, "lan", "192.0.2.1/24", "2001:db8::1/64")
	address(n.gateway, "wan", "198.51.100.254/24", "2001:db8:f::fe/64")
	address(n.internet, "wan", farEnd+"/24", farEnd6+"/64")
	run(t, nil, "ip", "-n", n.hosts.name, "route", "add", "default", "via", "192.0.2.1")
	run(t, nil, "ip", "-n", n.hosts.name, "-6", "route", "add", "default", "via", "2001:db8::1")
	run(t, nil, "ip", "-n", n.internet.name, "route", "add", "default", "via", "198.51.100.254")
	run(t, nil, "ip", "-n", n.internet.name, "-6", "route", "add", "default", "via", "2001:db8:f::fe")
	n.gateway.in("sysctl", "-q", "-w", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
	return n
}

// sending is one run of iperf3 from a host to the far end.
type sending struct {
	from string
	port int
	// udp is at what rate datagrams are sent, such as 40M; empty is TCP, as fast as it goes
	// or as paced says.
	udp, paced string
	seconds    int
	// omit is how many seconds before are not counted.
	omit int
	// back has the far end send.
	back bool
}

// received is what the other end got: bits a second, and bytes.
type received struct {
	rate  float64
	bytes int64
}

// send sends, and returns what arrived.
func (n network) send(t testing.TB, s sending) received {
	t.Helper()
	return n.all(t, s)[0]
}

// all sends at the same time.
func (n network) all(t testing.TB, all ...sending) []received {
	t.Helper()
	got, errs := make([]received, len(all)), make([]error, len(all))
	var wg sync.WaitGroup
	for i, s := range all {
		server := n.listen(t, s.port)
		wg.Go(func() { got[i], errs[i] = n.iperf(t.Context(), s, server) })
	}
	wg.Wait()
	require.NoError(t, errors.Join(errs...))
	return got
}

// listen starts a server at the far end, which ends after one run, and waits until it listens.
func (n network) listen(t testing.TB, port int) *exec.Cmd {
	t.Helper()
	server := exec.CommandContext(t.Context(), "ip", "netns", "exec", n.internet.name, "iperf3", "-s", "-1", "-J", "-i", "0", "-p", strconv.Itoa(port))
	server.Stdout = &strings.Builder{}
	require.NoError(t, server.Start())
	wait(t, fmt.Sprintf("nobody listens on %d", port), func() bool {
		return strings.Contains(n.internet.in("ss", "-Hltn"), fmt.Sprintf(":%d ", port))
	})
	return server
}

// iperf runs one client, and reads what the end that receives says.
func (n network) iperf(ctx context.Context, s sending, server *exec.Cmd) (received, error) {
	to := farEnd
	if strings.Contains(s.from, ":") {
		to = farEnd6
	}
	args := []string{
		"netns", "exec", n.hosts.name, "iperf3", "-c", to, "-B", s.from, "-p", strconv.Itoa(s.port), "-J", "-i", "0",
		"-t", strconv.Itoa(s.seconds), "-O", strconv.Itoa(s.omit), "--connect-timeout", "5000",
	}
	if s.udp != "" {
		args = append(args, "-u", "-l", "1200", "-b", s.udp)
	}
	if s.paced != "" {
		args = append(args, "-b", s.paced)
	}
	if s.back {
		args = append(args, "-R")
	}
	// Where nothing comes through it would try for minutes.
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	seen, err := exec.CommandContext(ctx, "ip", args...).CombinedOutput()
	if err != nil {
		return received{}, errors.Join(fmt.Errorf("iperf3: %w: %s", err, seen), server.Process.Kill(), server.Wait())
	}
	defer time.AfterFunc(30*time.Second, func() { _ = server.Process.Kill() }).Stop()
	if err := server.Wait(); err != nil {
		return received{}, fmt.Errorf("iperf3 at the far end: %w", err)
	}
	if !s.back {
		seen = []byte(fmt.Sprint(server.Stdout))
	}
	var r struct {
		End struct {
			Received struct {
				Bytes int64   `json:"bytes"`
				Rate  float64 `json:"bits_per_second"`
			} `json:"sum_received"`
		} `json:"end"`
	}
	err = json.Unmarshal(seen, &r)
	return received{r.End.Received.Rate, r.End.Received.Bytes}, err
}

// within fails unless a rate is as far as a part of it from the one that is wanted.
func within(t testing.TB, what string, got float64, want int64, part float64) {
	t.Helper()
	t.Logf("%s: %s of %s", what, incident.FormatRate(int64(got)), incident.FormatRate(want))
	assert.InEpsilon(t, float64(want), got, part, what)
}

func TestTrafficIsLimited(t *testing.T) {
	n := newNetwork(t)
	g := n.gateway.gateway()
	a, b := order(t, "key-a", hostA, hostA6), order(t, "key-b", hostB)
	a.Rate, b.Rate = 10_000_000, 4_000_000
	apply(t, g, a)
	apply(t, g, b)
	got := n.all(t,
		sending{from: hostA, port: 5201, seconds: 6, omit: 2},
		sending{from: hostB, port: 5202, seconds: 6, omit: 2},
		sending{from: hostC, port: 5203, seconds: 6, omit: 2, paced: "100M"},
	)
	within(t, "TCP of the first host", got[0].rate, a.Rate, 0.35)
	within(t, "TCP of the second host", got[1].rate, b.Rate, 0.35)
	within(t, "TCP of a host without a limit", got[2].rate, 100_000_000, 0.05)

	before := reading(t, g, a).Counters
	udp := n.send(t, sending{from: hostA, port: 5204, udp: "40M", seconds: 5})
	after := reading(t, g, a).Counters
	passed, dropped := after.PassedBytes-before.PassedBytes, after.DroppedBytes-before.DroppedBytes
	assert.InEpsilon(t, udp.bytes, passed, 0.1, "what was let through is what arrived")
	assert.InEpsilon(t, 5*40_000_000/8-udp.bytes, dropped, 0.1, "what was dropped is what did not arrive")

	both := n.all(t,
		sending{from: hostA, port: 5205, udp: "30M", seconds: 4, omit: 1},
		sending{from: hostA6, port: 5206, udp: "30M", seconds: 4, omit: 1},
	)
	within(t, "UDP of both addresses of a host", both[0].rate+both[1].rate, a.Rate, 0.1)
	six := n.send(t, sending{from: hostA6, port: 5207, seconds: 5, omit: 2})
	within(t, "TCP over IPv6", six.rate, a.Rate, 0.35)

	_, err := g.Undo(t.Context(), a)
	require.NoError(t, err)
	free := n.send(t, sending{from: hostA, port: 5208, udp: "40M", seconds: 3})
	within(t, "UDP after the limit", free.rate, 40_000_000, 0.05)
}

func TestASelectorLimitsWhatItNames(t *testing.T) {
	for name, tt := range map[string]struct {
		filter       incident.Filter
		named, other sending
	}{
		"a remote port":     {incident.Filter{Direction: incident.Outbound, RemotePort: 5301}, sending{from: hostA, port: 5301, udp: "20M"}, sending{from: hostA, port: 5302, udp: "20M"}},
		"a transport":       {incident.Filter{Direction: incident.Outbound, Transport: "udp"}, sending{from: hostA, port: 5303, udp: "20M"}, sending{from: hostA, port: 5304, paced: "20M"}},
		"a remote address":  {incident.Filter{Direction: incident.Outbound, RemoteIP: farEnd}, sending{from: hostA, port: 5305, udp: "20M"}, sending{from: hostA6, port: 5306, udp: "20M"}},
		"all of it":         {incident.Filter{Direction: incident.Outbound, RemoteIP: farEnd6, RemotePort: 5307, Transport: "tcp"}, sending{from: hostA6, port: 5307}, sending{from: hostA, port: 5308, paced: "20M"}},
		"inbound, a remote": {incident.Filter{Direction: incident.Inbound, RemotePort: 5309}, sending{from: hostA, port: 5309, udp: "20M", back: true}, sending{from: hostA, port: 5310, udp: "20M", back: true}},
		"inbound, as such":  {incident.Filter{Direction: incident.Inbound, Transport: "udp"}, sending{from: hostA, port: 5311, udp: "20M", back: true}, sending{from: hostA, port: 5312, udp: "20M"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newNetwork(t)
			g := n.gateway.gateway()
			o := order(t, "key-"+name, hostA, hostA6)
			o.Rate, o.Filter = 4_000_000, &tt.filter
			apply(t, g, o)
			tt.named.seconds, tt.named.omit, tt.other.seconds, tt.other.omit = 4, 2, 4, 2
			got := n.all(t, tt.named, tt.other)
			within(t, "what is named", got[0].rate, o.Rate, 0.35)
			within(t, "what is not", got[1].rate, 20_000_000, 0.05)
		})
	}
}

// reaches reports whether a host can connect to a port of another machine, on which something
// listens in that namespace.
func (n network) reaches(from string, at space, to string) bool {
	var l net.Listener
	at.inside(func() error {
		var err error
		l, err = net.Listen("tcp", net.JoinHostPort(to, "0"))
		return err
	})
	defer func() { _ = l.Close() }()
	var err error
	n.hosts.inside(func() error {
		d := net.Dialer{Timeout: time.Second, LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
		var conn net.Conn
		if conn, err = d.Dial("tcp", l.Addr().String()); err == nil {
			_ = conn.Close()
		}
		return nil
	})
	return err == nil
}

func TestABlockStopsWhatItNames(t *testing.T) {
	n := newNetwork(t)
	g := n.gateway.gateway()
	o := order(t, "key-1", hostA, hostA6)
	o.Action, o.Rate, o.Filter = incident.Block, 0, &incident.Filter{Direction: incident.Outbound, Transport: "tcp"}
	require.True(t, n.reaches(hostA, n.internet, farEnd))
	require.True(t, n.reaches(hostA6, n.internet, farEnd6))
	apply(t, g, o)
	assert.False(t, n.reaches(hostA, n.internet, farEnd))
	assert.False(t, n.reaches(hostA6, n.internet, farEnd6))
	assert.True(t, n.reaches(hostB, n.internet, farEnd))
	r := reading(t, g, o)
	assert.Positive(t, r.Counters.DroppedPackets)
	assert.Zero(t, r.Counters.PassedPackets)
	assert.True(t, n.reaches(hostA, n.gateway, "192.0.2.1"), "the gateway itself is reached")
	_, err := g.Undo(t.Context(), o)
	require.NoError(t, err)
	assert.True(t, n.reaches(hostA, n.internet, farEnd))
}

// Whoever makes a table first: theirs drops, and ours limits.
func TestTheRulesOfOthersStillHold(t *testing.T) {
	const theirs = "table inet filter {\n chain forward {\n type filter hook forward priority 0; policy accept;\n ip saddr " + hostB + " drop\n accept\n }\n}\n"
	for name, first := range map[string]bool{"theirs first": true, "ours first": false} {
		t.Run(name, func(t *testing.T) {
			n := newNetwork(t)
			g := n.gateway.gateway()
			if first {
				n.gateway.load(theirs)
			}
			for i, host := range []string{hostA, hostB} {
				apply(t, g, order(t, fmt.Sprintf("key-%d", i), host))
			}
			if !first {
				n.gateway.load(theirs)
			}
			assert.False(t, n.reaches(hostB, n.internet, farEnd))
			assert.True(t, n.reaches(hostA, n.internet, farEnd))
			within(t, "UDP", n.send(t, sending{from: hostA, port: 5401, udp: "30M", seconds: 3, omit: 2}).rate, 8_000_000, 0.1)
		})
	}
}
