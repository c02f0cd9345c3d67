package interact

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/slack/blocks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// interaction is what Slack sent, and the very bytes of it.
type interaction struct {
	slack.InteractionCallback
	payload []byte
}

func parse(payload []byte) (interaction, error) {
	in := interaction{payload: payload}
	if err := json.Unmarshal(payload, &in.InteractionCallback); err != nil {
		return interaction{}, fmt.Errorf("read the interaction: %w", err)
	}
	if in.Type == "" {
		return interaction{}, errors.New("read the interaction: it has no type")
	}
	return in, nil
}

// action returns the button that was pressed.
func (in interaction) action() (slack.BlockAction, bool) {
	if len(in.ActionCallback.BlockActions) != 1 || len(in.ActionCallback.AttachmentActions) != 0 {
		return slack.BlockAction{}, false
	}
	return *in.ActionCallback.BlockActions[0], true
}

// team is that of the clicker: in a channel that two workspaces share it is not
// the one in which the app is installed.
func (in interaction) team() string {
	if in.User.TeamID != "" {
		return in.User.TeamID
	}
	return in.Team.ID
}

func (in interaction) channel() string {
	if in.Channel.ID != "" {
		return in.Channel.ID
	}
	return in.Container.ChannelID
}

func (in interaction) message() string {
	if in.Message.Timestamp != "" {
		return in.Message.Timestamp
	}
	return in.Container.MessageTs
}

// pressed is the click of a button. Pressed twice, it is two clicks; delivered
// twice, it is one.
func (r *Receiver) pressed(in interaction, b slack.BlockAction, a blocks.Answer) integrations.Click {
	origin := blocks.Origin{Answer: a, Channel: in.channel(), Message: in.message()}
	return r.click(in, origin, "", identify("block_actions", in.team(), in.User.ID, origin.Channel, origin.Message, b.ActionTs, b.ActionID))
}

// submitted is the click of a form: one version of a form can be submitted
// once.
func (r *Receiver) submitted(in interaction, origin blocks.Origin, reason string) integrations.Click {
	return r.click(in, origin, reason, identify("view_submission", in.team(), in.User.ID, in.View.ID, in.View.Hash))
}

func (r *Receiver) click(in interaction, origin blocks.Origin, reason, id string) integrations.Click {
	return integrations.Click{
		ID: id, Use: r.use, User: in.User.ID, Team: in.team(), Channel: origin.Channel, Message: origin.Message,
		Case: origin.Answer.Case, Approval: origin.Answer.Approval, PlanDigest: origin.Answer.PlanDigest,
		Approve: origin.Answer.Approve, Reason: reason, Groups: origin.Answer.Groups,
		At: r.now(), Payload: incident.DigestOf(in.payload),
	}
}

// identify returns an id that is the same for the same parts.
func identify(parts ...string) string {
	var joined []byte
	for _, p := range parts {
		// The length keeps apart what would read alike when joined.
		joined = fmt.Appendf(joined, "%d:%s,", len(p), p)
	}
	return incident.DigestOf(joined)
}
