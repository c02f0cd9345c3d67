package contract

import (
	"context"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// careless tells each thing twice, and of what was not seen that it was nothing.
type careless struct{ *memory.Estate }

func (s careless) HostServices(ctx context.Context, q integrations.CensusQuery, yield func(incident.HostService) error) error {
	q.Networks = []string{"0.0.0.0/1", "128.0.0.0/1"}
	return s.Estate.HostServices(ctx, q, func(one incident.HostService) error {
		one.Unseen, one.Peers = false, 1
		_ = yield(one)
		return nil
	})
}

func (s careless) HostWindows(ctx context.Context, q integrations.CensusQuery, each time.Duration, yield func(incident.HostWindow) error) error {
	q.From = q.From.Add(-2 * time.Hour)
	return s.Estate.HostWindows(ctx, q, max(each, time.Minute), func(w incident.HostWindow) error {
		w.Unseen = false
		_ = yield(w)
		return nil
	})
}

func TestCensusSuiteBites(t *testing.T) {
	unbreakable := Knobs{Unbreakable: "the checks of the answers are meant here"}
	honest := laid(unbreakable, func(e *memory.Estate) integrations.Flows { return e })
	bites(t, verdicts(t, honest, censusChecks()))
	h := laid(unbreakable, func(e *memory.Estate) integrations.Flows { return careless{e} })
	bites(t, verdicts(t, h, censusChecks()), "what left is told by host and service", "what stays within the networks does not leave",
		"a host that answers sent from its own port", "what two sensors saw left once, and both are named", "what no sensor saw is unseen, not nothing",
		"what left is told by host and window", "the windows of a host add up to what it sent", "an error of the caller ends it",
		"a census of no window or of no network is invalid")
}
