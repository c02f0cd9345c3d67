package flowspec_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowspec"
	"github.com/stanch-soar/stanch/integrations/servertest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// peerOf is a real router as a peer.
func peerOf(r *servertest.Router) flowspec.Peer {
	return flowspec.Peer{Address: r.Address, ASN: asn, Port: r.Port}
}

func at(peers ...flowspec.Peer) flowspec.Session {
	return flowspec.Session{ASN: asn, RouterID: "192.0.2.254", HoldTime: 9 * time.Second, Peers: peers}
}

func target(t testing.TB, id string) incident.Target {
	t.Helper()
	device, err := incident.DeviceTarget(id, id)
	if err != nil {
		t.Fatal(err)
	}
	return device
}

// limit is an order of ten megabits per second for what a host sends.
func limit(t testing.TB, key string, f *incident.Filter, addresses ...string) incident.Order {
	t.Helper()
	return incident.Order{Key: key, Action: incident.RateLimit, Target: target(t, "ws-042"), Rate: 10_000_000, Filter: f, Addresses: addresses}
}

func apply(t testing.TB, e integrations.Enforcer, orders ...incident.Order) {
	t.Helper()
	for _, o := range orders {
		if _, err := e.Apply(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
}

func undo(t testing.TB, e integrations.Enforcer, orders ...incident.Order) {
	t.Helper()
	for _, o := range orders {
		if _, err := e.Undo(t.Context(), o); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRealRouters(t *testing.T) {
	b, f := servertest.NewBIRD(t, ""), servertest.NewFRR(t)
	vendor := integrations.NewCatalog(flowspec.Vendor())
	rules, _ := vendor.Integration("flowspec")
	holes, _ := vendor.Integration("rtbh")
	limiter := connect(t, rules, &flowspec.Config{Session: at(peerOf(b), peerOf(f)), Networks: hosts(), MaxRules: 10})
	hole := connect(t, holes, &flowspec.BlackholeConfig{Session: at(peerOf(b)), Networks: hosts(), NextHop: "192.0.2.250", Community: "65535:666", MaxRules: 10})
	dns := &incident.Filter{Direction: incident.Outbound, RemoteIP: "198.51.100.53", RemotePort: 53, Transport: "udp"}
	dns6 := &incident.Filter{Direction: incident.Outbound, RemoteIP: "2001:db8:ffff::53", RemotePort: 53, Transport: "udp"}
	reflected := &incident.Filter{Direction: incident.Inbound, LocalPort: 389, Transport: "udp"}
	if err := limiter.Restore(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	b.Shows("show protocols stanch", "Passive") // One integration is not restored yet.
	if err := hole.Restore(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	orders := []incident.Order{
		limit(t, "k1", nil, "10.1.0.42", "2001:db8:1::42"), limit(t, "k2", dns, "10.1.0.42"),
		{Key: "k3", Action: incident.Block, Target: target(t, "ws-042"), Filter: dns6, Addresses: []string{"10.1.0.42", "2001:db8:1::42"}},
		{Key: "k4", Action: incident.Block, Target: target(t, "ws-042"), Filter: reflected, Addresses: []string{"10.1.0.42"}},
	}
	for _, o := range orders {
		until(t, "both routers take the rules", func() bool {
			s, err := limiter.Read(t.Context(), o)
			_, applied := limiter.Apply(t.Context(), o)
			return applied == nil && err == nil && s.Stands && s.Detail != "" && !strings.Contains(s.Detail, "not announced")
		})
	}
	gone := incident.Order{Key: "k5", Action: incident.Block, Target: target(t, "ws-042"), Filter: &incident.Filter{Direction: incident.Outbound, RemoteIP: "198.51.100.7"}, Addresses: []string{"10.1.0.42"}}
	apply(t, hole, gone)

	// 1,250,000 bytes per second as a single-precision number.
	b.Shows("show route table limits4 all", "src 10.1.0.42/32;", "0x49989680", "dst 198.51.100.53/32; src 10.1.0.42/32; proto 17; dport 53;", "dst 10.1.0.42/32; proto 17; dport 389;", "0x80060000")
	b.Shows("show route table limits6 all", "src 2001:db8:1::42/128;", "dst 2001:db8:ffff::53/128; src 2001:db8:1::42/128; next header 17; dport 53;")
	b.Shows("show route table master4 all", "198.51.100.7/32", "blackhole", "(65535,666)")
	f.Shows("show bgp ipv4 flowspec detail", "FS:rate 1250000.000000", "Source Address 10.1.0.42/32", "Destination Address 198.51.100.53/32", "FS:rate 0.000000")
	f.Shows("show bgp ipv6 flowspec detail", "2001:db8:1::42/128", "FS:rate 1250000.000000")

	undo(t, limiter, orders...)
	undo(t, hole, gone)
	for _, table := range []string{"limits4", "limits6", "master4"} {
		b.Lacks("show route table "+table, "stanch")
	}
	f.Lacks("show bgp ipv4 flowspec", "10.1.0.42")
	f.Lacks("show bgp ipv6 flowspec", "2001:db8:1::42")
}

// A session that the router resets brings the rules back, and a password is needed
// where the router has one.
func TestSessionIsReset(t *testing.T) {
	b := servertest.NewBIRD(t, "correct horse")
	right := peerOf(b)
	right.Password = "correct horse"
	e := connect(t, spec(t, "flowspec"), &flowspec.Config{Session: at(right), Networks: hosts(), MaxRules: 10})
	o := limit(t, "k1", nil, "10.1.0.42")
	if err := e.Restore(t.Context(), []incident.Order{o}); err != nil {
		t.Fatal(err)
	}
	b.Shows("show route table limits4", "10.1.0.42/32")
	before := b.Show("show protocols stanch")
	if said := b.Show("restart stanch"); !strings.Contains(said, "restarted") {
		t.Fatal(said)
	}
	until(t, "another session begins", func() bool {
		now := b.Show("show protocols stanch")
		return strings.Contains(now, "Established") && now != before
	})
	b.Shows("show route table limits4", "10.1.0.42/32")
	undo(t, e, o)
	b.Lacks("show route table limits4", "10.1.0.42/32")
}

// speakerEnv has the address and port of the router of a process that is the speaker.
const speakerEnv = "STANCH_TEST_SPEAKER"

// TestMain runs the tests, or is the speaker that a test kills.
func TestMain(m *testing.M) {
	if to := os.Getenv(speakerEnv); to != "" {
		if err := speakTo(to); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		select {} // Until it is killed.
	}
	os.Exit(m.Run())
}
