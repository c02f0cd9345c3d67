package activities

import (
	"context"
	"errors"
	"fmt"

	"go.temporal.io/sdk/temporal"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Claim makes a case the one that acts on a device, or says which case is.
// Unclaim releases the device. HandOver gives a case's alerts to the one that
// has claimed their device.
var (
	Claim    = Ref[ClaimIn, ClaimOut]{"claim"}
	Unclaim  = Ref[ClaimIn, struct{}]{"unclaim"}
	HandOver = Ref[HandOverIn, HandOverOut]{"hand_over"}
)

// ClaimIn is the claim's id and the case that asks for it or releases it.
type ClaimIn struct {
	ID       string           `json:"id"`
	Playbook string           `json:"playbook,omitempty"`
	Device   string           `json:"device,omitempty"`
	Case     incident.CaseRef `json:"case"`
}

// ClaimOut is the case that has the device now.
type ClaimOut struct {
	Owner incident.CaseRef `json:"owner"`
}

// claimTries bounds how often one attempt takes a device over from owners that
// have ended.
const claimTries = 3

// claim asks for the device; one that nobody has is the case's from the start of
// its claim. A case that has claimed it and has ended since, for whatever reason,
// does not keep it.
func (a *Activities) claim(ctx context.Context, in ClaimIn) (ClaimOut, error) {
	out := ClaimOut{Owner: in.Case}
	var gone *incident.CaseRef
	for range claimTries {
		update := "claim/" + in.Case.ID + "/" + in.Case.Run
		if gone != nil {
			update += "/after/" + gone.Run
		}
		err := a.Workflows.UpdateWithStart(ctx, Call{
			Workflow: protocol.ClaimWorkflow, ID: in.ID, Input: protocol.ClaimInput{ID: in.ID},
			Instead:    protocol.ClaimInput{ID: in.ID, Owner: &in.Case},
			Attributes: map[string]string{protocol.AttrKind: protocol.ClaimWorkflow, protocol.AttrPlaybook: in.Playbook, protocol.AttrTarget: in.Device},
			Update:     protocol.ClaimUpdate, UpdateID: a.unique(update), Arg: protocol.ClaimRequest{Case: in.Case, Gone: gone},
		}, &out.Owner)
		if err != nil || out.Owner == in.Case {
			return out, err
		}
		ended, err := a.ended(ctx, out.Owner)
		if err != nil || !ended {
			return out, err
		}
		owner := out.Owner
		gone = &owner
	}
	return out, nil
}

// ended reports whether a case holds no device any more. Before it says that it
// is closed it has released what it had.
func (a *Activities) ended(ctx context.Context, ref incident.CaseRef) (bool, error) {
	c, err := a.Workflows.Case(ctx, ref.ID, ref.Run)
	if integrations.KindOf(err) == integrations.NotFound {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at the owner of the device: %w", err)
	}
	return c.Run != ref.Run || c.Status == incident.Closed, nil
}

// unclaim releases a device. Another case that has it by now keeps it.
func (a *Activities) unclaim(ctx context.Context, in ClaimIn) (struct{}, error) {
	err := a.Workflows.Update(ctx, Call{ID: in.ID, Update: protocol.UnclaimUpdate, UpdateID: a.unique("unclaim/" + in.Case.Run), Arg: in.Case}, nil)
	if integrations.KindOf(err) == integrations.NotFound {
		return struct{}{}, nil
	}
	return struct{}{}, err
}

// HandOverIn names the case that gets the alerts. ID identifies the request:
// the same one again changes nothing.
type HandOverIn struct {
	ID      string                `json:"id"`
	To      string                `json:"to"`
	Request protocol.MergeRequest `json:"request"`
}

// HandOverOut says why the case did not take the alerts; empty when it did.
type HandOverOut struct {
	Refused string `json:"refused,omitempty"`
}

func (a *Activities) handOver(ctx context.Context, in HandOverIn) (HandOverOut, error) {
	err := a.Workflows.Update(ctx, Call{ID: protocol.CaseWorkflowID(in.To), Update: protocol.MergeUpdate, UpdateID: in.ID, Arg: in.Request}, nil)
	if refusal, ok := errors.AsType[*temporal.ApplicationError](err); ok && refusal.NonRetryable() {
		return HandOverOut{Refused: refusal.Message()}, nil
	}
	if integrations.KindOf(err) == integrations.NotFound {
		return HandOverOut{Refused: "it has ended"}, nil
	}
	return HandOverOut{}, err
}
