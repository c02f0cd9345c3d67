package servertest

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// RouterAS is the autonomous system of the routers and of who speaks to them.
const RouterAS = 64512

// Router is a real BGP router on a loopback address, a process of its own that ends with
// the test. It is configured as the documentation recommends, for a speaker at 127.0.0.1.
type Router struct {
	Address string
	Port    int

	tb  testing.TB
	ask func(command string) (program string, args []string)
}

// NewBIRD starts Debian's BIRD. An empty password is none. The test ends without it where
// it is not installed.
func NewBIRD(tb testing.TB, password string) *Router {
	tb.Helper()
	const program, client = "/usr/sbin/bird", "/usr/sbin/birdc"
	if _, err := os.Stat(program); err != nil {
		tb.Skip("SKIPPED: BIRD is not installed")
	}
	dir := tb.TempDir()
	control := filepath.Join(dir, "bird.ctl")
	r := newRouter(tb, "127.0.0.3", func(command string) (string, []string) {
		return client, append([]string{"-s", control}, strings.Fields(command)...)
	})
	replace := []string{
		"local 192.0.2.1 as", fmt.Sprintf("local %s port %d as", r.Address, r.Port), "neighbor 192.0.2.10", "neighbor 127.0.0.1",
		// The routes of the test's machine stay what they are.
		"ipv4 { export all; };", "ipv4 { export none; };\n  learn off;",
	}
	if password != "" {
		replace = append(replace, "passive on;", fmt.Sprintf("passive on;\n  password %q;", password))
	}
	file := filepath.Join(dir, "bird.conf")
	documented(tb, "bird", file, replace...)
	if said := r.output(program, "-p", "-c", file); said != "" {
		tb.Fatalf("BIRD does not take the documented configuration: %s", said)
	}
	r.run(program, "-f", "-c", file, "-s", control, "-P", filepath.Join(dir, "bird.pid"))
	r.Shows("show status", "Daemon is up and running")
	return r
}

// NewFRR starts the BGP daemon of Debian's FRR. The test ends without it where it is not
// installed.
func NewFRR(tb testing.TB) *Router {
	tb.Helper()
	const program, client = "/usr/lib/frr/bgpd", "/usr/bin/vtysh"
	if _, err := os.Stat(program); err != nil {
		tb.Skip("SKIPPED: FRR is not installed")
	}
	dir := tb.TempDir()
	r := newRouter(tb, "127.0.0.4", func(command string) (string, []string) {
		return client, []string{"--vty_socket", dir, "-d", "bgpd", "-c", command}
	})
	file := filepath.Join(dir, "bgpd.conf")
	documented(tb, "frr", file, "192.0.2.10", "127.0.0.1")
	r.run(program, "-Z", "-n", "-S", "-p", fmt.Sprint(r.Port), "-l", r.Address, "-P", "0", "-f", file,
		"-i", filepath.Join(dir, "pid"), "--vty_socket", dir, "-z", filepath.Join(dir, "zebra"), "--log", "stdout")
	r.Shows("show bgp neighbors", "BGP neighbor is 127.0.0.1")
	return r
}

func newRouter(tb testing.TB, address string, ask func(string) (string, []string)) *Router {
	tb.Helper()
	l, err := (&net.ListenConfig{}).Listen(tb.Context(), "tcp", address+":0")
	if err != nil {
		tb.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	r := &Router{Address: address, tb: tb, ask: ask}
	if _, err := fmt.Sscan(port, &r.Port); err != nil {
		tb.Fatal(err)
	}
	return r
}

// documented writes the configuration that the documentation recommends for a router, with
// the addresses of the test.
func documented(tb testing.TB, language, file string, replace ...string) {
	tb.Helper()
	root, err := filepath.Abs(".")
	for err == nil {
		if _, missing := os.Stat(filepath.Join(root, "go.mod")); missing == nil || root == filepath.Dir(root) {
			break
		}
		root = filepath.Dir(root)
	}
	page, err := os.ReadFile(filepath.Join(root, "docs", "integrations", "flowspec.md"))
	if err != nil {
		tb.Fatal(err)
	}
	block := regexp.MustCompile("(?s)```" + language + "\n(.*?)```").FindSubmatch(page)
	if block == nil {
		tb.Fatalf("the documentation has no configuration of %s", language)
	}
	text := strings.NewReplacer(replace...).Replace(string(block[1]))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// run runs the router's program until the test ends, and shows what it printed when the
// test fails.
func (r *Router) run(name string, args ...string) {
	r.tb.Helper()
	var out bytes.Buffer
	c := exec.CommandContext(context.Background(), name, args...)
	c.Stdout, c.Stderr = &out, &out
	EndWithTest(c, syscall.SIGKILL)
	if err := c.Start(); err != nil {
		r.tb.Fatal(err)
	}
	r.tb.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		if r.tb.Failed() {
			r.tb.Logf("%s: %s", name, out.String())
		}
	})
}

func (r *Router) output(name string, args ...string) string {
	out, err := exec.CommandContext(r.tb.Context(), name, args...).CombinedOutput()
	if err != nil {
		return fmt.Sprintf("%s: %v", out, err)
	}
	return string(out)
}

// Show runs a command of the router and returns what it prints.
func (r *Router) Show(command string) string {
	program, args := r.ask(command)
	return r.output(program, args...)
}

// Shows waits until a command of the router prints all of the texts.
func (r *Router) Shows(command string, texts ...string) {
	r.tb.Helper()
	r.until(command, "shows "+strings.Join(texts, ", "), func(said string) bool {
		for _, text := range texts {
			if !strings.Contains(said, text) {
				return false
			}
		}
		return true
	})
}

// Lacks waits until a command of the router does not print a text any more.
func (r *Router) Lacks(command, text string) {
	r.tb.Helper()
	r.until(command, "does not show "+text, func(said string) bool { return !strings.Contains(said, text) })
}

func (r *Router) until(command, what string, holds func(said string) bool) {
	r.tb.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	for {
		said := r.Show(command)
		if holds(said) {
			return
		}
		select {
		case <-tick.C:
		case <-limit.C:
			r.tb.Fatalf("%s never %s; it shows %s", command, what, said)
		}
	}
}
