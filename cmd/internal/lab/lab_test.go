package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/nfdump"
)

const part = "STANCH_LAB_PART"

// TestMain lets the test's binary be a process that builds a lab, and is killed.
func TestMain(m *testing.M) {
	if os.Getenv(part) == "" {
		os.Exit(m.Run())
	}
	l, err := New(context.Background(), twoHosts())
	if err == nil {
		_, err = l.Gateway.Start(time.Minute, "tail", "-f", "/dev/null")
	}
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(filepath.Base(l.folder), l.programs[0].cmd.Process.Pid)
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func twoHosts() Config {
	return Config{Link: 200e6, Hosts: []Host{
		{Name: "one", IPv4: "10.20.4.42", IPv6: "2001:db8:20::42"},
		{Name: "two", IPv4: "10.20.4.17", IPv6: "2001:db8:20::17"},
	}}
}

func build(t *testing.T) *Lab {
	t.Helper()
	if err := Ready(); err != nil {
		t.Skipf("SKIPPED: no lab of namespaces: %v", err)
	}
	l, err := New(t.Context(), twoHosts())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func within(t *testing.T, what string, got, want int64, tolerance float64) {
	t.Helper()
	t.Logf("%s: %.1f Mbit/s, want %.1f", what, float64(got)/1e6, float64(want)/1e6)
	if d := float64(got-want) / float64(want); d > tolerance || d < -tolerance {
		t.Errorf("%s: %d bit/s, want %d within %.0f %%", what, got, want, tolerance*100)
	}
}

// TestPacketsPass sends from each host to the internet, by both families and
// transports, over a link of a known speed.
func TestPacketsPass(t *testing.T) {
	l := build(t)
	for _, tt := range []struct {
		name string
		from *Node
		p    Probe
		want int64
	}{
		{"TCP as fast as the link is", l.Hosts[0], Probe{For: 2 * time.Second}, 200e6},
		{"UDP at its rate", l.Hosts[1], Probe{UDP: true, Rate: 20e6, For: 2 * time.Second}, 20e6},
		{"IPv6", l.Hosts[0], Probe{IPv6: true, For: 2 * time.Second}, 200e6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, err := l.Measure(t.Context(), tt.from, tt.p)
			if err != nil {
				t.Fatal(err)
			}
			within(t, "arrived", m.Arrived, tt.want, 0.15)
		})
	}
}

// TestLimitIsSeen limits one host at the gateway by hand: what is measured is the
// limit, by interface counters too, and of the other host it is not.
func TestLimitIsSeen(t *testing.T) {
	l := build(t)
	_, err := l.Gateway.Run(t.Context(), "nft", `add table inet test
		add chain inet test forward { type filter hook forward priority -5; policy accept; }
		add rule inet test forward ip saddr 10.20.4.42 limit rate over 1250 kbytes/second burst 256 kbytes drop`)
	if err != nil {
		t.Fatal(err)
	}
	udp := Probe{UDP: true, Rate: 40e6, For: 2 * time.Second}
	for i, want := range []int64{10e6, 40e6} {
		host := l.Hosts[i]
		m, err := l.Measure(t.Context(), host, udp)
		if err != nil {
			t.Fatal(err)
		}
		within(t, host.Name, m.Arrived, want, 0.15)
		out, err := host.Sent(t.Context(), "eth0")
		if err != nil {
			t.Fatal(err)
		}
		if sent := m.Sent * 3 / 8; out < sent*9/10 {
			t.Errorf("%s's interface sent %d bytes, iperf3 %d", host.Name, out, sent)
		}
	}
	passed, err := l.Internet.Received(t.Context(), "eth0")
	if err != nil {
		t.Fatal(err)
	}
	// Of the limited host the kernel lets a second's worth pass at once, and then what
	// the limit is.
	if most := int64(1.2 * (5*10e6 + 3*40e6) / 8); passed > most {
		t.Errorf("%d bytes came to the internet, more than %d", passed, most)
	}
}

// TestFloodIsDetected floods from one host. A sensor on each side of the gateway
// exports it, the detector calls its script once for that host, and both stores have
// what passed.
func TestFloodIsDetected(t *testing.T) {
	l := build(t)
	seen := filepath.Join(t.TempDir(), "seen")
	script := filepath.Join(t.TempDir(), "script")
	text := `#!/bin/sh
cat >/dev/null
echo "$1 $2 $4 $(getent hosts "$1" | awk '{ print $2 }') $(readlink /proc/self/ns/net)" >>"$SEEN"
`
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Detect(t.Context(), Detector{Above: 20e6, Script: script, Env: []string{"SEEN=" + seen}}, time.Minute); err != nil {
		t.Fatal(err)
	}
	folders := map[string]string{}
	for _, s := range []Sensor{{Interface: Inside, Active: time.Second, Also: []int{DetectorPort}}, {Interface: Outside, Active: time.Second}} {
		folder, err := l.Flows(t.Context(), s, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		folders[s.Interface] = folder
	}
	begun := time.Now()
	if _, err := l.Flood(l.Hosts[0], Flood{Rate: 40e6, For: 30 * time.Second}); err != nil {
		t.Fatal(err)
	}
	ours, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the detector calls its script", func() bool {
		said, _ := os.ReadFile(seen)
		return strings.Contains(string(said), "10.20.4.42 outgoing ban one "+ours)
	})
	t.Logf("detected after %s", time.Since(begun).Round(100*time.Millisecond))
	for where, folder := range folders {
		store, err := nfdump.Open(nfdump.Config{Folder: folder, Program: "nfdump", Longest: time.Hour, Records: 1e6, Timeout: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the flow store has the flood on "+where, func() bool {
			now := time.Now()
			traffic, err := store.Traffic(t.Context(), integrations.TrafficQuery{IPs: []string{"10.20.4.42"}, From: now.Add(-10 * time.Second), To: now, Top: 1})
			if err != nil {
				t.Fatal(err)
			}
			top, _ := traffic.Top.Get()
			return len(top) == 1 && top[0].IP == InternetIPv4 && top[0].Port == 53 && top[0].Bytes > 5e6
		})
	}
	said, err := os.ReadFile(seen)
	if err != nil || strings.Count(string(said), " ban ") != 1 {
		t.Errorf("the script was called with %q: %v", said, err)
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	pace := time.NewTicker(50 * time.Millisecond)
	defer pace.Stop()
	deadline := time.After(30 * time.Second)
	for !holds() {
		select {
		case <-deadline:
			t.Fatalf("waited in vain until %s", what)
		case <-pace.C:
		}
	}
}

// TestNothingIsLeft closes a lab in which programs run.
func TestNothingIsLeft(t *testing.T) {
	l := build(t)
	p, err := l.Gateway.Start(time.Minute, "tail", "-f", "/dev/null")
	if err != nil {
		t.Fatal(err)
	}
	name, folder := filepath.Base(l.folder), l.folder
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-p.ended:
	default:
		t.Error("a program runs on")
	}
	if left := leftOf(t, name); len(left) > 0 {
		t.Errorf("there still are %q", left)
	}
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is there: %v", err)
	}
}

func leftOf(t *testing.T, name string) []string {
	t.Helper()
	var left []string
	for _, folder := range []string{namespaces, settings} {
		found, err := filepath.Glob(filepath.Join(folder, name+"*"))
		if err != nil {
			t.Fatal(err)
		}
		left = append(left, found...)
	}
	return left
}

// TestStaleLabIsRemoved kills a process that has built a lab. The next lab removes what
// it left, and leaves a lab alone whose process lives.
func TestStaleLabIsRemoved(t *testing.T) {
	l := build(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self)
	cmd.Env = append(os.Environ(), part+"=1")
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var name string
	var pid int
	if _, err := fmt.Fscan(out, &name, &pid); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // It was killed.
	if left := leftOf(t, name); len(left) != 5 {
		t.Fatalf("it left %q, want four namespaces, one with settings", left)
	}
	if err := removeStale(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := leftOf(t, name); len(left) > 0 {
		t.Errorf("there still are %q", left)
	}
	eventually(t, "its program has ended", func() bool {
		_, err := begun(pid)
		return errors.Is(err, os.ErrNotExist)
	})
	if left := leftOf(t, filepath.Base(l.folder)); len(left) != 5 {
		t.Errorf("of the lab that is in use there are %q", left)
	}
}

func TestAbandoned(t *testing.T) {
	now, err := begun(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{
		fmt.Sprintf("stanch-lab-%d-%s-1-gateway", os.Getpid(), now):  false,
		fmt.Sprintf("stanch-lab-%d-1%s-1-gateway", os.Getpid(), now): true,
		"stanch-lab-99999999-5-1-gateway":                            true,
		"stanch-lab-one-5-1-gateway":                                 false,
		"stanch-lab-99999999":                                        false,
		"stanch-nf-99999999-5-1":                                     false,
		"another":                                                    false,
	} {
		if got := abandoned(name); got != want {
			t.Errorf("%s: abandoned is %v, want %v", name, got, want)
		}
	}
}

func TestWhatIperfSays(t *testing.T) {
	for text, want := range map[string]Measured{
		`{"end":{"sum_sent":{"bits_per_second":49655841.1},"sum_received":{"bits_per_second":9937274.1,"lost_percent":80}}}`: {Sent: 49655841, Arrived: 9937274, Lost: 0.8},
	} {
		if got, err := parseIperf([]byte(text)); err != nil || got != want {
			t.Errorf("%s is %+v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", `{"error":"unable to connect"}`, `{"end":{}}`, `{"end":{"sum_sent":{}}}`} {
		if got, err := parseIperf([]byte(text)); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
}

func TestNetworksHoldTheHosts(t *testing.T) {
	for _, h := range twoHosts().Hosts {
		for i, a := range []string{h.IPv4, h.IPv6} {
			if !Networks()[i].Contains(netip.MustParseAddr(a)) {
				t.Errorf("%s is outside of %s", a, Networks()[i])
			}
		}
	}
}
