package nfdump

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/servertest"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// The real traffic: how many packets of which payload from the host to the
// server, and how many answers. UDP and IP add 28 bytes to each.
const (
	talkPackets, talkPayload   = 1000, 1000
	talkAnswers, answerPayload = 10, 100
	talkHeaders                = 28
	talkHost, talkServer       = "10.203.7.1", "10.203.7.2"
	talkPort, fillerPort       = 9999, 9998
	talkRole                   = "STANCH_NFDUMP_TALK"
)

// TestMain lets the test's own binary be the sender within a namespace.
func TestMain(m *testing.M) {
	var err error
	switch os.Getenv(talkRole) {
	case "serve":
		err = serve()
	case "send":
		err = send()
	default:
		os.Exit(m.Run())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// serve answers the first packets that come. When its standard input ends it
// sends small ones to another port of the host, for softflowd reads what it
// captured in blocks, and only full ones.
func serve() error {
	conn, err := net.ListenPacket("udp4", net.JoinHostPort(talkServer, strconv.Itoa(talkPort)))
	if err != nil {
		return err
	}
	defer conn.Close()
	fmt.Println("ready")
	buf := make([]byte, 2000)
	for range talkAnswers {
		_, from, err := conn.ReadFrom(buf)
		if err != nil {
			return err
		}
		if _, err := conn.WriteTo(buf[:answerPayload], from); err != nil {
			return err
		}
	}
	if _, err := io.Copy(io.Discard, os.Stdin); err != nil {
		return err
	}
	filler, err := net.Dial("udp4", net.JoinHostPort(talkHost, strconv.Itoa(fillerPort)))
	if err != nil {
		return err
	}
	defer filler.Close()
	pace := time.NewTicker(time.Millisecond)
	defer pace.Stop()
	for range 20_000 {
		if _, err := filler.Write(buf[:8]); err != nil {
			return err
		}
		<-pace.C
	}
	return nil
}

// send sends the packets, and takes what comes to the other port until its
// standard input ends, so that it is not answered by ICMP.
func send() error {
	sink, err := net.ListenPacket("udp4", net.JoinHostPort(talkHost, strconv.Itoa(fillerPort)))
	if err != nil {
		return err
	}
	defer sink.Close()
	conn, err := net.Dial("udp4", net.JoinHostPort(talkServer, strconv.Itoa(talkPort)))
	if err != nil {
		return err
	}
	defer conn.Close()
	pace := time.NewTicker(2 * time.Millisecond)
	defer pace.Stop()
	for i := range talkPackets {
		if _, err := conn.Write(make([]byte, talkPayload)); err != nil {
			return err
		}
		if i%5 == 4 {
			<-pace.C
		}
	}
	fmt.Println("sent all")
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// namespaces are two hosts with a cable between them.
type namespaces struct {
	tb           testing.TB
	host, server string
}

func joinNamespaces(tb testing.TB) *namespaces {
	tb.Helper()
	needNfdump(tb)
	missing := os.Geteuid() != 0
	for _, program := range []string{"ip", "softflowd", "softflowctl"} {
		_, err := exec.LookPath(program)
		missing = missing || err != nil
	}
	if missing {
		tb.Skip("SKIPPED: network namespaces need root, and ip, softflowd and softflowctl must be installed")
	}
	name := fmt.Sprintf("stanch-nf-%d-", os.Getpid())
	n := &namespaces{tb: tb, host: name + "h", server: name + "s"}
	n.ip("netns", "add", n.host)
	tb.Cleanup(func() { n.ip("netns", "del", n.host) })
	n.ip("netns", "add", n.server)
	tb.Cleanup(func() { n.ip("netns", "del", n.server) })
	n.ip("link", "add", "eth0", "netns", n.host, "type", "veth", "peer", "name", "eth0", "netns", n.server)
	for namespace, address := range map[string]string{n.host: talkHost, n.server: talkServer} {
		n.ip("-n", namespace, "addr", "add", address+"/30", "dev", "eth0")
		n.ip("-n", namespace, "link", "set", "eth0", "up")
		n.ip("-n", namespace, "link", "set", "lo", "up")
	}
	return n
}

func (n *namespaces) ip(args ...string) {
	n.tb.Helper()
	// Cleanup runs when the test's context has ended.
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		n.tb.Fatalf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// program runs in a namespace.
type program struct {
	tb    testing.TB
	cmd   *exec.Cmd
	stdin io.Closer
	lines *bufio.Scanner
	ended bool
}

// start runs a program for a minute at most.
func (n *namespaces) start(namespace string, env []string, argv ...string) *program {
	n.tb.Helper()
	ctx, cancel := context.WithTimeout(n.tb.Context(), time.Minute)
	n.tb.Cleanup(cancel)
	p := &program{tb: n.tb, cmd: exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", namespace}, argv...)...)}
	p.cmd.Env = append(os.Environ(), env...)
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		n.tb.Fatal(err)
	}
	out, err := p.cmd.StdoutPipe()
	if err != nil {
		n.tb.Fatal(err)
	}
	p.stdin, p.lines = stdin, bufio.NewScanner(out)
	servertest.EndWithTest(p.cmd, syscall.SIGKILL)
	if err := p.cmd.Start(); err != nil {
		n.tb.Fatal(err)
	}
	n.tb.Cleanup(p.end)
	return p
}

func (p *program) end() {
	if p.ended {
		return
	}
	p.ended = true
	_ = p.stdin.Close()
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait()
}

// says waits until the program prints a line.
func (p *program) says(want string) {
	p.tb.Helper()
	for p.lines.Scan() {
		if p.lines.Text() == want {
			return
		}
	}
	p.tb.Fatalf("the program ended without saying %q: %v", want, p.lines.Err())
}

// capture has softflowd watch the host's interface while the host sends, and
// returns the folder that nfcapd wrote.
func (n *namespaces) capture(options ...string) string {
	n.tb.Helper()
	folder, control := n.tb.TempDir(), filepath.Join(n.tb.TempDir(), "ctl")
	c := collectIn(n.tb, n.host, folder)
	argv := append([]string{
		"softflowd", "-d", "-N", "-i", "eth0", "-n", "127.0.0.1:" + strconv.Itoa(c.port), "-B", "8388608",
		"-c", control, "-p", control + ".pid",
	}, options...)
	softflowd := n.start(n.host, nil, argv...)
	ask := func(what string) string {
		out, err := exec.CommandContext(n.tb.Context(), "softflowctl", "-c", control, what).CombinedOutput()
		if err != nil {
			return ""
		}
		return string(out)
	}
	c.waitFor("softflowd listens", func() bool { return ask("statistics") != "" })
	self, err := os.Executable()
	if err != nil {
		n.tb.Fatal(err)
	}
	server := n.start(n.server, []string{talkRole + "=serve"}, self)
	server.says("ready")
	host := n.start(n.host, []string{talkRole + "=send"}, self)
	host.says("sent all")
	if err := server.stdin.Close(); err != nil {
		n.tb.Fatal(err)
	}
	// A further block was read: what was sent before it is counted.
	processed := regexp.MustCompile(`Packets processed: (\d+)`)
	c.waitFor("softflowd has counted all packets", func() bool {
		found := processed.FindStringSubmatch(ask("statistics"))
		if found == nil {
			return false
		}
		count, _ := strconv.Atoi(found[1])
		return count > talkPackets+talkAnswers+100
	})
	server.end()
	host.end()
	if out := ask("expire-all"); !strings.Contains(out, "Expired") {
		n.tb.Fatalf("softflowctl: %q", out)
	}
	softflowd.end()
	c.stop(-1)
	return folder
}

// TestRealTraffic measures the real traffic of a cable: the bytes that a
// program sent, captured by softflowd and collected by nfcapd.
func TestRealTraffic(t *testing.T) {
	const sent, received = talkPackets * (talkPayload + talkHeaders), talkAnswers * (answerPayload + talkHeaders)
	n := joinNamespaces(t)
	for _, c := range []struct {
		name     string
		options  []string
		coverage incident.Coverage
	}{
		{"NetFlow 5, a record for each direction", []string{"-v", "5"}, incident.BothWays},
		{"NetFlow 9, a record for each direction", []string{"-v", "9"}, incident.BothWays},
		// There the ends of a flow are ordered by address, not by who opened
		// it: what came in unanswered looks as if the host's side was not seen.
		{"IPFIX, a record for both directions", []string{"-v", "10", "-b"}, incident.OneWay},
	} {
		t.Run(c.name, func(t *testing.T) {
			from := time.Now().Add(-time.Minute)
			here := *n
			here.tb = t
			s := openFolder(t, here.capture(c.options...))
			got, err := s.Traffic(t.Context(), integrations.TrafficQuery{
				IPs: []string{talkHost}, From: from, To: time.Now().Add(time.Minute), Top: 1,
			})
			if err != nil {
				t.Fatal(err)
			}
			want := []incident.TopFlow{{IP: talkServer, Port: talkPort, Transport: "udp", Bytes: sent, Packets: talkPackets, Flows: 1}}
			if top, _ := got.Top.Get(); len(top) != 1 || top[0] != want[0] {
				t.Errorf("top is %+v, want %+v", top, want)
			}
			if in, ok := got.BytesIn.Get(); !ok || in < received {
				t.Errorf("bytes_in is %v, want %d of the answers at least", got.BytesIn, received)
			}
			if coverage, _ := got.Coverage.Get(); coverage != string(c.coverage) {
				t.Errorf("coverage is %v, want %s", got.Coverage, c.coverage)
			}
		})
	}
}
