package nfdump

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/servertest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// needNfdump skips where the tools that the tests drive are missing.
func needNfdump(tb testing.TB) {
	tb.Helper()
	for _, program := range []string{"nfdump", "nfcapd"} {
		if _, err := exec.LookPath(program); err != nil {
			tb.Skip("SKIPPED: nfdump and nfcapd are not installed")
		}
	}
}

// collector is a running nfcapd.
type collector struct {
	tb   testing.TB
	cmd  *exec.Cmd
	log  string
	port int
	from netip.Addr // who sent last
}

// collect starts nfcapd on loopback, writing into the folder.
func collect(tb testing.TB, folder string, args ...string) *collector {
	tb.Helper()
	return startCollector(tb, folder, nil, args...)
}

// collectIn starts nfcapd on the loopback of a network namespace.
func collectIn(tb testing.TB, namespace, folder string) *collector {
	tb.Helper()
	return startCollector(tb, folder, []string{"ip", "netns", "exec", namespace})
}

func startCollector(tb testing.TB, folder string, in []string, args ...string) *collector {
	tb.Helper()
	needNfdump(tb)
	c := &collector{tb: tb, port: freePort(tb), log: filepath.Join(tb.TempDir(), "nfcapd.log")}
	log, err := os.Create(c.log)
	if err != nil {
		tb.Fatal(err)
	}
	defer log.Close()
	argv := append(in, "nfcapd", "-C", "none", "-w", folder, "-b", "127.0.0.1", "-p", strconv.Itoa(c.port), "-B", "4000000", "-t", "3600")
	argv = append(argv, args...)
	c.cmd = exec.CommandContext(tb.Context(), argv[0], argv[1:]...)
	c.cmd.Stdout, c.cmd.Stderr = log, log
	c.cmd.Env = append(os.Environ(), "TZ=UTC")
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(syscall.SIGKILL) }
	servertest.EndWithTest(c.cmd, syscall.SIGKILL)
	if err := c.cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	c.waitFor("nfcapd is ready", func() bool { return strings.Contains(c.text(), "Startup nfcapd") })
	return c
}

func (c *collector) text() string {
	text, err := os.ReadFile(c.log)
	if err != nil {
		c.tb.Fatal(err)
	}
	return string(text)
}

func (c *collector) waitFor(what string, done func() bool) {
	c.tb.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(20 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			c.tb.Fatalf("waited in vain until %s; nfcapd says:\n%s", what, c.text())
		}
		<-tick.C
	}
}

// stop has nfcapd write its file, once it has read everything that was sent.
// It must have read the given number of flows; any number when it is negative.
func (c *collector) stop(flows int) {
	c.tb.Helper()
	if c.from.IsValid() {
		// Packets may still be under way, which no queue shows. nfcapd logs the
		// sender's last packet, of another domain, when it is read.
		last := exporter{source: 1 << 20}
		c.send(c.from, last.packets()...)
		logged := fmt.Sprintf("Domain: %d,", last.source)
		c.waitFor("nfcapd has read the last packet", func() bool { return strings.Contains(c.text(), logged) })
	}
	c.waitFor("nfcapd has stored all packets", func() bool {
		pid := c.cmd.Process.Pid
		return queued(c.tb, pid, c.port) == 0 && sleeps(c.tb, pid)
	})
	if err := c.terminate(); err != nil {
		c.tb.Fatalf("nfcapd: %v\n%s", err, c.text())
	}
	total := 0
	for _, found := range regexp.MustCompile(`Flows: (\d+),.*Bad Packets: 0`).FindAllStringSubmatch(c.text(), -1) {
		n, _ := strconv.Atoi(found[1])
		total += n
	}
	if flows >= 0 && total != flows {
		c.tb.Fatalf("nfcapd understood %d flows of %d:\n%s", total, flows, c.text())
	}
}

// terminate signals nfcapd until it ends: a signal just before it waits for a
// packet is handled only after the next packet.
func (c *collector) terminate() error {
	ended := make(chan error, 1)
	go func() { ended <- c.cmd.Wait() }()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for {
		// One that has ended takes no signal: the wait reports how it ended.
		_ = c.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case err := <-ended:
			return err
		case <-deadline:
			return errors.Join(errors.New("it does not end"), c.cmd.Process.Kill())
		case <-tick.C:
		}
	}
}

// sleeps reports whether a process waits. After nfcapd has taken the last packet
// out of its queue, and before it waits for another, it still works on that one,
// and a signal would end it without it.
func sleeps(tb testing.TB, pid int) bool {
	tb.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		tb.Fatal(err)
	}
	_, state, _ := strings.Cut(string(stat), ") ")
	return strings.HasPrefix(state, "S")
}

// queued is how many bytes wait for the process that listens on a UDP port.
func queued(tb testing.TB, pid, port int) uint64 {
	tb.Helper()
	table, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/udp", pid))
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if len(f) > 4 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) {
			_, waiting, _ := strings.Cut(f[4], ":")
			n, err := strconv.ParseUint(waiting, 16, 64)
			if err != nil {
				tb.Fatal(err)
			}
			return n
		}
	}
	return 0
}

func freePort(tb testing.TB) int {
	tb.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer conn.Close()
	return conn.LocalAddr().(*net.UDPAddr).Port
}

// send writes packets to the collector, slowly enough for its buffer, from an
// address of loopback.
func (c *collector) send(from netip.Addr, packets ...[]byte) {
	c.tb.Helper()
	c.from = from
	conn, err := net.DialUDP("udp4", &net.UDPAddr{IP: from.AsSlice()}, &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: c.port})
	if err != nil {
		c.tb.Fatal(err)
	}
	defer conn.Close()
	for i, p := range packets {
		if _, err := conn.Write(p); err != nil {
			c.tb.Fatal(err)
		}
		if i%256 == 255 {
			c.waitFor("nfcapd keeps up", func() bool { return queued(c.tb, c.cmd.Process.Pid, c.port) < 1<<16 })
		}
	}
}

// exporter is a router that sends NetFlow version 9: records of one direction
// each, or of both.
type exporter struct {
	source uint32 // its observation domain
	sent   uint32
}

// record is a flow as an exporter sends it.
type record struct {
	incident.Flow
	back   int64 // packets that came back
	egress bool
	inIf   uint16 // the interface at which it came in
}

// The fields of templates, as RFC 3954 numbers them, with their lengths.
func fields(v6 bool) [][2]uint16 {
	src, dst, length := uint16(8), uint16(12), uint16(4)
	if v6 {
		src, dst, length = 27, 28, 16
	}
	return [][2]uint16{
		{src, length}, {dst, length}, {7, 2}, {11, 2}, {4, 1}, {1, 8}, {2, 8}, {23, 8}, {24, 8}, {22, 4}, {21, 4}, {61, 1}, {10, 2},
	}
}

// packets returns the packets for records, their templates first. Times are
// relative to when the router came up, 45 days before the newest record.
func (e *exporter) packets(records ...record) [][]byte {
	var newest time.Time
	for _, r := range records {
		if end := r.Start.Add(r.Duration); end.After(newest) {
			newest = end
		}
	}
	const uptime = 45 * 24 * time.Hour
	up := newest.Add(time.Hour).Truncate(time.Second).Add(-uptime)
	var packets [][]byte
	add := func(set uint16, count int, data []byte) {
		var p bytes.Buffer
		for _, v := range []any{
			uint16(9), uint16(count), uint32(uptime.Milliseconds()), uint32(up.Add(uptime).Unix()), e.sent, e.source, set, uint16(4 + len(data)),
		} {
			_ = binary.Write(&p, binary.BigEndian, v)
		}
		p.Write(data)
		packets = append(packets, p.Bytes())
		e.sent++
	}
	for template, v6 := range []bool{false, true} {
		var t bytes.Buffer
		_ = binary.Write(&t, binary.BigEndian, []uint16{uint16(256 + template), uint16(len(fields(v6)))})
		for _, f := range fields(v6) {
			_ = binary.Write(&t, binary.BigEndian, f)
		}
		add(0, 1, t.Bytes())
	}
	for _, r := range records {
		var d bytes.Buffer
		src, dst := netip.MustParseAddr(r.SrcIP), netip.MustParseAddr(r.DstIP)
		set := uint16(256)
		if src.Is6() {
			set = 257
		}
		protocol := map[string]uint8{"udp": 17, "tcp": 6, "icmp": 1}[r.Transport]
		direction := uint8(0)
		if r.egress {
			direction = 1
		}
		d.Write(src.AsSlice())
		d.Write(dst.AsSlice())
		for _, v := range []any{
			uint16(r.SrcPort), uint16(r.DstPort), protocol, uint64(max(0, r.BytesOut)), uint64(max(0, r.PacketsOut)),
			uint64(max(0, r.BytesIn)), uint64(max(0, r.back)),
			uint32(r.Start.Sub(up).Milliseconds()), uint32(r.Start.Add(r.Duration).Sub(up).Milliseconds()), direction, r.inIf,
		} {
			_ = binary.Write(&d, binary.BigEndian, v)
		}
		for d.Len()%4 != 0 {
			d.WriteByte(0)
		}
		add(set, 1, d.Bytes())
	}
	return packets
}
