package servertest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/stanch-soar/stanch/integrations/contract"
)

// FreePort returns a port of this machine on which nothing listens.
func FreePort() (int, error) {
	l, port, err := listen()
	if err != nil {
		return 0, err
	}
	return port, l.Close()
}

func listen() (net.Listener, int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, 0, err
	}
	at, err := netip.ParseAddrPort(l.Addr().String())
	return l, int(at.Port()), err
}

// Door is a proxy to a real server on this machine that can be shut.
type Door struct {
	listener net.Listener
	port     int
	target   string
	mu       sync.Mutex
	fault    contract.Fault
	open     []net.Conn
}

// NewDoor opens a proxy to the server on a port. It is closed when the test ends.
func NewDoor(tb testing.TB, port int) *Door {
	tb.Helper()
	l, at, err := listen()
	if err != nil {
		tb.Fatal(err)
	}
	d := &Door{listener: l, port: at, target: fmt.Sprintf("127.0.0.1:%d", port)}
	go d.serve()
	tb.Cleanup(func() {
		_ = l.Close()
		d.Break(contract.Down)
	})
	return d
}

// Port is that of the door.
func (d *Door) Port() int { return d.port }

// Break shuts the door for a server that is [Down], and has it read without
// passing anything on for one that [Hang]s. Any other fault opens it.
func (d *Door) Break(fault contract.Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.fault = fault
	if fault == contract.Down {
		for _, c := range d.open {
			_ = c.Close()
		}
		d.open = nil
	}
}

func (d *Door) has(fault contract.Fault) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fault == fault
}

func (d *Door) serve() {
	for {
		c, err := d.listener.Accept()
		if err != nil {
			return
		}
		if d.has(contract.Down) {
			_ = c.Close()
			continue
		}
		up, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", d.target)
		if err != nil {
			_ = c.Close()
			continue
		}
		d.mu.Lock()
		d.open = append(d.open, c, up)
		d.mu.Unlock()
		go d.copy(up, c)
		go d.copy(c, up)
	}
}

// copy passes bytes on, and drops them while the server hangs.
func (d *Door) copy(to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && !d.has(contract.Hang) {
			if _, err := to.Write(buf[:n]); err != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	_ = to.Close()
	_ = from.Close()
}

// Saying returns the address of a server that answers every client's first bytes
// with the same text, and closes the connection.
func Saying(tb testing.TB, says string) string {
	tb.Helper()
	l, _, err := listen()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.ReadAtLeast(c, make([]byte, 1024), 1)
			_, _ = io.WriteString(c, says)
			_ = c.Close()
		}
	}()
	return l.Addr().String()
}
