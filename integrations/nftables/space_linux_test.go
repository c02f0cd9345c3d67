package nftables

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// space is a network namespace of a test.
type space struct {
	t    testing.TB
	name string
}

// newSpace makes a network namespace with nothing in it, and removes it with the test.
func newSpace(t testing.TB) space {
	t.Helper()
	_, noNFT := exec.LookPath("nft")
	_, noIP := exec.LookPath("ip")
	if os.Getuid() != 0 || noNFT != nil || noIP != nil {
		t.Skip("SKIPPED: gateways need root, and nft and ip must be installed")
	}
	s := space{t, fmt.Sprintf("stanch-nft-%d-%s", os.Getpid(), rand.Text()[:8])}
	run(t, nil, "ip", "netns", "add", s.name)
	t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "del", s.name).CombinedOutput(); err != nil {
			t.Errorf("remove a network namespace: %v: %s", err, out)
		}
	})
	return s
}

func run(t testing.TB, stdin *strings.Reader, name string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	if stdin != nil {
		cmd.Stdin = stdin
	}
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	require.NoErrorf(t, err, "%s %s: %s", name, strings.Join(args, " "), errs.String())
	return string(out)
}

func (s space) path() string { return "/run/netns/" + s.name }

// in runs a program in it and returns what it prints.
func (s space) in(name string, args ...string) string {
	s.t.Helper()
	return run(s.t, nil, "ip", append([]string{"netns", "exec", s.name, name}, args...)...)
}

// inside calls what is given in the namespace. A socket that it opens stays there. The
// thread comes back: one that ended would take servers with it that it has started.
func (s space) inside(do func() error) {
	s.t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		was, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			done <- err
			return
		}
		f, err := os.Open(s.path())
		if err == nil {
			err = errors.Join(unix.Setns(int(f.Fd()), unix.CLONE_NEWNET), f.Close())
		}
		if err == nil {
			err = do()
		}
		back := unix.Setns(int(was.Fd()), unix.CLONE_NEWNET)
		if back == nil {
			runtime.UnlockOSThread()
		}
		done <- errors.Join(err, back, was.Close())
	}()
	require.NoError(s.t, <-done)
}

// load has nft carry out a script.
func (s space) load(script string) {
	s.t.Helper()
	run(s.t, strings.NewReader(script), "ip", "netns", "exec", s.name, "nft", "-f", "-")
}

// rules are the rules in it as nft lists them, without what counts and runs out.
func (s space) rules() string {
	s.t.Helper()
	return s.in("nft", "-s", "list", "ruleset")
}

// generation is how many changes its rules had.
func (s space) generation() int {
	s.t.Helper()
	conn, err := dial(s.t.Context(), s.path())
	require.NoError(s.t, err)
	defer func() { _ = conn.Close() }()
	n, err := generation(conn)
	require.NoError(s.t, err)
	return int(n)
}

// gateway is one of it, for hosts in 192.0.2.0/24, 10.0.0.0/8 and 2001:db8::/32.
func (s space) gateway(edit ...func(*Config)) *Gateway {
	s.t.Helper()
	c := &Config{Networks: []string{"192.0.2.0/24", "10.0.0.0/8", "2001:db8::/32"}, MaxLimits: defaultMaxLimits, NetNS: s.path()}
	for _, e := range edit {
		e(c)
	}
	g, err := open(s.t.Context(), c)
	require.NoError(s.t, err)
	return g.(*Gateway)
}

// wait waits until something holds.
func wait(t testing.TB, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); !holds(); <-tick.C {
		require.True(t, time.Now().Before(end), what)
	}
}
