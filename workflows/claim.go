package workflows

import (
	"fmt"

	"go.temporal.io/sdk/workflow"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Claim says which case of a playbook acts on a device. Its id names playbook,
// integration and device, so the engine itself guarantees that there is one,
// and gives the device to the first that asks. It ends when the device is
// released. A case that has ended without doing so loses it to the next that asks.
func Claim(ctx workflow.Context, in protocol.ClaimInput) error {
	c := &claimKeeper{owner: in.Owner, asked: in.Owner != nil}
	if err := c.listen(ctx); err != nil {
		return err
	}
	err := workflow.Await(ctx, func() bool {
		return workflow.AllHandlersFinished(ctx) && (c.asked && c.owner == nil || suggested(ctx))
	})
	if err != nil || c.owner == nil {
		return err
	}
	return workflow.NewContinueAsNewError(ctx, Claim, protocol.ClaimInput{ID: in.ID, Owner: c.owner})
}

// claimKeeper is a claim while it runs.
type claimKeeper struct {
	owner *incident.CaseRef
	// asked reports whether a case has asked for the device.
	asked bool
}

func (c *claimKeeper) listen(ctx workflow.Context) error {
	if err := workflow.SetUpdateHandler(ctx, protocol.ClaimUpdate, c.claim); err != nil {
		return fmt.Errorf("listen for claims: %w", err)
	}
	if err := workflow.SetUpdateHandler(ctx, protocol.UnclaimUpdate, c.unclaim); err != nil {
		return fmt.Errorf("listen for what is given back: %w", err)
	}
	return nil
}

// claim returns which case has the device: the one that asks, if none has.
func (c *claimKeeper) claim(_ workflow.Context, req protocol.ClaimRequest) (incident.CaseRef, error) {
	c.asked = true
	if c.owner == nil || req.Gone != nil && *req.Gone == *c.owner {
		c.owner = &req.Case
	}
	return *c.owner, nil
}

// unclaim releases the device, if the case has it.
func (c *claimKeeper) unclaim(_ workflow.Context, from incident.CaseRef) error {
	if c.owner != nil && *c.owner == from {
		c.owner = nil
	}
	return nil
}
