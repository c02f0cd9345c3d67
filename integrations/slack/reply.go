package slack

import (
	"context"

	"github.com/slack-go/slack"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/evidence/wording"
)

// maxReply is how long a reply may be, in characters.
const maxReply = 3000

// Reply implements [integrations.Answerable]. What it shows is gone when the
// person reloads Slack: it is never the only record of anything. A person whom
// the channel cannot show it gets the reply in their direct conversation.
func (a *App) Reply(ctx context.Context, c integrations.Click, text string) error {
	r := writing("reply to %s", c.User)
	if !isID(c.User, "UW") || text == "" {
		return r.invalid("a reply needs an account and a text")
	}
	said := plain(text)
	if isID(c.Channel, "CGD") {
		options := said
		if thread := a.thread(ctx, c.Channel, c.Message); thread != "" {
			options = append(options, slack.MsgOptionTS(thread))
		}
		_, err := a.api.PostEphemeralContext(ctx, c.Channel, c.User, options...)
		if err == nil {
			return nil
		}
		if err = r.failed(err); !unreachable(err) {
			return err
		}
	}
	direct, err := a.directWith(ctx, c.User)
	if err != nil {
		return err
	}
	_, _, err = a.api.PostMessageContext(ctx, direct, said...)
	return r.failed(err)
}

// unreachable reports whether the channel, and not the moment, is the obstacle.
func unreachable(err error) bool {
	return is(err, integrations.Invalid) || is(err, integrations.NotFound)
}

// thread returns the parent of a message in a thread: there, and
// not in the channel, its reader looks for an answer. Not knowing it is no
// reason not to answer.
func (a *App) thread(ctx context.Context, channel, ts string) string {
	if moment(ts).IsZero() {
		return ""
	}
	parent, err := a.threads.get(ctx, channel+"/"+ts, func(ctx context.Context) (string, error) {
		list, _, _, err := a.api.GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{
			ChannelID: channel, Timestamp: ts, Limit: 1,
		})
		if err != nil || len(list) == 0 || list[0].ThreadTimestamp == ts {
			return "", err
		}
		return list[0].ThreadTimestamp, nil
	})
	if err != nil {
		return ""
	}
	return parent
}

// plain is text in which nothing is markup, and nothing hides.
func plain(text string) []slack.MsgOption {
	text = safe(text, maxReply)
	block := slack.NewSectionBlock(slack.NewTextBlockObject(slack.PlainTextType, text, false, false), nil, nil)
	return []slack.MsgOption{slack.MsgOptionText(text, true), slack.MsgOptionBlocks(block), quietly()}
}

// safe is text in which nothing hides, of at most so many characters.
func safe(s string, most int) string { return cut(wording.Inert(s, most), most) }

// cut shortens a text to at most so many characters, and shows that it did.
func cut(s string, most int) string {
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return s
}
