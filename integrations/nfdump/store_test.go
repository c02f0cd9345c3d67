package nfdump

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const ownHost = "192.0.2.10"

func noon() time.Time { return time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) }

func window() integrations.TrafficQuery {
	return integrations.TrafficQuery{IPs: []string{ownHost}, From: noon().Add(-15 * time.Minute), To: noon(), Top: 10}
}

// sent is a flow of a second, in one direction.
func sent(at time.Duration, src, dst string, port int, bytes int64) record {
	return record{Flow: incident.Flow{
		Start: noon().Add(at), Duration: time.Second, BytesOut: bytes, PacketsOut: 2, BytesIn: -1,
		Tuple: incident.Tuple{SrcIP: src, SrcPort: 50000, DstIP: dst, DstPort: port, Transport: "tcp"},
	}}
}

// replied is the record of the other direction.
func replied(r record, bytes int64) record {
	r.SrcIP, r.DstIP, r.SrcPort, r.DstPort, r.BytesOut = r.DstIP, r.SrcIP, r.DstPort, r.SrcPort, bytes
	return r
}

func stored(tb testing.TB, folder string, records ...record) {
	tb.Helper()
	c := collect(tb, folder)
	c.send(exporterAt(0), (&exporter{}).packets(records...)...)
	c.stop(len(records))
}

func traffic(tb testing.TB, s *Store) incident.Traffic {
	tb.Helper()
	got, err := s.Traffic(tb.Context(), window())
	if err != nil {
		tb.Fatal(err)
	}
	return got
}

func TestDirectionsAreOneFlow(t *testing.T) {
	folder := t.TempDir()
	out := sent(-5*time.Minute, ownHost, "198.51.100.1", 443, 7000)
	stored(t, folder, out, replied(out, 400))
	got := traffic(t, openFolder(t, folder))
	if n, _ := got.Flows.Get(); n != 1 {
		t.Errorf("flows is %v, want 1", got.Flows)
	}
	if n, _ := got.BytesOut.Get(); n != 7000 {
		t.Errorf("bytes_out is %v, want 7000", got.BytesOut)
	}
	if n, _ := got.BytesIn.Get(); n != 400 {
		t.Errorf("bytes_in is %v, want 400", got.BytesIn)
	}
}

func TestBothSidesOfARouterCountOnce(t *testing.T) {
	folder := t.TempDir()
	in := sent(-5*time.Minute, ownHost, "198.51.100.1", 443, 7000)
	out := in
	out.egress = true
	stored(t, folder, in, out)
	got := traffic(t, openFolder(t, folder))
	if n, _ := got.BytesOut.Get(); n != 7000 {
		t.Errorf("bytes_out is %v, want 7000: the router saw the flow come in and go out", got.BytesOut)
	}
}

// What a host receives proves that it was silent only where its own side is
// seen at all.
func TestSilenceNeedsToBeHeard(t *testing.T) {
	in := sent(-5*time.Minute, "198.51.100.1", ownHost, 443, 7000)
	deaf, hears := t.TempDir(), t.TempDir()
	stored(t, deaf, in)
	stored(t, hears, in, sent(-5*time.Hour, ownHost, "198.51.100.1", 443, 5))
	if got := traffic(t, openFolder(t, deaf)); got.BytesOut.IsKnown() {
		t.Errorf("bytes_out is %v, though nothing that the host sends is seen", got.BytesOut)
	}
	got := traffic(t, openFolder(t, hears))
	if n, ok := got.BytesOut.Get(); !ok || n != 0 {
		t.Errorf("bytes_out is %v, want a known 0", got.BytesOut)
	}
}

// nfcapd writes a file in every interval, with flows or without.
func TestSilentExportersAreNotFresh(t *testing.T) {
	folder := t.TempDir()
	old := sent(-3*time.Hour, "192.0.2.99", "198.51.100.1", 443, 7000)
	stored(t, folder, old)
	empty := t.TempDir()
	stored(t, empty)
	files, err := filepath.Glob(filepath.Join(empty, "nfcapd.*"))
	if err != nil || len(files) != 1 {
		t.Fatalf("the collector left %v, %v; want one empty file", files, err)
	}
	if err := os.Rename(files[0], filepath.Join(folder, "nfcapd.209912312355")); err != nil {
		t.Fatal(err)
	}
	s := openFolder(t, folder)
	span, err := s.span(t.Context(), time.Now())
	if err != nil || !span.Newest.Equal(old.Start.Add(time.Second)) {
		t.Errorf("the newest record is of %s, %v; want %s", span.Newest, err, old.Start.Add(time.Second))
	}
	if got := traffic(t, s); got.BytesOut.IsKnown() {
		t.Errorf("bytes_out is %v, though no exporter has sent anything for hours", got.BytesOut)
	}
}

func TestPartOfTheFilesIsNoAnswer(t *testing.T) {
	for name, damage := range map[string]func(folder string) error{
		"a file of something else": func(folder string) error {
			return os.WriteFile(filepath.Join(folder, "nfcapd.202603020000"), []byte("no flows"), 0o600)
		},
		"a file that was cut off": func(folder string) error {
			files, err := filepath.Glob(filepath.Join(folder, "nfcapd.*"))
			if err != nil {
				return err
			}
			return os.Truncate(files[0], 250)
		},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			stored(t, folder, sent(-5*time.Minute, ownHost, "198.51.100.1", 443, 7000))
			if err := damage(folder); err != nil {
				t.Fatal(err)
			}
			got, err := openFolder(t, folder).Traffic(t.Context(), window())
			if integrations.KindOf(err) != integrations.Unavailable || err == nil {
				t.Errorf("traffic is %+v, %v; want unavailable", got.BytesOut, err)
			}
		})
	}
}

func TestFolderThatIsNotThere(t *testing.T) {
	needNfdump(t)
	s := openFolder(t, filepath.Join(t.TempDir(), "gone"))
	if _, err := s.Traffic(t.Context(), window()); err == nil || integrations.KindOf(err) != integrations.Unavailable {
		t.Errorf("traffic: %v, want unavailable", err)
	}
	findings := s.Probe(t.Context())
	if len(findings) != 2 || !findings[0].OK || findings[1].OK || findings[1].Fix == "" {
		t.Errorf("probe found %+v, want the program and no folder", findings)
	}
}

func TestProbeTellsOfTheRecords(t *testing.T) {
	folder := t.TempDir()
	stored(t, folder, sent(-5*time.Minute, ownHost, "198.51.100.1", 443, 7000))
	findings := openFolder(t, folder).Probe(t.Context())
	if len(findings) != 2 || !findings[0].OK || !findings[1].OK || !strings.Contains(findings[1].What, "1 flow records, the newest of 2026-03-02T11:55:01Z") {
		t.Errorf("probe found %+v", findings)
	}
}

func TestAddressesOnly(t *testing.T) {
	needNfdump(t)
	s := openFolder(t, t.TempDir())
	for _, ip := range []string{"192.0.2.1 or any", "any", "192.0.2.1) or (any", "-w/tmp/x", "192.0.2.0/24", ""} {
		q := window()
		q.IPs = []string{ip}
		if _, err := s.Traffic(t.Context(), q); integrations.KindOf(err) != integrations.Invalid {
			t.Errorf("traffic of %q: %v, want invalid", ip, err)
		}
	}
}

func TestOpenRefuses(t *testing.T) {
	for want, set := range map[string]func(*Config){
		"not an absolute path":     func(c *Config) { c.Folder = "flows" },
		"a colon":                  func(c *Config) { c.Folder = "/flows/a:b" },
		"longest":                  func(c *Config) { c.Longest = 0 },
		"records":                  func(c *Config) { c.Records = 0 },
		"timeout":                  func(c *Config) { c.Timeout = time.Hour },
		"must be an absolute path": func(c *Config) { c.Program = "bin/nfdump" },
		"find the program":         func(c *Config) { c.Program = "no-such-program-7f3a" },
		"is not an address":        func(c *Config) { c.Sensors = map[string]string{"router": "r"} },
		"the name of 10.0.0.1":     func(c *Config) { c.Sensors = map[string]string{"10.0.0.1": ""} },
	} {
		c := Spec().NewConfig().(*Config)
		c.Folder, c.Program = "/flows", "/bin/true"
		set(c)
		_, err := Open(*c)
		if integrations.KindOf(err) != integrations.Invalid || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("open: %v, want an invalid error with %q", err, want)
		}
	}
}

// script is a program in place of nfdump.
func script(t *testing.T, text string) *Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "nfdump")
	if err := os.WriteFile(path, []byte("#!/bin/sh\nif [ \"$1\" = -V ]; then echo 'nfdump: Version: 1.7.1'; exit; fi\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "nfcapd.202603020000"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return openFolder(t, folder, func(c *Config) { c.Program = path })
}

func TestCancelKillsTheWholeGroup(t *testing.T) {
	pidfile := filepath.Join(t.TempDir(), "pid")
	s := script(t, "sleep 600 & echo $! > "+pidfile+".new; mv "+pidfile+".new "+pidfile+"; wait\n")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, err := s.Traffic(ctx, window()); done <- err }()
	var pid int
	wait(t, "the program runs", func() bool {
		text, err := os.ReadFile(pidfile)
		if err != nil {
			return false
		}
		pid, err = strconv.Atoi(strings.TrimSpace(string(text)))
		return err == nil
	})
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) || integrations.KindOf(err) != integrations.Unavailable {
		t.Errorf("traffic: %v, want unavailable, cancelled", err)
	}
	wait(t, "the program's child is gone", func() bool {
		state, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		return err != nil || strings.Contains(string(state), ") Z ") || errors.Is(syscall.Kill(pid, 0), syscall.ESRCH)
	})
}

func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(20 * time.Second); !done(); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func TestEnvironmentIsBare(t *testing.T) {
	t.Setenv("STANCH_TOKEN", "hush")
	s := script(t, "env >&2; exit 1\n")
	_, err := s.Traffic(t.Context(), window())
	if err == nil || strings.Contains(err.Error(), "hush") || !strings.Contains(err.Error(), "TZ=UTC") {
		t.Errorf("the program's environment is reported as %v", err)
	}
}

func TestOutputThatWasNotAskedFor(t *testing.T) {
	for name, text := range map[string]string{
		"too few fields":      "echo 1,2,3",
		"no number":           "echo '1.0,2.0,17,10.0.0.1,10.0.0.2,1,2,x,5,0,0,10.0.0.9,I'",
		"a negative count":    "echo '1700000000.0,1700000001.0,17,10.0.0.1,10.0.0.2,1,2,-4,5,0,0,10.0.0.9,I'",
		"a time of no age":    "echo '1.0,2.0,17,10.0.0.1,10.0.0.2,1,2,4,5,0,0,10.0.0.9,I'",
		"a line without end":  "head -c 100000 /dev/zero | tr '\\0' 'x'",
		"a failure":           "exit 3",
		"a failure by signal": "kill -9 $$",
	} {
		t.Run(name, func(t *testing.T) {
			s := script(t, text+"\n")
			_, err := s.any(t.Context(), "ask", noon(), noon(), "")
			if err == nil {
				err = s.records(t.Context(), question{op: "ask", from: noon().Add(-time.Hour), to: noon()}, func(*flowmath.Record) error { return nil })
			}
			if _, ok := errors.AsType[*integrations.Error](err); !ok || integrations.KindOf(err) != integrations.Unavailable {
				t.Errorf("the answer is %v, want unavailable", err)
			}
		})
	}
}

func TestVersions(t *testing.T) {
	for text, want := range map[string]string{
		"nfdump: Version: NSEL-NEL1.7.1":                                         "1.7.1",
		"nfdump: Version: 1.7.1-d46474b, Date: 2023-02-11 15:25:24 +0100":        "1.7.1",
		"nfdump: Version: 1.6.23-release Options: NSEL-NEL Date: 2021-04-25":     "1.6.23",
		"/usr/bin/nfdump: Version: 1.7.4-release Options: ZSTD BZIP2 Date: 2024": "1.7.4",
		"nfdump: Version: 1.7": "1.7.0",
	} {
		if got, ok := parseVersion(text); !ok || got.String() != want {
			t.Errorf("the version in %q is %s, want %s", text, got, want)
		}
	}
	for _, version := range []string{"1.6.17", "1.8.0", "2.0.1", "none"} {
		s := script(t, "")
		if err := os.WriteFile(s.program, []byte("#!/bin/sh\necho 'nfdump: Version: "+version+"'\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Traffic(t.Context(), window()); integrations.KindOf(err) != integrations.Invalid {
			t.Errorf("traffic with nfdump %s: %v, want invalid", version, err)
		}
	}
}

func TestSamplingRate(t *testing.T) {
	for line, want := range map[string]int64{
		"    Sampler: Static default Sampler: algorithm: 0, packet interval: 1, packet space: 9": 10,
		"    Sampler: Generic Sampler: algorithm: 1, packet interval: 1, packet space: 0":        1,
		"    Sampler: id: 3, algorithm: 1, packet interval: 2, packet space: 198":                100,
		"	Sampler for Exporter SysID: 1,	Generic Sampler: mode: 2, interval: 1000":               1000,
		"    Sampler: Generic Sampler: algorithm: 1, packet interval: 0, packet space: 9":        0,
		"SysID: 1, IP:        127.0.0.1, version: 5, ID:  1":                                     0,
	} {
		if got := samplingRate(line); got != want {
			t.Errorf("the rate of %q is %d, want %d", line, got, want)
		}
	}
}

// The flows are the same regardless of how the records are cut into portions.
func TestSettlingChangesNothing(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var views []flowmath.View
	for range 6000 {
		start := noon().Add(time.Duration(random.IntN(3_600_000)) * time.Millisecond).UnixNano()
		views = append(views, flowmath.View{
			Start: start, End: start + int64(random.IntN(120))*int64(time.Second), Measured: true, Adds: random.IntN(2) == 0,
			Sent: int64(random.IntN(1000)), Low: 1, High: 2, Sensor: uint64(random.IntN(3)), Opened: true,
			Ends: flowmath.Ends{
				Local: netip.MustParseAddr(ownHost), Remote: netip.AddrFrom4([4]byte{198, 51, 100, byte(random.IntN(20))}),
				LocalPort: uint16(random.IntN(3)), RemotePort: 443, Transport: "tcp",
			},
		})
	}
	slices.SortFunc(views, func(a, b flowmath.View) int { return int(a.Start - b.Start) })
	sum := func(views []flowmath.View) (n int, sent, low int64) {
		for _, v := range views {
			n, sent, low = n+1, sent+v.Sent, low+v.Low
		}
		return n, sent, low
	}
	n, bytes, low := sum(flowmath.Distinct(slices.Clone(views)))
	for _, portion := range []int{40, 700, 1 << 20} {
		var flows []flowmath.View
		s := newSettler("settle", 1<<20, func(v *flowmath.View) { flows = append(flows, *v) })
		for _, v := range views {
			s.look = min(s.look, len(s.open)+portion)
			if err := s.add(v); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.finish(); err != nil {
			t.Fatal(err)
		}
		if gotN, gotBytes, gotLow := sum(flows); gotN != n || gotBytes != bytes || gotLow != low {
			t.Errorf("in portions of %d there are %d flows of %d bytes (%d), want %d of %d (%d)", portion, gotN, gotBytes, gotLow, n, bytes, low)
		}
	}
}

func TestOpenRecordsAreBounded(t *testing.T) {
	s := newSettler("settle", 10, func(*flowmath.View) {})
	var err error
	for i := 0; i < 2*settleEvery && err == nil; i++ {
		err = s.add(flowmath.View{Start: noon().UnixNano(), End: noon().UnixNano(), Ends: flowmath.Ends{LocalPort: uint16(i)}})
	}
	if integrations.KindOf(err) != integrations.Invalid {
		t.Errorf("more records than allowed: %v, want invalid", err)
	}
}
