package slack

import (
	"context"
	"maps"
	"time"

	"github.com/slack-go/slack"
)

const (
	// lookBack is how old a message may be that another process posted and did
	// not live to tell of.
	lookBack = time.Hour
	// skew is by how much our clock and Slack's may differ.
	skew = 10 * time.Minute
	// maxSearch bounds the pages of a search, searchSize the messages of each.
	maxSearch  = 10
	searchSize = 100
)

// search is where and how far messages of ours are searched for: in a
// conversation itself, or in one of its threads.
type search struct {
	channel, thread string
	since           time.Time
	pages           int
}

// find returns the timestamp of the message of ours that fits, or none.
func (a *App) find(ctx context.Context, s search, fits func(slack.Message) bool) (string, error) {
	me, err := a.self(ctx)
	if err != nil {
		return "", err
	}
	cursor := ""
	for range s.pages {
		list, next, err := a.messages(ctx, s, cursor)
		if err != nil {
			return "", reading("search %s for a message", s.channel).failed(err)
		}
		for _, m := range list {
			// Another app could write the same words and metadata.
			if (m.User == me.user || m.BotID != "" && m.BotID == me.bot) && fits(m) {
				return m.Timestamp, nil
			}
		}
		if next == "" {
			break
		}
		cursor = next
	}
	return "", nil
}

func (a *App) messages(ctx context.Context, s search, cursor string) ([]slack.Message, string, error) {
	oldest := timestamp(s.since)
	if s.thread != "" {
		list, _, next, err := a.api.GetConversationRepliesContext(ctx, &slack.GetConversationRepliesParameters{
			ChannelID: s.channel, Timestamp: s.thread, Oldest: oldest, Limit: searchSize, Cursor: cursor, IncludeAllMetadata: true,
		})
		return list, next, err
	}
	h, err := a.api.GetConversationHistoryContext(ctx, &slack.GetConversationHistoryParameters{
		ChannelID: s.channel, Oldest: oldest, Limit: searchSize, Cursor: cursor, IncludeAllMetadata: true,
	})
	if err != nil {
		return nil, "", err
	}
	return h.Messages, h.ResponseMetaData.NextCursor, nil
}

// carries reports whether a message is the one that was marked so.
func carries(m slack.Message, mark slack.SlackMetadata) bool {
	same := func(a, b any) bool {
		x, isText := a.(string)
		return isText && b == any(x)
	}
	return len(mark.EventPayload) > 0 && m.Metadata.EventType == mark.EventType && maps.EqualFunc(mark.EventPayload, m.Metadata.EventPayload, same)
}
