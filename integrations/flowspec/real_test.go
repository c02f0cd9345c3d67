package flowspec_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowspec"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// daemon is a real router that the test runs as a process of its own.
type daemon struct {
	t    testing.TB
	peer flowspec.Peer
	// show runs a command of the router and returns what it prints.
	show func(command string) string
}

// snippet is the configuration that the documentation recommends for a router, with the
// addresses of the test.
func snippet(t testing.TB, language string, replace ...string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/integrations/flowspec.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindSubmatch(page)
	if block == nil {
		t.Fatalf("the documentation has no configuration of %s", language)
	}
	return strings.NewReplacer(replace...).Replace(string(block[1]))
}

// free is a port of an address on which nobody listens.
func free(t testing.TB, address string) int {
	t.Helper()
	l, err := net.Listen("tcp", address+":0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// runs runs a program until the test ends, and returns what it prints when it fails.
func runs(t testing.TB, name string, args ...string) {
	t.Helper()
	var out bytes.Buffer
	c := exec.Command(name, args...)
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		if t.Failed() {
			t.Logf("%s: %s", name, out.String())
		}
	})
}

func output(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), name, args...).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%s: %v", out, err)
	}
	return string(out)
}

// bird runs Debian's BIRD as the documentation configures it.
func bird(t testing.TB, password string) daemon {
	t.Helper()
	const program, client = "/usr/sbin/bird", "/usr/sbin/birdc"
	if _, err := os.Stat(program); err != nil {
		t.Skip("SKIPPED: BIRD is not installed")
	}
	const address = "127.0.0.3"
	port, dir := free(t, address), t.TempDir()
	replace := []string{
		"local 192.0.2.1 as", fmt.Sprintf("local %s port %d as", address, port), "neighbor 192.0.2.10", "neighbor 127.0.0.1",
		// The routes of the test's machine stay what they are.
		"ipv4 { export all; };", "ipv4 { export none; };\n  learn off;",
	}
	if password != "" {
		replace = append(replace, "passive on;", fmt.Sprintf("passive on;\n  password %q;", password))
	}
	file, control := filepath.Join(dir, "bird.conf"), filepath.Join(dir, "bird.ctl")
	if err := os.WriteFile(file, []byte(snippet(t, "bird", replace...)), 0o600); err != nil {
		t.Fatal(err)
	}
	if said := output(t, program, "-p", "-c", file); said != "" {
		t.Fatalf("BIRD does not take the documented configuration: %s", said)
	}
	runs(t, program, "-f", "-c", file, "-s", control, "-P", filepath.Join(dir, "bird.pid"))
	d := daemon{t: t, peer: flowspec.Peer{Address: address, ASN: asn, Port: port}, show: func(command string) string {
		return output(t, client, append([]string{"-s", control}, strings.Fields(command)...)...)
	}}
	d.shows("show status", "Daemon is up and running")
	return d
}

// frr runs the BGP daemon of Debian's FRR as the documentation configures it.
func frr(t testing.TB) daemon {
	t.Helper()
	const program, client = "/usr/lib/frr/bgpd", "/usr/bin/vtysh"
	if _, err := os.Stat(program); err != nil {
		t.Skip("SKIPPED: FRR is not installed")
	}
	const address = "127.0.0.4"
	port, dir := free(t, address), t.TempDir()
	file := filepath.Join(dir, "bgpd.conf")
	if err := os.WriteFile(file, []byte(snippet(t, "frr", "192.0.2.10", "127.0.0.1")), 0o600); err != nil {
		t.Fatal(err)
	}
	runs(t, program, "-Z", "-n", "-S", "-p", fmt.Sprint(port), "-l", address, "-P", "0", "-f", file,
		"-i", filepath.Join(dir, "pid"), "--vty_socket", dir, "-z", filepath.Join(dir, "zebra"), "--log", "stdout")
	d := daemon{t: t, peer: flowspec.Peer{Address: address, ASN: asn, Port: port}, show: func(command string) string {
		return output(t, client, "--vty_socket", dir, "-d", "bgpd", "-c", command)
	}}
	d.shows("show bgp neighbors", "BGP neighbor is 127.0.0.1")
	return d
}

// shows waits until a command of the router prints all of the texts.
func (d daemon) shows(command string, texts ...string) {
	d.t.Helper()
	last := ""
	until(d.t, command+" shows "+strings.Join(texts, ", "), func() bool {
		last = d.show(command)
		for _, text := range texts {
			if !strings.Contains(last, text) {
				return false
			}
		}
		return true
	}, &last)
}

// lacks waits until a command of the router does not print a text any more.
func (d daemon) lacks(command, text string) {
	d.t.Helper()
	last := ""
	until(d.t, command+" does not show "+text, func() bool {
		last = d.show(command)
		return !strings.Contains(last, text)
	}, &last)
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
	b, f := bird(t, ""), frr(t)
	vendor := integrations.NewCatalog(flowspec.Vendor())
	rules, _ := vendor.Integration("flowspec")
	holes, _ := vendor.Integration("rtbh")
	limiter := connect(t, rules, &flowspec.Config{Session: at(b.peer, f.peer), Networks: hosts(), MaxRules: 10})
	hole := connect(t, holes, &flowspec.BlackholeConfig{Session: at(b.peer), Networks: hosts(), NextHop: "192.0.2.250", Community: "65535:666", MaxRules: 10})
	dns := &incident.Filter{Direction: incident.Outbound, RemoteIP: "198.51.100.53", RemotePort: 53, Transport: "udp"}
	dns6 := &incident.Filter{Direction: incident.Outbound, RemoteIP: "2001:db8:ffff::53", RemotePort: 53, Transport: "udp"}
	reflected := &incident.Filter{Direction: incident.Inbound, LocalPort: 389, Transport: "udp"}
	if err := limiter.Restore(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	b.shows("show protocols stanch", "Passive") // One integration is not restored yet.
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
	b.shows("show route table limits4 all", "src 10.1.0.42/32;", "0x49989680", "dst 198.51.100.53/32; src 10.1.0.42/32; proto 17; dport 53;", "dst 10.1.0.42/32; proto 17; dport 389;", "0x80060000")
	b.shows("show route table limits6 all", "src 2001:db8:1::42/128;", "dst 2001:db8:ffff::53/128; src 2001:db8:1::42/128; next header 17; dport 53;")
	b.shows("show route table master4 all", "198.51.100.7/32", "blackhole", "(65535,666)")
	f.shows("show bgp ipv4 flowspec detail", "FS:rate 1250000.000000", "Source Address 10.1.0.42/32", "Destination Address 198.51.100.53/32", "FS:rate 0.000000")
	f.shows("show bgp ipv6 flowspec detail", "2001:db8:1::42/128", "FS:rate 1250000.000000")

	undo(t, limiter, orders...)
	undo(t, hole, gone)
	for _, table := range []string{"limits4", "limits6", "master4"} {
		b.lacks("show route table "+table, "stanch")
	}
	f.lacks("show bgp ipv4 flowspec", "10.1.0.42")
	f.lacks("show bgp ipv6 flowspec", "2001:db8:1::42")
}

// A session that the router resets brings the rules back, and a password is needed
// where the router has one.
func TestSessionIsReset(t *testing.T) {
	b := bird(t, "correct horse")
	right := b.peer
	right.Password = "correct horse"
	e := connect(t, spec(t, "flowspec"), &flowspec.Config{Session: at(right), Networks: hosts(), MaxRules: 10})
	o := limit(t, "k1", nil, "10.1.0.42")
	if err := e.Restore(t.Context(), []incident.Order{o}); err != nil {
		t.Fatal(err)
	}
	b.shows("show route table limits4", "10.1.0.42/32")
	before := b.show("show protocols stanch")
	if said := b.show("restart stanch"); !strings.Contains(said, "restarted") {
		t.Fatal(said)
	}
	until(t, "another session begins", func() bool {
		now := b.show("show protocols stanch")
		return strings.Contains(now, "Established") && now != before
	})
	b.shows("show route table limits4", "10.1.0.42/32")
	undo(t, e, o)
	b.lacks("show route table limits4", "10.1.0.42/32")
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
