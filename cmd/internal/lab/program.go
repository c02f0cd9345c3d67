package lab

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// patience is how long a program may take to be ready.
	patience = 20 * time.Second
	// kept is how much of what a program wrote is kept for errors, in bytes.
	kept = 64 << 10
	tick = 10 * time.Millisecond
)

// Program runs on a machine of a lab.
type Program struct {
	name   string
	at     os.FileInfo // the namespace
	cmd    *exec.Cmd
	cancel context.CancelFunc
	out    *tail
	ended  chan struct{}
	err    error
}

// Start starts a program on the machine that runs until it is stopped, the lab is
// closed, or the time is over.
func (n *Node) Start(most time.Duration, argv ...string) (*Program, error) {
	at, err := os.Stat(n.Namespace)
	if err != nil {
		return nil, fmt.Errorf("start %s on %s: %w", argv[0], n.Name, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), most)
	p := &Program{name: argv[0], at: at, cmd: n.command(ctx, argv), cancel: cancel, out: &tail{}, ended: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	// What a program started itself may keep its output open.
	p.cmd.WaitDelay = time.Second
	if err := p.cmd.Start(); err != nil {
		cancel()
		return nil, fmt.Errorf("start %s on %s: %w", strings.Join(argv, " "), n.Name, err)
	}
	go func() {
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	n.lab.mu.Lock()
	n.lab.programs = append(n.lab.programs, p)
	n.lab.mu.Unlock()
	return p, nil
}

// Stop ends the program, and waits until it has. One that does not end when it is
// asked to is killed.
func (p *Program) Stop() {
	defer p.cancel()
	again := time.NewTicker(200 * time.Millisecond)
	defer again.Stop()
	deadline := time.After(5 * time.Second)
	for {
		// nfcapd misses a signal that comes just before it waits for a packet.
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-p.ended:
			return
		case <-deadline:
			p.cancel()
			<-p.ended
			return
		case <-again.C:
		}
	}
}

// Output is the last of what the program wrote.
func (p *Program) Output() string { return p.out.String() }

// until waits for what a program does next, and stops it where that does not come.
func (p *Program) until(ctx context.Context, what string, holds func() bool) error {
	pace := time.NewTicker(tick)
	defer pace.Stop()
	deadline := time.After(patience)
	for !holds() {
		var err error
		select {
		case <-p.ended:
			err = fmt.Errorf("it ended: %w", p.err)
		case <-deadline:
			err = errors.New("it took too long")
		case <-ctx.Done():
			err = ctx.Err()
		case <-pace.C:
			continue
		}
		p.Stop()
		return fmt.Errorf("wait until %s %s: %w: %s", p.name, what, err, p.Output())
	}
	return nil
}

// listens reports whether the program's machine has a socket that listens on a port.
// The state of a socket that waits is 07 for UDP and 0A for TCP.
func (p *Program) listens(protocol string, port int) bool {
	// Before it has entered the machine's namespace it shows the sockets of ours.
	there, err := os.Stat(fmt.Sprintf("/proc/%d/ns/net", p.cmd.Process.Pid))
	if err != nil || !os.SameFile(there, p.at) {
		return false
	}
	state := map[string]string{"udp": "07", "tcp": "0A"}[protocol]
	for _, table := range []string{protocol, protocol + "6"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", p.cmd.Process.Pid, table))
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			if len(f) > 3 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", port)) && f[3] == state {
				return true
			}
		}
	}
	return false
}

// tail keeps the last of what is written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if over := len(t.text) - kept; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.text))
}
