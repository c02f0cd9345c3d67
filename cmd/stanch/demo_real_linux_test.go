package main_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/lab"
	"github.com/stanch-soar/stanch/integrations/servertest"
)

// demoLimit is what the demo's playbook limits a host to.
const demoLimit = 10e6

// realDemo is a demo with real packets, as its own process and process group.
type realDemo struct {
	*site
	// temp is the folder for temporary files that it is given, which no other process
	// has, and shown the file with what it shows.
	temp, shown string
}

// startRealDemo starts a demo; several may have the same folder for temporary files. The
// programs of a folder, where one is named, are found before the system's.
func startRealDemo(t *testing.T, temp, programs string) *realDemo {
	t.Helper()
	if err := lab.Ready(); err != nil {
		t.Skipf("SKIPPED: no lab of namespaces: %v", err)
	}
	dir := t.TempDir()
	d := &realDemo{site: &site{t: t, dir: dir, patience: 4 * time.Minute, glance: 100 * time.Millisecond}, temp: temp, shown: filepath.Join(dir, "shown")}
	out, err := os.Create(d.shown)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	d.cmd = exec.Command("stanch", "demo", "--real")
	d.cmd.Stdout, d.cmd.Stderr = out, out
	d.cmd.Env = append(os.Environ(), "TMPDIR="+temp, "LC_ALL=C.UTF-8")
	if programs != "" {
		d.cmd.Env = append(d.cmd.Env, "PATH="+programs+":"+os.Getenv("PATH"))
	}
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	servertest.EndWithTest(d.cmd, syscall.SIGKILL)
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d.exited = make(chan error, 1)
	go func() { d.exited <- d.cmd.Wait() }()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("it has shown\n%s", d.text())
		}
	})
	return d
}

func (d *realDemo) text() string {
	d.t.Helper()
	text, err := os.ReadFile(d.shown)
	if err != nil {
		d.t.Fatal(err)
	}
	return string(text)
}

// namespaces are those that are there of this demo.
func (d *realDemo) namespaces() []string {
	d.t.Helper()
	found, err := filepath.Glob("/run/netns/stanch-lab-" + strconv.Itoa(d.cmd.Process.Pid) + "-*")
	if err != nil {
		d.t.Fatal(err)
	}
	return found
}

// gateway runs a program on the gateway, and returns nothing while there is none.
func (d *realDemo) gateway(argv ...string) string {
	for _, n := range d.namespaces() {
		if strings.HasSuffix(n, "-gateway") {
			out, _ := exec.Command("ip", append([]string{"netns", "exec", filepath.Base(n)}, argv...)...).Output()
			return string(out)
		}
	}
	return ""
}

// processes are those with the demo's folder for temporary files, which it hands on to
// all that it starts.
func (d *realDemo) processes() []string {
	d.t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		d.t.Fatal(err)
	}
	var found []string
	for _, file := range all {
		// One that has ended meanwhile cannot be read.
		if env, err := os.ReadFile(file); err == nil && strings.Contains(string(env), "TMPDIR="+d.temp+"\x00") {
			line, _ := os.ReadFile(filepath.Join(filepath.Dir(file), "cmdline"))
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

// leaves fails the test for what is still there of a demo that has ended.
func (d *realDemo) leaves() {
	d.t.Helper()
	settings, err := filepath.Glob("/etc/netns/stanch-lab-" + strconv.Itoa(d.cmd.Process.Pid) + "-*")
	if err != nil {
		d.t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(d.temp, "*"))
	if err != nil {
		d.t.Fatal(err)
	}
	for what, left := range map[string][]string{
		"namespaces": d.namespaces(), "settings of namespaces": settings, "files": files, "processes": d.processes(),
	} {
		if len(left) > 0 {
			d.t.Errorf("it leaves %s: %q", what, left)
		}
	}
}

// ended waits for the exit code.
func (d *realDemo) ended() int {
	d.t.Helper()
	select {
	case <-d.exited:
		return d.cmd.ProcessState.ExitCode()
	case <-time.After(d.patience):
		d.t.Fatalf("it has not ended after %s", d.patience)
		return 0
	}
}

// observation is what somebody saw who looked at the gateway.
type observation struct {
	at               time.Time
	bytes            int64
	limited, blocked bool
}

// observe looks at the gateway until the demo has ended.
func (d *realDemo) observe() (seen func() []observation) {
	var all []observation
	var looking sync.WaitGroup
	done := make(chan struct{})
	looking.Go(func() {
		for tick := time.NewTicker(250 * time.Millisecond); ; {
			bytes, err := strconv.ParseInt(strings.TrimSpace(d.gateway("cat", "/sys/class/net/"+lab.Outside+"/statistics/tx_bytes")), 10, 64)
			if err == nil {
				rules := d.gateway("nft", "list", "ruleset")
				all = append(all, observation{time.Now(), bytes, strings.Contains(rules, "limit rate over 1250000 bytes/second"), strings.Contains(rules, "chain block-")})
			}
			select {
			case <-done:
				tick.Stop()
				return
			case <-tick.C:
			}
		}
	})
	return func() []observation { close(done); looking.Wait(); return all }
}

// rates are the lowest and the highest mean over a while, in bits per second, of those
// that began and ended while something held.
func rates(all []observation, while time.Duration, holds func(observation) bool) (low, high float64) {
	low = -1
	for i, from := range all {
		for _, to := range all[i:] {
			if !holds(from) || !holds(to) {
				break
			}
			if took := to.at.Sub(from.at); took >= while {
				rate := float64(to.bytes-from.bytes) * 8 / took.Seconds()
				if low < 0 || rate < low {
					low = rate
				}
				high = max(high, rate)
				break
			}
		}
	}
	return low, high
}

// TestRealDemo has the demo limit, block and give back, while somebody looks at the
// gateway: what leaves it falls and comes back, and nothing is left.
func TestRealDemo(t *testing.T) {
	t.Parallel()
	d := startRealDemo(t, t.TempDir(), "")
	seen := d.observe()
	code := d.ended()
	all := seen()
	if code != 0 {
		t.Fatalf("it exits with %d, want 0", code)
	}
	d.leaves()

	first := len(all)
	for i, o := range all {
		if o.limited {
			first = i
			break
		}
	}
	if first == len(all) {
		t.Fatal("the gateway never had the limit")
	}
	since := all[first:]
	// Some seconds before, an upload showed what the link carries.
	flooded := since[0].at.Add(-5 * time.Second)
	// The kernel lets a second's worth through before it drops anything.
	begun := since[0].at.Add(2 * time.Second)
	for _, tt := range []struct {
		what      string
		of        []observation
		holds     func(observation) bool
		from, to  float64
		atHighest bool
	}{
		{"the flood", all, func(o observation) bool { return o.at.After(flooded) && o.at.Before(since[0].at) }, 1.5 * demoLimit, 90e6, true},
		{"limited", since, func(o observation) bool { return o.limited && !o.blocked && o.at.After(begun) }, 0.75 * demoLimit, 1.35 * demoLimit, true},
		{"blocked", since, func(o observation) bool { return o.blocked }, 0, 0.25 * demoLimit, false},
		{"given back", since, func(o observation) bool { return !o.limited && !o.blocked }, 5 * demoLimit, 110e6, true},
	} {
		low, high := rates(tt.of, 2*time.Second, tt.holds)
		got := low
		if tt.atHighest {
			got = high
		}
		t.Logf("%-12s %5.1f to %5.1f Mbit/s leave the gateway", tt.what, low/1e6, high/1e6)
		if got < tt.from || got > tt.to {
			t.Errorf("%s: %.1f Mbit/s leave the gateway, want %.1f to %.1f", tt.what, got/1e6, tt.from/1e6, tt.to/1e6)
		}
	}
	rest := d.text()
	for _, moment := range []string{
		"simulated", "the EDR", "not touched", "The network", "Before the flood", "upload", "The flood", "FastNetMon saw the flood", "opened",
		"Exactly one device", "decided", "two-witnesses", "throttle (rate_limit to 10 Mbit/s) accepted", "verified",
		"the rule", "limit rate over 1250000 bytes/second", "Asked of people", "198.18.0.2 udp/53", "no terminal to ask at", "voted",
		"stop-flood (block", "accepted", "stop-flood: effective", "all of its limit", "given back", "block is no longer active on",
		"the analyst shortens its lease", "rate_limit is no longer active on", "as before", "closed", "everything was given back",
		"What left the gateway", "Mbit/s │", "└──", "ws-042 begins to flood", "FastNetMon's alert opens a case", "policy decides",
		"the limit is in the gateway's kernel", "the limit is effective", "the block is in the gateway's kernel", "the block is given back",
		"the limit is given back", "an upload", "The evidence bundle", "Try next", "closed case in",
	} {
		_, after, found := strings.Cut(rest, moment)
		if !found {
			t.Fatalf("%q does not come where it should; the rest is\n%s", moment, rest)
		}
		rest = after
	}
	if strings.ContainsAny(d.text(), "\x1b\r") {
		t.Error("a pipe gets escape sequences")
	}
}

// TestRealDemoLeavesNothing kills a demo whose limit stands, and interrupts the next one
// there as a person does at the terminal: of both nothing is left.
func TestRealDemoLeavesNothing(t *testing.T) {
	t.Parallel()
	temp := t.TempDir()
	limited := func(d *realDemo) {
		d.until("the limit to be in place", func() bool {
			return strings.Contains(d.text(), "throttle: read back from the device") && strings.Contains(d.gateway("nft", "list", "ruleset"), "limit rate over")
		})
	}
	killed := startRealDemo(t, temp, "")
	limited(killed)
	if tables, err := exec.Command("nft", "list", "tables").Output(); err != nil || strings.Contains(string(tables), "inet stanch") {
		t.Errorf("the machine's own rules are touched: %s%v", tables, err)
	}
	if err := killed.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	killed.ended()
	killed.wait("its programs to end with it", func() bool { return len(killed.processes()) == 0 })
	if len(killed.namespaces()) == 0 {
		t.Error("a demo that was killed has removed its namespaces: the next has nothing to remove")
	}

	stopped := startRealDemo(t, temp, "")
	limited(stopped)
	if err := syscall.Kill(-stopped.cmd.Process.Pid, syscall.SIGINT); err != nil && !errors.Is(err, syscall.ESRCH) {
		t.Fatal(err)
	}
	if code := stopped.ended(); code != 128+int(syscall.SIGINT) {
		t.Errorf("it exits with %d", code)
	}
	if !strings.Contains(stopped.text(), "Stopped. ") {
		t.Error("it does not say that it was stopped")
	}
	stopped.leaves()
	killed.leaves()
}

// TestRealDemoFails has a detector that ends at once: the demo says so, and keeps nothing
// but its log.
func TestRealDemoFails(t *testing.T) {
	t.Parallel()
	programs := t.TempDir()
	if err := os.WriteFile(filepath.Join(programs, "fastnetmon"), []byte("#!/bin/sh\necho no license >&2\nexit 3\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	d := startRealDemo(t, t.TempDir(), programs)
	if code := d.ended(); code != 1 {
		t.Errorf("it exits with %d, want 1", code)
	}
	_, problem, _ := strings.Cut(d.text(), "stanch: ")
	if !strings.Contains(problem, "fastnetmon") || !strings.Contains(problem, "no license") {
		t.Errorf("it says %q", problem)
	}
	_, log, _ := strings.Cut(strings.TrimSpace(problem), "the log is ")
	if text, err := os.ReadFile(log); err != nil || !strings.Contains(string(text), "Started Worker") || !strings.Contains(string(text), "The detector said:") {
		t.Errorf("the log is not kept, or is not one: %v: %s", err, text)
	}
	if err := os.Remove(log); err != nil {
		t.Error(err)
	}
	d.leaves()
}
