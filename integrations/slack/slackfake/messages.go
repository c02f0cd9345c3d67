package slackfake

import (
	"encoding/json"
	"slices"
	"unicode/utf8"
)

// Message is what is in a channel, or what one person sees there.
type Message struct {
	Channel string
	TS      string
	// Thread is the timestamp of the message that it hangs under; a message
	// with replies has its own.
	Thread string
	// User wrote it, and Bot is set when a bot did.
	User   string
	Bot    string
	Text   string
	Blocks []Object
	// Metadata is nil without.
	Metadata *Metadata
	Files    []File
	// Edited is the timestamp of the last change; empty: none.
	Edited string
	// For is the one who sees an ephemeral message.
	For string
	// UnfurlLinks and UnfurlMedia tell that previews of links are shown: of
	// media, and of links to Slack, they are unless switched off.
	UnfurlLinks bool
	UnfurlMedia bool
}

// Metadata is what an app keeps with a message.
type Metadata struct {
	EventType    string
	EventPayload Object
}

// message finds a message by its timestamp.
func (ch *channel) message(ts string) *Message { return find(ch.messages, ts) }

func find(list []*Message, ts string) *Message {
	if i := slices.IndexFunc(list, func(m *Message) bool { return m.TS == ts }); i >= 0 {
		return list[i]
	}
	return nil
}

// content is what a message says, read from arguments.
type content struct {
	text     string
	blocks   []Object
	metadata *Metadata
	// gaveText, gaveBlocks and gaveMetadata tell which of them were given at
	// all: in an update the rest stays.
	gaveText, gaveBlocks, gaveMetadata bool
}

// content reads and checks what a call wants to say.
func (s *Server) content(c *call) (content, *refusal) {
	var v content
	v.text, v.gaveText = c.arg("text"), c.arg("text") != ""
	if utf8.RuneCountInString(v.text) > maxText {
		return v, refuse("msg_too_long")
	}
	if raw := c.arg("blocks"); raw != "" {
		v.gaveBlocks = true
		blocks, no := readBlocks(raw)
		if no != nil {
			return v, no
		}
		v.blocks = s.complete(blocks)
	}
	if raw := c.arg("metadata"); raw != "" {
		m, no := readMetadata(raw)
		if no != nil {
			return v, no
		}
		v.metadata, v.gaveMetadata = m, true
	}
	return v, nil
}

// readMetadata reads an event. An empty object takes the metadata away.
func readMetadata(raw string) (*Metadata, *refusal) {
	var event struct {
		Type    *string `json:"event_type"`
		Payload *Object `json:"event_payload"`
	}
	if json.Unmarshal([]byte(raw), &event) != nil {
		return nil, refuse("invalid_metadata_format")
	}
	if event.Type == nil && event.Payload == nil {
		return nil, nil
	}
	if event.Type == nil || *event.Type == "" || event.Payload == nil {
		return nil, refuse("invalid_metadata_schema")
	}
	return &Metadata{EventType: *event.Type, EventPayload: *event.Payload}, nil
}

// shown is the text that Slack keeps when an app gave blocks alone.
const shown = "This content can't be displayed."

func (s *Server) postMessage(c *call) (Object, *refusal) {
	ch, no := s.visible(c.arg("channel"))
	if no == nil {
		no = s.writable(ch)
	}
	if no != nil {
		return nil, no
	}
	v, no := s.content(c)
	if no == nil && v.text == "" && len(v.blocks) == 0 {
		no = refuse("no_text")
	}
	if no != nil {
		return nil, no
	}
	m := &Message{
		Channel: ch.ID, TS: s.stamp(), Thread: ch.thread(c.arg("thread_ts")), User: s.Team.BotUser, Bot: s.Team.Bot,
		Text: or(v.text, shown), Blocks: v.blocks, Metadata: v.metadata,
		UnfurlLinks: c.flag("unfurl_links"), UnfurlMedia: c.arg("unfurl_media") == "" || c.flag("unfurl_media"),
	}
	ch.messages = append(ch.messages, m)
	return Object{"channel": ch.ID, "ts": m.TS, "message": s.messageObject(m, true)}, nil
}

// thread returns the timestamp under which a reply goes. Under a message that
// is gone it goes nowhere: it is posted to the channel. Under a reply it goes
// where that one hangs.
func (ch *channel) thread(ts string) string {
	parent := ch.message(ts)
	if parent == nil {
		return ""
	}
	if parent.Thread == "" {
		parent.Thread = parent.TS
	}
	return parent.Thread
}

func (s *Server) updateMessage(c *call) (Object, *refusal) {
	ch, no := s.visible(c.arg("channel"))
	if no != nil {
		return nil, no
	}
	m := ch.message(c.arg("ts"))
	switch {
	case m == nil:
		return nil, refuse("message_not_found")
	case m.User != s.Team.BotUser:
		return nil, refuse("cant_update_message")
	case ch.Archived:
		return nil, refuse("is_inactive")
	}
	v, no := s.content(c)
	if no == nil && !v.gaveText && !v.gaveBlocks && !v.gaveMetadata {
		no = refuse("no_text")
	}
	if no != nil {
		return nil, no
	}
	s.rewrite(m, v)
	m.Edited = s.stamp()
	return Object{"channel": ch.ID, "ts": m.TS, "text": m.Text, "message": s.messageObject(m, true)}, nil
}

// rewrite makes a message say something else. What was not given stays.
func (s *Server) rewrite(m *Message, v content) {
	if v.gaveText {
		m.Text = or(v.text, shown)
	}
	if v.gaveBlocks {
		m.Blocks = v.blocks
	}
	if v.gaveMetadata {
		m.Metadata = v.metadata
	}
}

func (s *Server) postEphemeral(c *call) (Object, *refusal) {
	ch, no := s.visible(c.arg("channel"))
	if no == nil {
		no = s.writable(ch)
	}
	if no != nil {
		return nil, no
	}
	if _, ok := s.user(c.arg("user")); !ok || !ch.has(c.arg("user")) {
		return nil, refuse("user_not_in_channel")
	}
	v, no := s.content(c)
	if no == nil && v.text == "" && len(v.blocks) == 0 {
		no = refuse("no_text")
	}
	if no != nil {
		return nil, no
	}
	m := s.whisper(ch, c.arg("user"), c.arg("thread_ts"), v)
	return Object{"message_ts": m.TS}, nil
}

// whisper shows a message to one person.
func (s *Server) whisper(ch *channel, user, thread string, v content) *Message {
	m := &Message{
		Channel: ch.ID, TS: s.stamp(), Thread: thread, User: s.Team.BotUser, Bot: s.Team.Bot,
		Text: or(v.text, shown), Blocks: v.blocks, For: user,
	}
	ch.ephemerals = append(ch.ephemerals, m)
	return m
}

func (s *Server) permalink(c *call) (Object, *refusal) {
	ch, no := s.visible(c.arg("channel"))
	if no != nil {
		return nil, no
	}
	m := ch.message(c.arg("message_ts"))
	if m == nil {
		return nil, refuse("message_not_found")
	}
	return Object{"channel": ch.ID, "permalink": s.link(m)}, nil
}

// link is the address of a message: its timestamp without the point.
func (s *Server) link(m *Message) string {
	digits := slices.DeleteFunc([]byte(m.TS), func(b byte) bool { return b == '.' })
	address := "https://" + s.Team.Domain + ".slack.com/archives/" + m.Channel + "/p" + string(digits)
	if m.Thread != "" && m.Thread != m.TS {
		address += "?thread_ts=" + m.Thread + "&cid=" + m.Channel
	}
	return address
}

// messageObject is a message as the Web API gives it.
func (s *Server) messageObject(m *Message, metadata bool) Object {
	o := Object{"type": "message", "user": m.User, "ts": m.TS, "text": m.Text, "team": s.Team.ID}
	if m.Bot != "" {
		o["bot_id"], o["app_id"] = m.Bot, s.Team.App
		o["bot_profile"] = Object{"id": m.Bot, "app_id": s.Team.App, "name": "stanch", "deleted": false, "updated": 1600000000, "team_id": s.Team.ID}
	}
	if len(m.Blocks) > 0 {
		o["blocks"] = m.Blocks
	}
	if m.Edited != "" {
		o["edited"] = Object{"user": m.User, "ts": m.Edited}
	}
	if len(m.Files) > 0 {
		list := []Object{}
		for _, f := range m.Files {
			list = append(list, s.fileObject(f))
		}
		o["files"] = list
	}
	if m.Metadata != nil && metadata {
		o["metadata"] = Object{"event_type": m.Metadata.EventType, "event_payload": m.Metadata.EventPayload}
	}
	s.addThread(o, m)
	return o
}

// addThread says of a message which thread it is in, and of the first one how
// the thread goes on.
func (s *Server) addThread(o Object, m *Message) {
	if m.Thread == "" {
		return
	}
	o["thread_ts"] = m.Thread
	if m.Thread != m.TS {
		return
	}
	count, latest, users := 0, "", []string{}
	for _, reply := range s.channelByID(m.Channel).messages {
		if reply.Thread != m.TS || reply.TS == m.TS {
			continue
		}
		count, latest = count+1, reply.TS
		if !slices.Contains(users, reply.User) {
			users = append(users, reply.User)
		}
	}
	o["reply_count"], o["latest_reply"], o["reply_users"], o["reply_users_count"] = count, latest, users, len(users)
}
