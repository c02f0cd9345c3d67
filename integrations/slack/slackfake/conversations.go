package slackfake

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
)

// Channel is a conversation.
type Channel struct {
	ID       string
	Name     string
	Private  bool
	Archived bool
	// Members are the people. The bot is a member too, unless WithoutBot.
	Members    []string
	WithoutBot bool
	// Direct is the one person of a direct conversation with the bot.
	Direct string
}

// channel is a conversation and what was said there.
type channel struct {
	Channel
	messages   []*Message
	ephemerals []*Message
}

func (s *Server) channelByID(id string) *channel {
	if i := slices.IndexFunc(s.channels, func(c *channel) bool { return c.ID == id }); i >= 0 {
		return s.channels[i]
	}
	return nil
}

// visible finds a conversation that the bot can see, by its id. A private one
// in which it is not does not exist for it.
func (s *Server) visible(id string) (*channel, *refusal) {
	ch := s.channelByID(id)
	if ch == nil || ch.Private && ch.WithoutBot {
		return nil, refuse("channel_not_found")
	}
	return ch, nil
}

// direct returns the conversation of the bot with a user, and opens it if need
// be.
func (s *Server) direct(u User) *channel {
	for _, ch := range s.channels {
		if ch.Direct == u.ID {
			return ch
		}
	}
	ch := &channel{Channel: Channel{ID: s.id("D"), Private: true, Direct: u.ID, Members: []string{u.ID}}}
	s.channels = append(s.channels, ch)
	return ch
}

// writable checks that the bot may say something in a conversation.
func (s *Server) writable(ch *channel) *refusal {
	switch {
	case ch.Archived:
		return refuse("is_archived")
	case ch.WithoutBot && (ch.Private || !s.hasScope("chat:write.public")):
		return refuse("not_in_channel")
	default:
		return nil
	}
}

func (s *Server) conversationsList(c *call) (Object, *refusal) {
	types := strings.Split(or(c.arg("types"), "public_channel"), ",")
	var found []Object
	for _, ch := range s.channels {
		kind := "public_channel"
		switch {
		case ch.Direct != "":
			kind = "im"
		case ch.Private:
			kind = "private_channel"
		}
		if _, no := s.visible(ch.ID); no != nil || !slices.Contains(types, kind) || ch.Archived && c.flag("exclude_archived") {
			continue
		}
		found = append(found, s.channelObject(ch))
	}
	page, next, no := s.page(c, found)
	if no != nil {
		return nil, no
	}
	return Object{"channels": page, "response_metadata": Object{"next_cursor": next}}, nil
}

// page cuts the page that a call asks for out of a list, and returns the cursor
// of the next one.
func (s *Server) page(c *call, list []Object) ([]Object, string, *refusal) {
	const usual, most = 100, 1000
	size := usual
	if l := c.arg("limit"); l != "" {
		n, err := strconv.Atoi(l)
		if err != nil || n < 1 || n > most {
			return nil, "", refuse("invalid_limit")
		}
		size = n
	}
	if s.pageSize > 0 {
		size = min(size, s.pageSize)
	}
	start := 0
	if cursor := c.arg("cursor"); cursor != "" {
		text, err := base64.StdEncoding.DecodeString(cursor)
		at, ok := strings.CutPrefix(string(text), c.method+":")
		n, bad := strconv.Atoi(at)
		if err != nil || !ok || bad != nil || n < 0 || n > len(list) {
			return nil, "", refuse("invalid_cursor")
		}
		start = n
	}
	end := min(start+size, len(list))
	next := ""
	if end < len(list) {
		next = base64.StdEncoding.EncodeToString([]byte(c.method + ":" + strconv.Itoa(end)))
	}
	return slices.Concat([]Object{}, list[start:end]), next, nil
}

func (s *Server) conversationsInfo(c *call) (Object, *refusal) {
	ch, no := s.visible(c.arg("channel"))
	if no != nil {
		return nil, no
	}
	return Object{"channel": s.channelObject(ch)}, nil
}

func (s *Server) channelObject(ch *channel) Object {
	const created = 1600000000
	if ch.Direct != "" {
		return Object{"id": ch.ID, "created": created, "is_im": true, "is_org_shared": false, "user": ch.Direct, "is_archived": ch.Archived}
	}
	members := len(ch.Members)
	if !ch.WithoutBot {
		members++
	}
	return Object{
		"id": ch.ID, "name": ch.Name, "name_normalized": ch.Name, "is_channel": true, "is_group": false, "is_im": false,
		"is_mpim": false, "is_private": ch.Private, "is_archived": ch.Archived, "is_general": false, "is_shared": false,
		"is_org_shared": false, "is_ext_shared": false, "is_member": !ch.WithoutBot, "created": created,
		"creator": s.Team.BotUser, "num_members": members,
		"topic":   Object{"value": "", "creator": "", "last_set": 0},
		"purpose": Object{"value": "", "creator": "", "last_set": 0},
	}
}

// conversationsOpen opens the direct conversation with one person.
func (s *Server) conversationsOpen(c *call) (Object, *refusal) {
	id := c.arg("users")
	if id == "" {
		return nil, refuse("users_list_not_supplied")
	}
	u, ok := s.user(id)
	switch {
	case !ok:
		return nil, refuse("user_not_found")
	case u.Bot:
		return nil, refuse("cannot_dm_bot")
	case u.Deleted:
		return nil, refuse("user_disabled")
	}
	known := slices.ContainsFunc(s.channels, func(ch *channel) bool { return ch.Direct == id })
	ch := s.direct(u)
	answer := Object{"channel": Object{"id": ch.ID}}
	if known {
		answer["no_op"], answer["already_open"] = true, true
	}
	return answer, nil
}

// readable finds a conversation that the bot may read: one in which it is.
func (s *Server) readable(id string) (*channel, *refusal) {
	ch, no := s.visible(id)
	if no == nil && ch.WithoutBot {
		no = refuse("not_in_channel")
	}
	return ch, no
}

// history lists what is in the channel itself, newest first.
func (s *Server) history(c *call) (Object, *refusal) {
	ch, no := s.readable(c.arg("channel"))
	if no != nil {
		return nil, no
	}
	var found []Object
	for _, m := range slices.Backward(ch.messages) {
		if (m.Thread == "" || m.Thread == m.TS) && within(c, m.TS) {
			found = append(found, s.messageObject(m, c.flag("include_all_metadata")))
		}
	}
	return s.messagePage(c, found)
}

// replies lists a thread, oldest first, beginning with the message that it
// hangs under.
func (s *Server) replies(c *call) (Object, *refusal) {
	ch, no := s.readable(c.arg("channel"))
	if no != nil {
		return nil, no
	}
	root := ch.message(c.arg("ts"))
	if root == nil {
		return nil, refuse("thread_not_found")
	}
	var found []Object
	for _, m := range ch.messages {
		if m.TS == root.TS || m.Thread == or(root.Thread, root.TS) && within(c, m.TS) {
			found = append(found, s.messageObject(m, c.flag("include_all_metadata")))
		}
	}
	return s.messagePage(c, found)
}

func (s *Server) messagePage(c *call, found []Object) (Object, *refusal) {
	page, next, no := s.page(c, found)
	if no != nil {
		return nil, no
	}
	answer := Object{"messages": page, "has_more": next != ""}
	if next != "" {
		answer["response_metadata"] = Object{"next_cursor": next}
	}
	return answer, nil
}

// within reports whether a message is in the span that a call asks for. All
// timestamps have as many digits, so that they compare as text.
func within(c *call, ts string) bool {
	oldest, latest := c.arg("oldest"), c.arg("latest")
	return (oldest == "" || ts > oldest) && (latest == "" || ts < latest)
}
