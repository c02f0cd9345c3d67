package integrations

import (
	"context"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// HostsQuery asks which hosts sent most in [From, To). Networks bounds whom it
// counts as a host of one's own: CIDRs; none means the private ranges. Top
// bounds the hosts returned.
type HostsQuery struct {
	From, To time.Time
	Networks []string
	Top      int
}

// Hunter is a flow store that can be asked about all hosts at once.
type Hunter interface {
	// Hosts returns the hosts with the most egress in the window, largest first.
	Hosts(ctx context.Context, q HostsQuery) ([]incident.HostTraffic, error)
}

// Surveyor is a flow store that reports what its records can and cannot show.
type Surveyor interface {
	// Survey looks at the records of [from, to), of all hosts.
	Survey(ctx context.Context, from, to time.Time) (incident.Survey, error)
}

// SendersQuery asks who sent from the addresses in [From, To).
type SendersQuery struct {
	IPs      []string
	From, To time.Time
}

// Senders is a flow store that knows who sent, where its sensors say so. It returns nobody where no
// sensor said anything: an address is then as unknown as before.
type Senders interface {
	// Senders returns whom the sensors name, the newest first, each once a sensor.
	Senders(ctx context.Context, q SendersQuery) ([]incident.Sender, error)
}

// Followed is what came in from a file of a log, or what is wrong with it.
type Followed struct {
	File string
	// Records were added; Bad lines could not be read, of which Why is the first.
	Records, Bad int64
	Why          string
	// Err is why the file cannot be read; it is tried again.
	Err error
}

// Follower is a flow store that reads logs by itself, as they are written.
type Follower interface {
	// Follow adds what the logs hold, and what is appended to them, until the context ends, whose error
	// it returns. It must be safe to end at any time, and to do in several processes. Told is called
	// for what came in.
	Follow(ctx context.Context, told func(Followed)) error
}
