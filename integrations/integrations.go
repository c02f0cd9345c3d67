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

// ExecutionQuery asks for the starts of processes and scripts on a device in
// [From, To), by the endpoint's clock. At most Limit are returned, newest first.
type ExecutionQuery struct {
	Target   incident.Target
	From, To time.Time
	Limit    int
	// PIDs narrows the answer to processes with these ids; none means all.
	PIDs []int64
}

// Executions finds what a device ran.
type Executions interface {
	// Executions returns the starts of processes, each with its parents, and the
	// scripts that they executed, with the text where the product has it.
	Executions(ctx context.Context, q ExecutionQuery) ([]incident.Execution, error)
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
	// Apply with the same key has no second effect, unless its rate is lower: that one
	// may take the place of the first, without a moment in which nothing is limited. Where
	// it does not, Read shows the rate that holds. Apply returns when the
	// product has accepted it; Read reports when it is in place. Where the
	// product carries actions out in any order, it writes nothing while another one
	// is open on the device, whoever ordered it and in whichever direction, and
	// returns a conflict; so does Undo.
	Apply(ctx context.Context, o incident.Order) (incident.Receipt, error)
	// Undo lifts what Apply made, and only that: what is in place with another key,
	// or with none, is left alone. It must be safe to repeat.
	Undo(ctx context.Context, o incident.Order) (incident.Receipt, error)
}

// Planner is an enforcer that can tell beforehand whether it could carry an order out.
type Planner interface {
	// Plan returns nil where Apply would put the containment in place now, else the error
	// that Apply would return. It must not change anything; the order may lack its key
	// and its end. Another integration may be chosen because of the error, and its Words
	// are what people read as the reason.
	Plan(ctx context.Context, o incident.Order) error
}

// Lister is an enforcer that can list what carries a key of ours, so that what no lease
// stands for any more is found.
type Lister interface {
	// Standing returns the containments with a key of ours that are in place, or under way,
	// sorted by key: each with its key, its action and what else the product knows of it,
	// such as the rate or the addresses. The target may be zero. One that the product holds
	// several times is there as often. What somebody else made is not among them. It must
	// not change anything.
	Standing(ctx context.Context) ([]incident.Order, error)
}

// Restorer is an enforcer whose containments end with the process that carries them out.
type Restorer interface {
	// Restore puts in place what the orders of the standing leases ask for, and lets the
	// process begin to carry out others. It must come before anything else is asked, and
	// be safe to repeat. Orders that it cannot restore are in the error; all others stand.
	Restore(ctx context.Context, orders []incident.Order) error
}

// LongestCount is for how long a rule that only counts may be asked for at a time.
const LongestCount = 24 * time.Hour

// Counter is an enforcer that can count traffic without doing anything to it.
type Counter interface {
	// CountOnly puts a rule in place that only counts the traffic that the order is for, for
	// so long, after which the product removes it by itself, a minute later at most. For the
	// key that has one, the time begins anew and the counting goes on. It must be safe to
	// repeat; a time that is not between a second and [LongestCount] is invalid. Such a rule
	// is no containment: Read does not show it, nor does a Lister, and Undo leaves it alone.
	CountOnly(ctx context.Context, o incident.Order, lasts time.Duration) error
	// Counted returns what the order's rule has let pass since it is in place, or not
	// found where there is none.
	Counted(ctx context.Context, o incident.Order) (incident.Counters, error)
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
	// Started is when it was started, by the endpoint's clock, where the EDR has
	// said so; zero is not known. A process that is known to have been started at
	// another time is another one, though pid and path agree.
	Started time.Time
}

// StartedAt reports whether a process that was started at a time can be the one that
// is meant. Products keep the time to the second, or know none.
func (o KillOrder) StartedAt(started time.Time) bool {
	return o.Started.IsZero() || started.IsZero() || started.Sub(o.Started).Abs() < 2*time.Second
}

// Killer ends processes.
type Killer interface {
	// Kill must be safe to repeat; a process that is already gone is done.
	Kill(ctx context.Context, o KillOrder) (incident.Receipt, error)
}

// ScriptOrder asks to run a script of the product's library on one device.
type ScriptOrder struct {
	Key    string
	Target incident.Target
	// Script is its name in the library. Each of Args is a number, or consists of
	// letters, digits and ._:/\\- without blanks: anything else is an invalid error,
	// for products join arguments to a command line.
	Script string
	Args   []string
}

// ScriptState is how far a script is.
type ScriptState string

// The states of a script. One that waits for approval waits for a person at the
// product, not for us.
const (
	ScriptQueued         ScriptState = "queued" // also: the device is offline
	ScriptAwaitsApproval ScriptState = "awaits_approval"
	ScriptRunning        ScriptState = "running"
	ScriptDone           ScriptState = "done"
	ScriptFailed         ScriptState = "failed" // it did not run to its end; what it did is unknown
)

// ScriptResult is what is known of a script that was ordered. Exit is nil where
// the product does not tell it; output is bounded.
type ScriptResult struct {
	State          ScriptState `json:"state"`
	Exit           *int        `json:"exit,omitempty"`
	Stdout, Stderr string
	Detail         string `json:"detail,omitempty"`
}

// Runner runs scripts on devices, one at a time on each.
type Runner interface {
	// Run orders the script. It must be safe to repeat: a second Run with the same
	// key orders nothing. While another script runs on the device it is a conflict.
	Run(ctx context.Context, o ScriptOrder) (incident.Receipt, error)
	// Ran returns how far the order of that key is, with all of its output once
	// it has ended; one that was never ordered is a not_found error.
	Ran(ctx context.Context, o ScriptOrder) (ScriptResult, error)
}

// Excepter knows which addresses isolated devices still reach by the product's own
// configuration, with which it compares each order. It finds what is missing before
// a case needs it.
type Excepter interface {
	// Unexcepted returns those of the addresses and networks that no isolated device
	// would reach.
	Unexcepted(ctx context.Context, addresses []string) ([]string, error)
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
