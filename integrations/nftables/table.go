// Package nftables limits and blocks hosts at a Linux gateway that forwards their
// traffic: in a table of our own, with an end that the gateway's kernel keeps by itself.
package nftables

import (
	"context"
	"math"
	"net/netip"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Scope is which traffic a limit or a block is of.
type Scope struct {
	Action incident.Action `json:"action"`
	// Addresses are the host's own: sorted, each once, IPv4 never written in IPv6.
	Addresses []netip.Addr `json:"addresses"`
	// Filter is the part of its traffic; nil is all that it sends.
	Filter *incident.Filter `json:"filter,omitempty"`
}

// Limit is a limit or a block that the table holds, or is to hold.
type Limit struct {
	Scope
	// Key is that of the order; empty where somebody else made it.
	Key string `json:"key,omitempty"`
	// Rate is that of a limit in bits per second. It is kept in whole bytes.
	Rate int64 `json:"rate,omitempty"`
	// Left is for how long it stays from now on, if nobody takes it away: a time of the
	// gateway's clock would have to agree with ours. What somebody else has put in without
	// an end has the longest time there is.
	Left time.Duration `json:"left"`
	// Counters is what it counted, of one that stands.
	Counters *incident.Counters `json:"counters,omitempty"`
	// Chain is the name of its chain where somebody has changed that so that it does not say
	// any more whose it is; empty otherwise.
	Chain string `json:"chain,omitempty"`
	// Problem is why what is in the table has no effect, or not all of it, such as when a
	// part was taken away by hand; empty where it is whole. It is for people.
	Problem string `json:"problem,omitempty"`
}

// tableName is that of our table, of the family inet.
const tableName = "stanch"

const forever = time.Duration(math.MaxInt64)

// maxRate is the highest rate in bits per second whose bucket the kernel can count: in
// billionths of a byte, in 64 bits.
const maxRate = 8 * (math.MaxUint64/1_000_000_000 - 64<<20)

// table is our table at a gateway. Its errors are of type [integrations.Error]: where the
// table of our name is not ours they are denied, and nothing is touched.
type table interface {
	// List returns what limits and blocks, also what somebody else put into our table. With
	// a scope it returns only what holds some of that traffic, in the same way: the same
	// action and filter, and at least one of the addresses. So what only counts is listed
	// by its own scope alone.
	List(ctx context.Context, of *Scope) ([]Limit, error)
	// Put puts a limit in place, at once or not at all, and returns what stands then. What
	// stands already with the key is kept: a lower rate takes its place, a later end
	// prolongs it, neither loosens it for a moment or ends its counters. What another key,
	// or nobody's, holds on all of the scope is kept and returned.
	Put(ctx context.Context, l Limit) (Limit, error)
	// Delete takes away what stands with the key on the scope, and reports whether there
	// was anything. What holds the scope with another key stays.
	Delete(ctx context.Context, l Limit) (bool, error)
	// Check returns the error that Put would return, and changes nothing. The limit may
	// lack its key and Left.
	Check(ctx context.Context, l Limit) error
}
