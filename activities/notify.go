package activities

import (
	"context"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Notify tells people.
var Notify = Ref[NotifyIn, incident.Receipt]{"notify"}

// NotifyIn is a message and the messenger that takes it.
type NotifyIn struct {
	Use     string               `json:"use"`
	Message integrations.Message `json:"message"`
}

func (a *Activities) notify(ctx context.Context, in NotifyIn) (incident.Receipt, error) {
	messenger, err := use[integrations.Messenger](a, in.Use)
	if err != nil {
		return incident.Receipt{}, err
	}
	if a.PublicURL != "" {
		in.Message.URL = a.PublicURL + in.Message.URL
	}
	return messenger.Post(ctx, in.Message)
}
