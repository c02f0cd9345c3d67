// Package integrations declares what Stanch can ask of other products: one
// small interface per capability, the Spec by which an integration describes
// itself, and the closed set of error kinds. The capabilities' obligations
// are in their comments and are checked by the suites in contract.
package integrations

import (
	"context"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

// EndpointQuery names a host by the identifiers that an alert carries; empty
// ones are not queried. At is the time for which addresses are resolved.
type EndpointQuery struct {
	ID   string
	Name string
	IPs  []string
	At   time.Time
}

// Endpoints finds devices.
type Endpoints interface {
	// Endpoints returns every device that matches at least one of the query's
	// identifiers, sorted by id, each once. No match is an empty list, not an
	// error. It must not guess: a prefix or a substring is no match.
	Endpoints(ctx context.Context, q EndpointQuery) ([]incident.Endpoint, error)
}

// ConnectionQuery asks for a device's connections in [From, To), by the
// endpoint's clock. At most Limit are returned, newest first.
type ConnectionQuery struct {
	Target   incident.Target
	From, To time.Time
	Limit    int
	// Tuples narrows the answer to connections of these 5-tuples, in either
	// direction, so that others take no room from them; none means all. There
	// are at most [MaxTuples]: a caller with more makes several queries.
	Tuples []incident.Tuple
}

// MaxTuples bounds the tuples of one query.
const MaxTuples = 500

// Connections finds the process of each connection.
type Connections interface {
	// Connections returns the connections of a device, with their processes.
	Connections(ctx context.Context, q ConnectionQuery) ([]incident.Connection, error)
}

// TrafficQuery asks for what left a host in [From, To). IPs are the host's
// addresses in that window; Top bounds the destinations returned.
type TrafficQuery struct {
	IPs      []string
	From, To time.Time
	Top      int
	// Limits decide the traffic's role; nil means the default ones.
	Limits *traffic.RoleLimits
}

// BaselineQuery asks what a host normally sends per Window, over Days before
// To. A window without a record counts as zero, but only from the host's first
// record on.
type BaselineQuery struct {
	IPs []string
	// Peers are the addresses of other hosts of the same role, a list a host:
	// their windows count in addition to the host's own.
	Peers  [][]string
	To     time.Time
	Days   int
	Window time.Duration
}

// Flows is a flow store.
type Flows interface {
	// Traffic returns what left the host. What the store cannot know stays
	// unknown; a store without any record for the window answers with unknown
	// values and the reason, never with zero, unless it can show that the host
	// was quiet: its newest record (of any host) is later than the window.
	Traffic(ctx context.Context, q TrafficQuery) (incident.Traffic, error)
	// Baseline returns the statistics; with fewer than
	// incident.MinBaselineBuckets windows everything but Buckets is unknown.
	Baseline(ctx context.Context, q BaselineQuery) (incident.Baseline, error)
	// Series returns egress per minute in [From, To), quiet minutes as zero.
	Series(ctx context.Context, q TrafficQuery) ([]incident.Point, error)
}

// Inventory knows the assets.
type Inventory interface {
	// Asset returns what is known of a host; identifiers as in EndpointQuery.
	// A host that is not in the inventory is a not_found error.
	Asset(ctx context.Context, q EndpointQuery) (incident.Asset, error)
}

// Enforcer applies containments that stay until they are undone. Its Spec
// lists the actions that it can enforce; any other is an invalid error, as is
// a zero target.
type Enforcer interface {
	// Read returns what is in place on the device now. It must not change anything.
	Read(ctx context.Context, o incident.Order) (incident.Reading, error)
	// Apply puts the containment in place. It must be safe to repeat: a second
	// Apply with the same key has no second effect. It returns when the
	// product has accepted it; Read reports when it is in place.
	Apply(ctx context.Context, o incident.Order) (incident.Receipt, error)
	// Undo lifts what Apply made, and only that: what is in place with another key,
	// or with none, is left alone. It must be safe to repeat.
	Undo(ctx context.Context, o incident.Order) (incident.Receipt, error)
}

// RoleLister is an inventory that can list the roles that it gives to hosts, as it
// spells them, one for each host. It serves to find an unknown role before a case
// relies on it.
type RoleLister interface {
	AssetRoles(ctx context.Context) ([]string, error)
}

// CollectOrder asks for evidence of a device. What is a list of processes,
// connections.
type CollectOrder struct {
	Key    string
	Target incident.Target
	What   []string
}

// Artifact is collected evidence: plain JSON.
type Artifact struct {
	What string    `json:"what"`
	At   time.Time `json:"at"`
	Data []byte    `json:"data"`
}

// Collector takes evidence that a containment would destroy.
type Collector interface {
	// Collect must be safe to repeat.
	Collect(ctx context.Context, o CollectOrder) ([]Artifact, error)
}

// KillOrder asks to end one process of a device. Both PID and Path must match:
// a pid is used again.
type KillOrder struct {
	Key    string
	Target incident.Target
	PID    int64
	Path   string
}

// Killer ends processes.
type Killer interface {
	// Kill must be safe to repeat; a process that is already gone is done.
	Kill(ctx context.Context, o KillOrder) (incident.Receipt, error)
}

// Finding is one line of what a check found.
type Finding struct {
	What string `json:"what"`
	OK   bool   `json:"ok"`
	// Warning marks a finding that does not fail the check; OK is set then too.
	Warning bool `json:"warning,omitempty"`
	// Fix is what to do when it is not OK, or what would be better.
	Fix string `json:"fix,omitempty"`
}

// Prober checks that an integration is reachable and has the permissions that
// its Spec lists, without changing anything.
type Prober interface {
	Probe(ctx context.Context) []Finding
}
