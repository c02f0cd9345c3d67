package activities

import (
	"context"

	"github.com/stanch-soar/stanch/activities/protocol"
	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// The activity by which a case hands over what the senders of its alerts are told, and the
// one by which the outbox tells them.
var (
	HandReplies = Ref[HandRepliesIn, struct{}]{"hand_replies"}
	TellSender  = Ref[TellSenderIn, incident.Receipt]{"tell_sender"}
)

// HandRepliesIn hands replies to an outbox, which is started when it does not run.
type HandRepliesIn struct {
	Outbox  protocol.OutboxInput `json:"outbox"`
	Replies []incident.Reply     `json:"replies"`
}

func (a *Activities) handReplies(ctx context.Context, in HandRepliesIn) (struct{}, error) {
	return struct{}{}, a.Workflows.SignalWithStart(ctx, Call{
		Workflow: protocol.OutboxWorkflow, ID: protocol.OutboxWorkflowID(in.Outbox.Use), Input: in.Outbox,
		Attributes: map[string]string{protocol.AttrKind: protocol.OutboxWorkflow}, Signal: protocol.RepliesSignal, Arg: in.Replies,
	})
}

// TellSenderIn is one reply, and the integration that sends it.
type TellSenderIn struct {
	Use   string         `json:"use"`
	Reply incident.Reply `json:"reply"`
}

// tellSender tells the sender of an alert one thing about its case.
func (a *Activities) tellSender(ctx context.Context, in TellSenderIn) (incident.Receipt, error) {
	replier, err := use[integrations.Replier](a, in.Use)
	if err != nil {
		return incident.Receipt{}, err
	}
	return replier.ReplyTo(ctx, integrations.Reply{Reply: in.Reply, URL: a.apiAddress("/v1/cases/" + in.Reply.Case.ID)})
}
