package slackfake

import "slices"

// Messages returns what is in a channel and its threads, oldest first.
func (s *Server) Messages(channel string) []Message {
	return s.messages(channel, func(*Message) bool { return true })
}

// Thread returns a thread, beginning with the message that it hangs under.
func (s *Server) Thread(channel, ts string) []Message {
	return s.messages(channel, func(m *Message) bool { return m.TS == ts || m.Thread == ts })
}

// Message returns one message as it is now.
func (s *Server) Message(channel, ts string) (Message, bool) {
	found := s.messages(channel, func(m *Message) bool { return m.TS == ts })
	if len(found) == 0 {
		return Message{}, false
	}
	return found[0], true
}

func (s *Server) messages(channel string, is func(*Message) bool) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.channelByID(channel)
	if ch == nil {
		return nil
	}
	return copies(ch.messages, is)
}

// Ephemerals returns what a user alone was shown, in all channels.
func (s *Server) Ephemerals(user string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	var shown []Message
	for _, ch := range s.channels {
		shown = append(shown, copies(ch.ephemerals, func(m *Message) bool { return m.For == user })...)
	}
	return shown
}

func copies(list []*Message, is func(*Message) bool) []Message {
	var found []Message
	for _, m := range list {
		if is(m) {
			c := *m
			c.Files = slices.Clone(m.Files)
			found = append(found, c)
		}
	}
	return found
}

// Direct returns the channel of the bot with a user; empty: there is none.
func (s *Server) Direct(user string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ch := range s.channels {
		if ch.Direct == user {
			return ch.ID
		}
	}
	return ""
}

// Button is a button of a message.
type Button struct {
	Block  string
	Action string
	Text   string
	Value  string
	Style  string
	URL    string
	// Asks reports whether a confirmation comes first.
	Asks bool
}

// Buttons returns the buttons of a message, in order.
func (m Message) Buttons() []Button {
	var buttons []Button
	for _, b := range m.Blocks {
		for _, e := range buttonsOf(b) {
			button := Button{Text: words(e["text"]), Asks: e["confirm"] != nil}
			button.Block, _ = b["block_id"].(string)
			button.Action, _ = e["action_id"].(string)
			button.Value, _ = e["value"].(string)
			button.Style, _ = e["style"].(string)
			button.URL, _ = e["url"].(string)
			buttons = append(buttons, button)
		}
	}
	return buttons
}
