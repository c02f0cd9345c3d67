package slack

import (
	"context"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations"
)

const (
	// placesFor is how long the id of a name is remembered; a rename is rare.
	placesFor = 10 * time.Minute
	maxPlaces = 1024
)

// place returns the id of the conversation that a playbook names: #name or
// name of a channel, @name, an e-mail address or a U… id of a person, for the
// direct conversation with them, or a conversation's id.
func (a *App) place(ctx context.Context, name string) (string, error) {
	name = strings.TrimSpace(name)
	if isID(name, "CGD") {
		return name, nil
	}
	r := reading("find %s in Slack", name)
	id, err := a.places.get(ctx, name, func(ctx context.Context) (string, error) {
		if strings.HasPrefix(name, "@") || isID(name, "UW") {
			return a.direct(ctx, name)
		}
		ch, err := a.channel(ctx, strings.ToLower(strings.TrimPrefix(name, "#")))
		return ch.ID, err
	})
	return id, r.failed(err)
}

// channel finds a channel by its name. A list that is not at its end after
// maxPages is not read further: then only an id will do.
func (a *App) channel(ctx context.Context, name string) (slack.Channel, error) {
	r := reading("find the channel #%s in Slack", name)
	p := slack.GetConversationsParameters{
		Types: []string{"public_channel", "private_channel"}, ExcludeArchived: true, Limit: pageSize - 1,
	}
	for range maxPages {
		list, next, err := a.api.GetConversationsContext(ctx, &p)
		if err != nil {
			return slack.Channel{}, r.failed(err)
		}
		for _, ch := range list {
			if ch.Name == name || ch.NameNormalized == name {
				return ch, nil
			}
		}
		if next == "" {
			return slack.Channel{}, integrations.Errorf(integrations.NotFound, r.op, "there is none that is not archived and that the app "+
				"can see: check the name; in a private one, invite the app with /invite @ and its name")
		}
		p.Cursor = next
	}
	return slack.Channel{}, integrations.Errorf(integrations.NotFound, r.op,
		"it is not among the first %d channels: give its id, C…, instead", maxPages*(pageSize-1))
}

// direct opens the direct conversation with a person.
func (a *App) direct(ctx context.Context, name string) (string, error) {
	user, err := a.person(ctx, strings.TrimPrefix(name, "@"))
	if err != nil {
		return "", err
	}
	return a.directWith(ctx, user)
}

func (a *App) directWith(ctx context.Context, user string) (string, error) {
	// Opening what is open changes nothing, so that no answer is not ambiguous.
	r := reading("open the direct conversation with %s", user)
	ch, _, _, err := a.api.OpenConversationContext(ctx, &slack.OpenConversationParameters{Users: []string{user}})
	if err != nil {
		return "", r.failed(err)
	}
	if ch == nil || ch.ID == "" {
		return "", integrations.Errorf(integrations.Unavailable, r.op, "the answer names no conversation")
	}
	return ch.ID, nil
}

// person returns the id of the one account that a name, an e-mail address or an
// id means.
func (a *App) person(ctx context.Context, name string) (string, error) {
	r := reading("find @%s in Slack", name)
	if isID(name, "UW") {
		u, err := a.user(ctx, name)
		return u.ID, err
	}
	if strings.Contains(name, "@") {
		id, err := a.people.emails.get(ctx, strings.ToLower(name), func(ctx context.Context) (string, error) {
			u, err := a.api.GetUserByEmailContext(ctx, name)
			if err != nil {
				return "", r.failed(err)
			}
			return u.ID, nil
		})
		return id, r.failed(err)
	}
	found, err := a.byHandle(ctx, name)
	switch {
	case err != nil:
		return "", err
	case len(found) == 0:
		return "", integrations.Errorf(integrations.NotFound, r.op, "there is no such person; give the member id, U…, of their profile")
	case len(found) > 1:
		return "", integrations.Errorf(integrations.NotFound, r.op, "%d people have that name; give the member id, U…, of the one's profile", len(found))
	}
	return found[0], nil
}
