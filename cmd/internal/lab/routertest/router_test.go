package routertest

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/lab"
)

const (
	// peerAS is the test's, routerAS the router's: one network.
	peerAS, routerAS = 65000, 65000
	// tenMbit is 1,250,000 bytes a second.
	tenMbit = "80 06 fd e8 49 98 96 80"
)

// bench is a lab with a router, and a peer of it that sends what a test says, octet by
// octet.
type bench struct {
	*testing.T
	lab    *lab.Lab
	router *Router
	conn   net.Conn

	mu      sync.Mutex
	refused []string
}

func newBench(t *testing.T, c lab.Config) *bench {
	t.Helper()
	if err := lab.Ready(); err != nil {
		t.Skipf("SKIPPED: no lab of namespaces: %v", err)
	}
	l, err := lab.New(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	b := &bench{T: t, lab: l}
	b.router, err = Start(t.Context(), Config{Namespace: l.Gateway.Namespace, AS: routerAS, Peer: peerAS, Refused: func(err error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.refused = append(b.refused, err.Error())
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.router.Close(); err != nil {
			t.Error(err)
		}
	})
	b.connect()
	return b
}

// connect opens a session without a hold time, so that it lives as long as its
// connection. The router ends connections that come before it is ready for them.
func (b *bench) connect() {
	b.Helper()
	ended := make(chan struct{})
	close(ended)
	b.until("the session is up", func() bool {
		select {
		case <-ended:
			ended = b.dial()
		default:
		}
		return b.router.Up()
	})
}

// dial connects, and returns what is closed when the router ends the connection.
func (b *bench) dial() chan struct{} {
	b.Helper()
	conn, err := net.Dial("tcp", b.router.Address().String())
	if err != nil {
		b.Fatal(err)
	}
	b.conn = conn
	b.Cleanup(func() { conn.Close() })
	b.send(1, octets(b, "04 fd e8 00 00 c0 00 02 02 14 02 12 01 04 00 01 00 85 01 04 00 02 00 85 41 04 00 00 fd e8"))
	b.send(4, nil)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, conn)
	}()
	return ended
}

// send sends a message: OPEN is 1, UPDATE is 2, KEEPALIVE is 4.
func (b *bench) send(typ byte, body []byte) {
	b.Helper()
	m := slices.Repeat([]byte{0xff}, 16)
	m = binary.BigEndian.AppendUint16(m, uint16(19+len(body)))
	// That a connection has ended is found by who reads.
	_, _ = b.conn.Write(append(append(m, typ), body...))
}

// attribute is a path attribute of less than 256 octets.
func attribute(flags, typ byte, value []byte) []byte {
	return append([]byte{flags, typ, byte(len(value))}, value...)
}

func (b *bench) update(attributes []byte) {
	b.Helper()
	b.send(2, append(binary.BigEndian.AppendUint16([]byte{0, 0}, uint16(len(attributes))), attributes...))
}

// announce sends a rule, with its length, and what is done. The family is 1 for IPv4,
// 2 for IPv6.
func (b *bench) announce(family byte, nlri, communities string) {
	b.Helper()
	a := attribute(0x40, 1, []byte{0})
	a = append(a, attribute(0x40, 2, nil)...)
	a = append(a, attribute(0x40, 5, []byte{0, 0, 0, 100})...)
	a = append(a, attribute(0x80, 14, append([]byte{0, family, 133, 0, 0}, octets(b, nlri)...))...)
	if communities != "" {
		a = append(a, attribute(0xc0, 16, octets(b, communities))...)
	}
	b.update(a)
}

func (b *bench) withdraw(family byte, nlri string) {
	b.Helper()
	b.update(attribute(0x80, 15, append([]byte{0, family, 133}, octets(b, nlri)...)))
}

func (b *bench) until(what string, holds func() bool) {
	b.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			b.Fatalf("it takes too long until %s; refused were %q", what, b.saidNo())
		}
	}
}

func (b *bench) saidNo() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.refused)
}

func (b *bench) rules() []Rule {
	b.Helper()
	rules, err := b.router.Rules(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	return rules
}

// has waits until the router has so many rules.
func (b *bench) has(n int) {
	b.Helper()
	b.until(fmt.Sprintf("there are %d rules", n), func() bool { return len(b.rules()) == n })
}

// kernel is the router's table in the gateway's kernel.
func (b *bench) kernel() string {
	b.Helper()
	out, err := nft(b.Context(), b.lab.Gateway.Namespace, "", "list", "table", "inet", "flowspec_router")
	if err != nil {
		b.Fatal(err)
	}
	return string(out)
}

// measure sends from both hosts at a time.
func (b *bench) measure(one, two lab.Probe) (first, second int64) {
	b.Helper()
	var all sync.WaitGroup
	for i, p := range []lab.Probe{one, two} {
		all.Go(func() {
			p.For = 2 * time.Second
			m, err := b.lab.Measure(b.Context(), b.lab.Hosts[i], p)
			if err != nil {
				b.Errorf("measure %s: %v", b.lab.Hosts[i].Name, err)
			}
			if i == 0 {
				first = m.Arrived
			} else {
				second = m.Arrived
			}
		})
	}
	all.Wait()
	return first, second
}

func (b *bench) near(what string, got int64, want, tolerance float64) {
	b.Helper()
	b.Logf("%-40s %6.1f Mbit/s", what, float64(got)/1e6)
	if d := float64(got)/want - 1; d > tolerance || d < -tolerance {
		b.Errorf("%s: %.1f Mbit/s, want %.1f within %.0f %%", what, float64(got)/1e6, want/1e6, tolerance*100)
	}
}

// TestRouterLimits announces a rule of each family: real packets keep to it. One is
// withdrawn, the other goes with the session, and the speed returns.
func TestRouterLimits(t *testing.T) {
	b := newBench(t, lab.Config{Link: 100e6, Hosts: []lab.Host{
		{Name: "one", IPv4: "10.20.4.42", IPv6: "2001:db8:20::42"}, {Name: "two", IPv4: "10.20.4.17", IPv6: "2001:db8:20::17"},
	}})
	// UDP of the first host, to ports from 5200 to 65535.
	const udp = "10 02 20 0a 14 04 2a 03 81 11 05 13 14 50 d5 ff ff"
	const second = "13 02 80 00 20 01 0d b8 00 20 00 00 00 00 00 00 00 00 00 17"
	b.announce(1, udp, tenMbit)
	b.announce(2, second, tenMbit)
	b.has(2)
	flood := lab.Probe{UDP: true, Rate: 30e6}
	one, two := b.measure(flood, lab.Probe{IPv6: true})
	b.near("limited, UDP", one, 10e6, 0.10)
	b.near("limited, TCP over IPv6", two, 10e6, 0.35)
	for _, r := range b.rules() {
		if r.Dropped < 100_000 || r.Passed < 1_000_000 {
			t.Errorf("%s has dropped %d bytes and passed %d", r.Match, r.Dropped, r.Passed)
		}
	}
	one, two = b.measure(lab.Probe{}, flood)
	b.near("TCP of whose UDP is limited", one, 70e6, 0.3)
	b.near("UDP of whose IPv6 is limited", two, 30e6, 0.10)

	b.withdraw(1, udp)
	b.has(1)
	b.conn.Close()
	b.has(0)
	if got := b.kernel(); strings.Contains(got, "goto") || strings.Contains(got, "counter") {
		t.Errorf("the kernel still has\n%s", got)
	}
	one, _ = b.measure(flood, lab.Probe{IPv6: true})
	b.near("the session is over, UDP", one, 30e6, 0.10)
	if no := b.saidNo(); len(no) > 0 {
		t.Errorf("refused were %q", no)
	}
}

// TestRouterRefuses announces what the router does not understand. It says so once, and
// has nothing of it, also of a rule that it had; other rules stand.
func TestRouterRefuses(t *testing.T) {
	b := newBench(t, lab.Config{})
	const host, fragments = "06 02 20 0a 14 04 2a", "09 01 20 c0 00 02 01 0c 80 05"
	b.announce(1, host, tenMbit)
	b.has(1)
	b.announce(1, fragments, tenMbit)
	b.until("it refuses the fragments", func() bool { return len(b.saidNo()) == 1 })
	if got := b.kernel(); len(b.rules()) != 1 || strings.Count(got, "goto") != 1 || strings.Contains(got, "192.0.2.1") {
		t.Errorf("the kernel has\n%s", got)
	}
	b.announce(1, host, tenMbit+"80 08 fd e8 00 00 00 01")
	b.has(0)
	b.announce(1, host, "")
	b.until("it refuses a rule without an action", func() bool { return len(b.saidNo()) == 3 })
	for i, want := range []string{"component 12: a type", "8008fde800000001, which", "no rate"} {
		if got := b.saidNo()[i]; !strings.Contains(got, want) {
			t.Errorf("it said %q, want %q in it", got, want)
		}
	}
	b.announce(1, host, tenMbit)
	b.has(1)
}

// TestRouterReplaces announces a rule once more at another rate, and beside it one that
// is asked first: both are in the kernel as the RFC has it.
func TestRouterReplaces(t *testing.T) {
	b := newBench(t, lab.Config{})
	b.announce(1, "06 02 20 0a 14 04 2a", tenMbit)
	b.has(1)
	b.announce(1, "06 02 20 0a 14 04 2a", "80 06 00 00 48 74 24 00") // 250,000
	b.announce(1, "0c 01 20 c6 12 00 02 02 20 0a 14 04 2a", "80 06 00 00 00 00 00 00")
	b.has(2)
	b.until("the kernel has the new rate", func() bool { return strings.Contains(b.kernel(), "limit rate over 250000 bytes/second") })
	got := b.kernel()
	if strings.Contains(got, "1250000") {
		t.Errorf("it still has the old rate:\n%s", got)
	}
	first, second := strings.Index(got, "ip daddr 198.18.0.2"), strings.Index(got, "goto rule1")
	if first < 0 || second < first {
		t.Errorf("the more specific rule is not asked first:\n%s", got)
	}
}
