package sshrun_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/nftables/sshrun"
	"github.com/stanch-soar/stanch/integrations/servertest"
)

// path is the way to a server: what is sent on it can be held, and comes later, or be lost.
type path struct {
	net.Listener
	mu   sync.Mutex
	held chan struct{} // closed when it goes on; nil while nothing is held
	lost chan struct{} // closed for connections that lose everything from then on
}

// newPath opens one to an address.
func newPath(t testing.TB, to string) *path {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &path{Listener: l, lost: make(chan struct{})}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			near, err := l.Accept()
			if err != nil {
				return
			}
			far, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", to)
			if err != nil {
				_ = near.Close()
				continue
			}
			p.mu.Lock()
			lost := p.lost
			p.mu.Unlock()
			go p.pass(far, near, lost)
			go p.pass(near, far, lost)
		}
	}()
	return p
}

func (p *path) pass(to, from net.Conn, lost <-chan struct{}) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		p.mu.Lock()
		held := p.held
		p.mu.Unlock()
		if held != nil {
			<-held
		}
		select {
		case <-lost:
			n = 0
		default:
		}
		if _, werr := to.Write(buf[:n]); err != nil || werr != nil {
			return
		}
	}
}

// hold holds everything until the function that it returns is called.
func (p *path) hold() func() {
	held := make(chan struct{})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = held
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.held = nil
		close(held)
	}
}

// lose has the connections that stand lose everything from now on. Later ones do not.
func (p *path) lose() {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.lost)
	p.lost = make(chan struct{})
}

// TestWhatWasGivenUpIsNeverSent has the network hold up a run until after its caller has
// left, and was told that nothing was sent.
func TestWhatWasGivenUpIsNeverSent(t *testing.T) {
	ran := filepath.Join(t.TempDir(), "ran")
	s := servertest.NewSSHD(t, fmt.Sprintf(`text=$(cat); echo "[$text]" >> %s`, ran))
	p := newPath(t, s.Address())
	h := open(t, options(t, s, p.Addr().String()))
	run := func(ctx context.Context, text string) error {
		_, err := h.Run(ctx, []byte(text))
		return err
	}
	if err := run(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	goOn := p.hold()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	fails(t, run(ctx, "b"), sshrun.Unreached, false)
	goOn()
	if err := run(t.Context(), "c"); err != nil {
		t.Fatal(err)
	}
	// The server starts the command all the same, and gives it nothing.
	read := func() string {
		text, err := os.ReadFile(ran)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	until(t, func() bool { return strings.Count(read(), "]") == 3 })
	if got := read(); strings.Contains(got, "b") {
		t.Errorf("what was given up was sent: %s", got)
	}
}

// TestAConnectionThatEndedUnnoticed is replaced within the run that finds it.
func TestAConnectionThatEndedUnnoticed(t *testing.T) {
	s := servertest.NewSSHD(t, "cat")
	p := newPath(t, s.Address())
	o := options(t, s, p.Addr().String())
	o.Alive = 2 * time.Second
	h := open(t, o)
	for range 2 {
		if got, err := h.Run(t.Context(), []byte("text")); err != nil || string(got.Output) != "text" {
			t.Fatalf("the run gave %q, %v", got.Output, err)
		}
		p.lose()
	}
}
