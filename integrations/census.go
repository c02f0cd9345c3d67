package integrations

import (
	"context"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// CensusQuery asks what left the networks of one's own in [From, To): CIDRs; none means the private
// ranges. Flows between hosts of the networks, and to everybody on the same wire, do not leave.
type CensusQuery struct {
	From, To time.Time
	Networks []string
}

// Census is a flow store that tells of all hosts at once what left. Each flow counts once, whoever saw it.
type Census interface {
	// HostWindows calls yield for each host and window of the given length from From on in which there is a
	// record of it with the outside, in no order. An error of yield ends it.
	HostWindows(ctx context.Context, q CensusQuery, each time.Duration, yield func(incident.HostWindow) error) error
	// HostServices calls yield for each host and service, in no order.
	HostServices(ctx context.Context, q CensusQuery, yield func(incident.HostService) error) error
}
