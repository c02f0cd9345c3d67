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
