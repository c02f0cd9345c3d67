package nftables

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/servertest"
)

// commands are those of the page about gateways over SSH below some of its headings, as
// written there; what is of the reader's own place is replaced.
func commands(t testing.TB, replace *strings.Replacer, headings ...string) string {
	t.Helper()
	page, err := os.ReadFile("../../docs/integrations/nftables-ssh.md")
	require.NoError(t, err)
	var all []string
	for _, heading := range headings {
		_, section, found := strings.Cut(string(page), "\n"+heading+"\n")
		require.Truef(t, found, "the page has no %q", heading)
		_, block, found := strings.Cut(section, "\n```sh\n")
		require.Truef(t, found, "there are no commands below %q", heading)
		block, _, _ = strings.Cut(block, "\n```\n")
		all = append(all, block)
	}
	return replace.Replace(strings.Join(all, "\n"))
}

// machine is a gateway that was set up by our page: Debian's own SSH server with its own
// configuration, users and sudo. What the page's commands change is seen by its programs
// alone; the helper works in a network namespace.
type machine struct {
	space   space
	process int
	port    int
	hostKey string
	keyFile string
}

// private gives a process files of its own wherever the page writes, and then does what
// the page says. What root's shell does at its start is not the page's.
const private = `set -eu
mount -t tmpfs tmpfs "$1"
for folder in etc usr/local root var/lib; do
	mkdir -p "$1/$folder/up" "$1/$folder/work"
	mount -t overlay overlay -o "lowerdir=/$folder,upperdir=$1/$folder/up,workdir=$1/$folder/work" "/$folder"
done
rm -f /root/.bashrc /root/.ssh/authorized_keys
cd "$2"
%s
exec /usr/sbin/sshd -D -e -p %d -o ListenAddress=127.0.0.1
`

// newMachine sets one up for the user below whose heading the page says how.
func newMachine(t testing.TB, heading string) *machine {
	t.Helper()
	for _, program := range []string{"/usr/sbin/sshd", "/usr/bin/sudo"} {
		if _, err := os.Stat(program); err != nil || os.Geteuid() != 0 {
			t.Skip("SKIPPED: a gateway set up by its page needs root, and OpenSSH's server and sudo must be installed")
		}
	}
	port, err := servertest.FreePort()
	require.NoError(t, err)
	dir := t.TempDir()
	m := &machine{space: newSpace(t), port: port, keyFile: filepath.Join(dir, "gw1.key")}
	helper := fmt.Sprintf("#!/bin/sh\n[ \"$*\" = gateway-helper ] || exit 9\nexec nsenter --net=%s %s\n", m.space.path(), helperIs("serve", "/etc/stanch/gateway.yaml"))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "stanch"), []byte(helper), 0o700))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "files"), 0o700))
	require.NoError(t, os.MkdirAll("/run/sshd", 0o755))
	replace := strings.NewReplacer("10.9.0.7", "127.0.0.1", "/etc/stanch/gw1.key", m.keyFile, "systemctl reload ssh", "/usr/sbin/sshd -t")
	script := fmt.Sprintf(private, commands(t, replace, "## On the gateway", "## The key", heading), port)
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c", script, "sh", filepath.Join(dir, "files"), dir)
	servertest.EndWithTest(cmd, syscall.SIGKILL)
	var said lockedBuffer
	cmd.Stdout, cmd.Stderr = &said, &said
	require.NoError(t, cmd.Start())
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait() // It ends by our signal, or the test says what it said.
		close(ended)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // It may have ended.
		<-ended
	})
	wait(t, "the SSH server to listen", func() bool {
		select {
		case <-ended:
			t.Fatalf("the page's commands fail:\n%s", said.String())
		default:
		}
		return strings.Contains(said.String(), "Server listening on")
	})
	m.process = cmd.Process.Pid
	// The fingerprint is the last thing that the page has shown before the key is made.
	m.hostKey = regexp.MustCompile(`SHA256:\S+`).FindString(said.String())
	require.NotEmpty(t, m.hostKey, said.String())
	return m
}

// lockedBuffer keeps what a program writes while it is read.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

var _ io.Writer = (*lockedBuffer)(nil)

// open opens a client of the machine, by the key of a user.
func (m *machine) open(t testing.TB, user string) *Gateway {
	t.Helper()
	opened, err := open(t.Context(), &Config{
		Networks: []string{"10.1.0.0/16"}, MaxLimits: defaultMaxLimits,
		Remote: Remote{SSH: fmt.Sprintf("%s@127.0.0.1:%d", user, m.port), HostKey: m.hostKey, KeyFile: m.keyFile},
	})
	require.NoError(t, err)
	g := opened.(*Gateway)
	t.Cleanup(func() { require.NoError(t, g.Close()) })
	return g
}

// as runs a command at the machine as a user, and returns what it says and whether it
// worked.
func (m *machine) as(t testing.TB, user, command string) (string, bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "nsenter", fmt.Sprintf("--mount=/proc/%d/ns/mnt", m.process), "su", user, "-c", command)
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}

// works has the machine limit a host and give it back, with nothing for doctor to warn of.
func (m *machine) works(t testing.TB, g *Gateway) {
	t.Helper()
	m.space.forward()
	require.Empty(t, warnings(g.Probe(t.Context())))
	o := orderOn(t, "10.1.0.5")
	began := time.Now()
	_, err := g.Apply(t.Context(), o)
	require.NoError(t, err)
	stands(t, g, o, true)
	t.Logf("applied and read back in %d ms", time.Since(began).Milliseconds())
	require.Contains(t, m.space.rules(), "10.1.0.5")
	_, err = g.Undo(t.Context(), o)
	require.NoError(t, err)
	require.NotContains(t, m.space.rules(), "10.1.0.5")
}

func TestThePageAsRoot(t *testing.T) {
	m := newMachine(t, "### As root")
	m.works(t, m.open(t, "root"))
}

// TestThePageWithSudo has a user without rights run the helper, and nothing else.
func TestThePageWithSudo(t *testing.T) {
	m := newMachine(t, "### A user of its own")
	g := m.open(t, "stanch")
	m.works(t, g)

	for _, command := range []string{
		"sudo -n id", "sudo -n /usr/local/bin/stanch", "sudo -n /usr/local/bin/stanch gateway-helper --config /tmp/mine.yaml",
		"sudo -n /usr/local/bin/stanch doctor", "sudo -n -u nobody /usr/local/bin/stanch gateway-helper", "sudo -n -i", "sudo -n -s",
		"sudo -n STANCH_TEST_GUARD=/tmp/mine.yaml /usr/local/bin/stanch gateway-helper", "sudo -n -E /usr/local/bin/stanch gateway-helper",
	} {
		if said, ok := m.as(t, "stanch", command+" </dev/null"); ok || !strings.HasPrefix(said, "sudo: ") {
			t.Errorf("%s: %s", command, said)
		}
	}
	for _, file := range []string{
		"~", "~/.ssh", "~/.ssh/authorized_keys", "/usr/local/bin/stanch", "/etc/stanch", "/etc/stanch/gateway.yaml", "/etc/sudoers.d",
	} {
		if said, ok := m.as(t, "stanch", "test -e "+file+" && ! test -w "+file); !ok {
			t.Errorf("the user can write %s, or it is not there: %s", file, said)
		}
	}
	said, ok := m.as(t, "root", "rm /etc/sudoers.d/stanch")
	require.True(t, ok, said)
	_, err := g.Apply(t.Context(), orderOn(t, "10.1.0.5"))
	require.Equal(t, integrations.Denied, integrations.KindOf(err), "%v", err)
	has(t, g.Probe(t.Context()), "sudo: a password is required", false)
	require.NotContains(t, m.space.rules(), "10.1.0.5")
}
