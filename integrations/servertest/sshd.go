package servertest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// SSHD is a real OpenSSH server on a loopback port, with a host key and a configuration
// of its own, in which one key may run one command as the user of the test.
type SSHD struct {
	// HostKey is the server's, KeyFile the private key that may log in.
	HostKey ssh.PublicKey
	KeyFile string

	dir     string
	port    int
	public  string
	mu      sync.Mutex
	running *exec.Cmd
	log     bytes.Buffer
}

// NewSSHD starts a server that runs a command, whatever is asked for. The test ends without
// it where it is not installed; the server ends with the test. The user's home is the
// test's: the machine's startup files of shells would be part of what is measured.
func NewSSHD(tb testing.TB, command string) *SSHD {
	tb.Helper()
	if _, err := os.Stat(sshdProgram); err != nil || os.Geteuid() != 0 {
		tb.Skip("SKIPPED: OpenSSH's server needs root, and must be installed")
	}
	dir := tb.TempDir()
	s := &SSHD{dir: dir, KeyFile: filepath.Join(dir, "client")}
	s.HostKey, _ = NewKey(tb, filepath.Join(dir, "host"))
	_, s.public = NewKey(tb, s.KeyFile)
	port, err := FreePort()
	if err != nil {
		tb.Fatal(err)
	}
	s.port = port
	s.Allow(tb, command)
	// Debian's own unit makes this folder, which is compiled into the server.
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		tb.Fatal(err)
	}
	config := fmt.Sprintf("Port %d\nListenAddress 127.0.0.1\nHostKey %s\nAuthorizedKeysFile %s\nPidFile none\nStrictModes no\nUsePAM no\n"+
		"PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin forced-commands-only\nLogLevel VERBOSE\nSetEnv HOME=%s\n",
		port, filepath.Join(dir, "host"), filepath.Join(dir, "authorized_keys"), dir)
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o600); err != nil {
		tb.Fatal(err)
	}
	s.Start(tb)
	tb.Cleanup(func() { s.Stop(tb) })
	return s
}

const sshdProgram = "/usr/sbin/sshd"

// NewKey makes a key pair and writes its private half to a file. It returns the public
// half, also as a line of authorized_keys.
func NewKey(tb testing.TB, file string) (ssh.PublicKey, string) {
	tb.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
		tb.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		tb.Fatal(err)
	}
	return key, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

// Port is where it listens.
func (s *SSHD) Port() int { return s.port }

// Allow has the key run another command, from the next connection on.
func (s *SSHD) Allow(tb testing.TB, command string) {
	tb.Helper()
	s.authorize(tb, fmt.Sprintf("command=\"%s\",restrict %s\n", strings.ReplaceAll(command, `"`, `\"`), s.public))
}

// Deny refuses the key, from the next connection on.
func (s *SSHD) Deny(tb testing.TB) { tb.Helper(); s.authorize(tb, "") }

func (s *SSHD) authorize(tb testing.TB, lines string) {
	tb.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, "authorized_keys"), []byte(lines), 0o600); err != nil {
		tb.Fatal(err)
	}
}

// Log is what the server said since it was started.
func (s *SSHD) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.log.String()
}

// Start starts the server, and returns when it listens.
func (s *SSHD) Start(tb testing.TB) {
	tb.Helper()
	cmd := exec.CommandContext(context.Background(), sshdProgram, "-D", "-e", "-f", filepath.Join(s.dir, "config"))
	EndWithTest(cmd, syscall.SIGKILL)
	says, err := cmd.StderrPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	s.mu.Lock()
	s.running = cmd
	s.log.Reset()
	s.mu.Unlock()
	listening := make(chan struct{})
	go s.follow(says, listening)
	limit := time.NewTimer(30 * time.Second)
	defer limit.Stop()
	select {
	case <-listening:
	case <-limit.C:
		tb.Fatalf("sshd does not listen:\n%s", s.Log())
	}
}

func (s *SSHD) follow(says io.Reader, listening chan<- struct{}) {
	lines, told := bufio.NewScanner(says), false
	for lines.Scan() {
		s.mu.Lock()
		fmt.Fprintln(&s.log, lines.Text())
		s.mu.Unlock()
		if !told && strings.Contains(lines.Text(), "Server listening on") {
			told = true
			close(listening)
		}
	}
}

// Rekey has the server show another key from its next start on, until the function that it
// returns is called.
func (s *SSHD) Rekey(tb testing.TB) (restore func()) {
	tb.Helper()
	file := filepath.Join(s.dir, "host")
	was, err := os.ReadFile(file)
	if err != nil {
		tb.Fatal(err)
	}
	NewKey(tb, file)
	return func() {
		tb.Helper()
		if err := os.WriteFile(file, was, 0o600); err != nil {
			tb.Fatal(err)
		}
	}
}

// Stop ends the server. Connections that stand go on without it, as OpenSSH has it.
func (s *SSHD) Stop(tb testing.TB) {
	tb.Helper()
	s.mu.Lock()
	cmd := s.running
	s.running = nil
	s.mu.Unlock()
	if cmd == nil {
		return
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		tb.Error(err)
	}
	_ = cmd.Wait() // It ends by our signal.
}

// Address is where it listens, host:port.
func (s *SSHD) Address() string { return net.JoinHostPort("127.0.0.1", fmt.Sprint(s.port)) }
