// Package edrtest is the estate behind the doubles of EDR products: devices with
// what they run and send, and the actions that were ordered on them. A double
// speaks its product's protocol and keeps nothing but that; what is true of a
// device is here, so that one suite can look at the devices of any product.
package edrtest

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Host is a device.
type Host struct {
	// ID is in the product's own form.
	ID, Name string
	Domain   string
	// Addresses are those of now first, each with the time in which the device had it.
	Addresses []Address
	OS        string // such as Windows Server 2022
	Role      string // workstation, server or domain_controller
	// Offline hosts carry nothing out until they are back.
	Offline  bool
	LastSeen time.Time
	Sessions []Session
	Tags     []string
	Groups   []string
	// Proxy is the proxy through which the agent reaches its cloud; empty is direct.
	Proxy       string
	Processes   []*Process
	Connections []Connection
}

// Address is an address of a device in [From, To); a zero To is until now.
type Address struct {
	IP       string
	From, To time.Time
}

// Session is a user who is logged on.
type Session struct {
	User, Domain, SID string
	Since             time.Time
}

// Process is one that ran or runs on a device.
type Process struct {
	PID         int64
	Path        string
	CommandLine string
	User        string
	Session     int
	SHA256      string
	Signer      string // empty is unsigned
	Parent      *Process
	Start       time.Time
	End         time.Time // zero: it runs
	// Scripts are those that it executed.
	Scripts []Script
}

// Script is the execution of a script. Path is empty for one that was typed or
// downloaded.
type Script struct {
	At   time.Time
	Path string
	Text string
}

// Connection is one network connection. Bytes are what the device sent and got;
// most products do not tell them.
type Connection struct {
	At time.Time
	incident.Tuple
	Inbound           bool
	Process           *Process
	BytesOut, BytesIn int64
}

// IP is the address that the device has now; empty for none.
func (h *Host) IP() string {
	if len(h.Addresses) == 0 || !h.Addresses[0].To.IsZero() {
		return ""
	}
	return h.Addresses[0].IP
}

// IPsAt are the addresses that the device had at a time.
func (h *Host) IPsAt(at time.Time) []string {
	var ips []string
	for _, a := range h.Addresses {
		if !at.Before(a.From) && (a.To.IsZero() || at.Before(a.To)) {
			ips = append(ips, a.IP)
		}
	}
	return ips
}

// World holds the devices and the actions. It is safe for concurrent use.
type World struct {
	tb  testing.TB
	now func() time.Time

	mu      sync.Mutex
	hosts   []*Host
	actions []*Action
	// isolated is whether a device is cut off, and effects how many isolations and
	// releases were accepted from clients, by device.
	isolated   map[string]bool
	oneAtATime bool
	effects    map[string]int
	prompt     bool
	// Script is what a script does on a device; without it every script fails.
	script func(h Host, name, input string) Result
}

// New returns an empty world whose clock is now.
func New(tb testing.TB, now func() time.Time) *World {
	tb.Helper()
	return &World{tb: tb, now: now, isolated: map[string]bool{}, effects: map[string]int{}}
}

// Now is the time in the world.
func (w *World) Now() time.Time { return w.now().UTC() }

// Add adds a device.
func (w *World) Add(h Host) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.find(h.ID) != nil {
		w.tb.Errorf("add a device: %s is there", h.ID)
	}
	w.hosts = append(w.hosts, &h)
}

// Hosts are the devices, in the order in which they were added. What their
// pointers lead to must not be changed.
func (w *World) Hosts() []Host {
	w.mu.Lock()
	defer w.mu.Unlock()
	out := make([]Host, 0, len(w.hosts))
	for _, h := range w.hosts {
		out = append(out, *h)
	}
	return out
}

// Host returns a device, if there is one with the id.
func (w *World) Host(id string) (Host, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if h := w.find(id); h != nil {
		return *h, true
	}
	return Host{}, false
}

// Change changes a device.
func (w *World) Change(id string, change func(*Host)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if h := w.find(id); h != nil {
		change(h)
		return
	}
	w.tb.Errorf("change a device: there is no %s", id)
}

func (w *World) find(id string) *Host {
	at := slices.IndexFunc(w.hosts, func(h *Host) bool { return h.ID == id })
	if at < 0 {
		return nil
	}
	return w.hosts[at]
}

// Isolated reports whether a device is cut off, whatever its product says.
func (w *World) Isolated(id string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.isolated[id]
}

// Impose isolates a device by hand: no client of ours did it, and it is no effect
// of theirs.
func (w *World) Impose(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.isolated[id] = true
	w.actions = append(w.actions, &Action{
		ID: w.nextID(), Kind: Isolate, Host: id, By: "somebody@example.com", Comment: "by hand",
		Created: w.Now(), Updated: w.Now(), State: Done,
	})
}

// Effects are how many isolations and releases the product has accepted from its
// clients; of one device, or of all for an empty id.
func (w *World) Effects(id string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if id != "" {
		return w.effects[id]
	}
	n := 0
	for _, e := range w.effects {
		n += e
	}
	return n
}

func (w *World) nextID() string {
	n := len(w.actions) + 1
	return fmt.Sprintf("%08d-0000-4000-8000-%012d", n, n)
}
