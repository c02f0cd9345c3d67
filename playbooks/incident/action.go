package incident

import (
	"fmt"
	"strings"
	"time"
)

// Action is what a step does to the world.
type Action string

// The closed set of actions. Each is registered once, in [ActionSpecs].
const (
	Notify      Action = "notify"
	Collect     Action = "collect"
	RateLimit   Action = "rate_limit"
	Block       Action = "block"
	KillProcess Action = "kill_process"
	Isolate     Action = "isolate"
)

// Direction of the traffic that a filter matches, seen from the host.
type Direction string

// The two directions.
const (
	Outbound Direction = "outbound"
	Inbound  Direction = "inbound"
)

// Filter says which traffic of a host a block stops, or a rate_limit bounds. Empty
// fields match everything; a filter that matches everything is refused, that would be
// an isolation, or is a limit without a filter.
type Filter struct {
	Direction Direction `json:"direction"`
	// RemoteIP is the far end's address.
	RemoteIP string `json:"remote_ip,omitempty"`
	// RemotePort is the far end's port, LocalPort the host's own.
	RemotePort int    `json:"remote_port,omitempty"`
	LocalPort  int    `json:"local_port,omitempty"`
	Transport  string `json:"transport,omitempty"`
}

// MatchesAll reports whether the filter leaves nothing of its direction out.
func (f Filter) MatchesAll() bool { return f == Filter{Direction: f.Direction} }

// String is the filter for people and for ids: outbound udp to 192.0.2.1 port 53.
func (f Filter) String() string {
	parts := []string{string(f.Direction)}
	if f.Transport != "" {
		parts = append(parts, f.Transport)
	}
	if f.RemoteIP != "" {
		parts = append(parts, f.RemoteIP)
	}
	if f.RemotePort != 0 {
		parts = append(parts, fmt.Sprintf("remote-port-%d", f.RemotePort))
	}
	if f.LocalPort != 0 {
		parts = append(parts, fmt.Sprintf("local-port-%d", f.LocalPort))
	}
	return strings.Join(parts, " ")
}

// Covers reports whether all traffic that another filter matches is matched by this
// one, too. A nil filter matches all traffic.
func (f *Filter) Covers(o *Filter) bool {
	switch {
	case f == nil:
		return true
	case o == nil:
		return false
	}
	return f.Direction == o.Direction && (f.RemoteIP == "" || f.RemoteIP == o.RemoteIP) &&
		(f.RemotePort == 0 || f.RemotePort == o.RemotePort) && (f.LocalPort == 0 || f.LocalPort == o.LocalPort) &&
		(f.Transport == "" || f.Transport == o.Transport)
}

// Order asks an integration for a containment. Key identifies it permanently: the
// same key is the same containment, however often it is sent.
type Order struct {
	Key    string `json:"key"`
	Action Action `json:"action"`
	Target Target `json:"target"`
	// Rate is the limit of a rate_limit in bits per second.
	Rate int64 `json:"rate,omitempty"`
	// Filter is what a block stops, and what a rate_limit bounds; nil is all that the host
	// sends.
	Filter *Filter `json:"filter,omitempty"`
	// Addresses are the device's own, by which a product that sits in the network knows
	// it. Each is one address, never a network. Products that know devices by id leave
	// them unread.
	Addresses []string `json:"addresses,omitempty"`
	// Program is the full path of the one executable whose traffic it is about, for products
	// that know programs; empty is every program's.
	Program string `json:"program,omitempty"`
	// Until is when the lease ends, for products with an expiry of their own:
	// a second safety net, never the first.
	Until time.Time `json:"until"`
	// HeardWithin is within what time after an isolation is in place the device's
	// agent must be heard; else it is undone. Zero: it is not looked for.
	HeardWithin time.Duration `json:"heard_within,omitempty"`
	// Except are addresses, and networks such as 10.1.0.0/24, that stay reachable for
	// an isolated host, and no others. A product that can neither be told nor be
	// asked says so in its Spec.
	Except []string `json:"except,omitempty"`
	// Reason is written where the product has room for it. It carries no text
	// of the alert.
	Reason string `json:"reason"`
}

// Scope is the part of the lease's id that says what is contained: the device,
// and which of its traffic where that is not all.
func (o Order) Scope() string {
	scope := o.Target.ID()
	if o.Filter != nil {
		scope += "/" + strings.ReplaceAll(o.Filter.String(), " ", "-")
	}
	if o.Program != "" {
		// Windows does not tell programs apart by case.
		scope += "/of-" + strings.ToLower(o.Program)
	}
	return scope
}

// Reading is the state of one containment, as read from the device.
type Reading struct {
	// Stands reports whether the containment is in force.
	Stands bool `json:"stands"`
	// Pending reports whether the product has accepted it, or an end of it, but the
	// device has not carried it out, such as an isolation of a host that is offline.
	// It counts everybody's open actions of the kind on the device.
	Pending bool `json:"pending,omitempty"`
	// Key is the key of whoever made it, where the product keeps one. Empty
	// with Stands means that somebody else made it: it is adopted, and never
	// undone by us.
	Key string `json:"key,omitempty"`
	// Copies is how many containments with the order's key are in place or under way, where the
	// product can hold several and has more than one: all but the first are effects too many.
	Copies int `json:"copies,omitempty"`
	// Rate is the limit in force, bits per second, for a rate_limit.
	Rate   int64  `json:"rate,omitempty"`
	Detail string `json:"detail,omitempty"`
	// Heard is when the device's agent was last heard, where the product says so.
	Heard time.Time `json:"heard,omitzero"`
	// Counters is what it let through and dropped since it is in place, where the
	// product counts.
	Counters *Counters `json:"counters,omitempty"`
}

// Counters is what a limit or a block counted of the traffic that it is for. It only
// grows while it is in place.
type Counters struct {
	PassedBytes    int64 `json:"passed_bytes"`
	PassedPackets  int64 `json:"passed_packets"`
	DroppedBytes   int64 `json:"dropped_bytes"`
	DroppedPackets int64 `json:"dropped_packets"`
}

// Receipt is a product's answer to a write. It is acceptance, never proof.
type Receipt struct {
	// Ref is the product's id of the action, where it gives one.
	Ref    string    `json:"ref,omitempty"`
	At     time.Time `json:"at"`
	Detail string    `json:"detail,omitempty"`
	// Rest is how long the product asks to wait before the next write
	// to the same place.
	Rest time.Duration `json:"rest,omitempty"`
}
