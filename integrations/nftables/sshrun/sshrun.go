// Package sshrun runs one command at one host over SSH, many times over one connection
// that is kept. The host is known by one key; what proves this side is a private key in
// a file. There is no agent, no password, no list of known hosts and no terminal.
package sshrun

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// Options are what a [Host] is opened with.
type Options struct {
	User string
	// Address is host:port.
	Address string
	HostKey HostKey
	Signer  ssh.Signer
	// Command is what is asked for. The host's authorized_keys may run another one.
	Command string
	// MaxOutput bounds what one run may print, in bytes.
	MaxOutput int
	// Connect bounds how long it takes until a connection stands, Run a whole run.
	Connect, Run time.Duration
	// Alive is how often a connection is tried that is kept; one that does not answer
	// within the same time is given up.
	Alive time.Duration
}

// sessions is how many runs may be under way on the connection. OpenSSH allows ten, and a
// session that has ended may count until the next one was asked for.
const sessions = 5

// Host is one host. It is safe for concurrent use.
type Host struct {
	o Options
	// running holds a token for each run, dialing one for who makes the connection.
	running, dialing chan struct{}

	mu     sync.Mutex
	kept   *connection
	closed bool
}

// New returns a host. It does not connect.
func New(o Options) *Host {
	return &Host{o: o, running: make(chan struct{}, sessions), dialing: make(chan struct{}, 1)}
}

// Close ends the connection, and what runs on it.
func (h *Host) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed = true
	if h.kept == nil {
		return nil
	}
	kept := h.kept
	h.kept = nil
	return kept.close()
}

// connection is one connection, with how many runs use it. One that is left, because of
// a doubt or at the end, is closed by the last of them.
type connection struct {
	client *ssh.Client
	gone   chan struct{}
	users  int
	left   bool
}

// close ends it. That it had ended already is no error.
func (c *connection) close() error {
	if err := c.client.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("close the connection: %w", err)
	}
	return nil
}

// ended reports whether the other side has ended it.
func (c *connection) ended() bool {
	select {
	case <-c.gone:
		return true
	default:
		return false
	}
}

// acquire returns a connection for one run, and whether it was kept from another. The
// caller releases it.
func (h *Host) acquire(ctx context.Context) (c *connection, kept bool, err error) {
	select {
	case h.dialing <- struct{}{}:
		defer func() { <-h.dialing }()
	case <-ctx.Done():
		return nil, false, &Error{Reason: Unreached, Err: fmt.Errorf("wait for the connection: %w", context.Cause(ctx))}
	}
	if c := h.use(); c != nil {
		return c, true, nil
	}
	client, err := h.dial(ctx)
	if err != nil {
		return nil, false, err
	}
	made := &connection{client: client, gone: make(chan struct{}), users: 1}
	go func() {
		_ = client.Wait() // How it ended is told to each run.
		close(made.gone)
	}()
	h.mu.Lock()
	closed := h.closed
	if !closed {
		h.kept = made
	}
	h.mu.Unlock()
	if closed {
		return nil, false, errors.Join(&Error{Reason: Unreached, Err: errors.New("the connection was closed")}, made.close())
	}
	go h.keepAlive(made)
	return made, false, nil
}

// use returns the connection that is kept, with one run more, or nil.
func (h *Host) use() *connection {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.kept == nil || h.kept.ended() {
		h.kept = nil
		return nil
	}
	h.kept.users++
	return h.kept
}

// leave has no further run use a connection. Those that do end before long.
func (h *Host) leave(c *connection) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.kept == c {
		h.kept = nil
	}
	if !c.left {
		c.left = true
		time.AfterFunc(h.o.Run, func() { _ = c.close() })
	}
}

// release ends one run's use.
func (h *Host) release(c *connection) {
	h.mu.Lock()
	c.users--
	over := c.left && c.users == 0
	h.mu.Unlock()
	if over {
		_ = c.close() // Nobody uses it any more.
	}
}

// keepAlive asks at intervals whether the other side is there, until the connection ends.
// A network that swallows everything would else hold up the next run for its whole time.
func (h *Host) keepAlive(c *connection) {
	tick := time.NewTicker(h.o.Alive)
	defer tick.Stop()
	for {
		select {
		case <-c.gone:
			return
		case <-tick.C:
		}
		answered := make(chan error, 1)
		go func() {
			_, _, err := c.client.SendRequest("keepalive@openssh.com", true, nil)
			answered <- err
		}()
		late := time.NewTimer(h.o.Alive)
		select {
		case err := <-answered:
			late.Stop()
			if err == nil {
				continue
			}
		case <-late.C:
		}
		h.leave(c)
		_ = c.close() // What runs on it is told.
		return
	}
}

// dial makes a connection.
func (h *Host) dial(ctx context.Context) (*ssh.Client, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, h.o.Connect, fmt.Errorf("no connection within %s", h.o.Connect))
	defer cancel()
	wire, err := (&net.Dialer{}).DialContext(ctx, "tcp", h.o.Address)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, &Error{Reason: Unreached, Err: err}
	}
	// The handshake knows no context: it ends with the socket.
	stop := context.AfterFunc(ctx, func() { _ = wire.Close() })
	seen := handshake{pinned: h.o.HostKey}
	conn, channels, requests, err := ssh.NewClientConn(wire, h.o.Address, h.config(&seen))
	if !stop() && err == nil {
		err = errors.Join(context.Cause(ctx), conn.Close())
		return nil, &Error{Reason: Unreached, Err: err}
	}
	if err != nil {
		_ = wire.Close() // The handshake has failed already.
		return nil, seen.why(ctx, err)
	}
	return ssh.NewClient(conn, channels, requests), nil
}

func (h *Host) config(seen *handshake) *ssh.ClientConfig {
	return &ssh.ClientConfig{
		Config: ssh.Config{
			KeyExchanges: []string{
				ssh.KeyExchangeMLKEM768X25519, ssh.KeyExchangeCurve25519,
				ssh.KeyExchangeECDHP256, ssh.KeyExchangeECDHP384, ssh.KeyExchangeECDHP521,
			},
			Ciphers: []string{ssh.CipherAES256GCM, ssh.CipherAES128GCM, ssh.CipherChaCha20Poly1305},
			// These ciphers authenticate by themselves; the list must not be empty.
			MACs: []string{ssh.HMACSHA256ETM, ssh.HMACSHA512ETM},
		},
		User:              h.o.User,
		Auth:              []ssh.AuthMethod{ssh.PublicKeys(h.o.Signer)},
		HostKeyCallback:   seen.check,
		HostKeyAlgorithms: h.o.HostKey.algorithms,
		ClientVersion:     "SSH-2.0-stanch",
	}
}
