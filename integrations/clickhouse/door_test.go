package clickhouse

import (
	"fmt"
	"net"
	"sync"
	"testing"
)

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// door is a way to the server that can be shut.
type door struct {
	listener net.Listener
	target   string
	mu       sync.Mutex
	state    string // "", shut or stuck
	open     []net.Conn
}

func newDoor(tb testing.TB, port int) *door {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	d := &door{listener: l, target: fmt.Sprintf("127.0.0.1:%d", port)}
	go d.serve()
	tb.Cleanup(func() {
		_ = l.Close()
		d.set("shut")
	})
	return d
}

func (d *door) port() int { return d.listener.Addr().(*net.TCPAddr).Port }

func (d *door) set(state string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state = state
	if state == "shut" {
		for _, c := range d.open {
			_ = c.Close()
		}
		d.open = nil
	}
}

func (d *door) is(state string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.state == state
}

func (d *door) serve() {
	for {
		c, err := d.listener.Accept()
		if err != nil {
			return
		}
		if d.is("shut") {
			_ = c.Close()
			continue
		}
		up, err := net.Dial("tcp", d.target)
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

// copy passes bytes on, and keeps them to itself while the door is stuck.
func (d *door) copy(to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 && !d.is("stuck") {
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
