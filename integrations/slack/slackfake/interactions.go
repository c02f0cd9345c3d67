package slackfake

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Click presses a button of a message as a user and sends the app what Slack
// would. The button is named by its action_id, or by block_id/action_id where
// several blocks have the same. It refuses what a person could not do: press a
// button that is not there any more, or in a channel that they are not in.
func (s *Server) Click(user, channel, ts, actionID string) (*Delivery, error) {
	d, err := s.Press(user, channel, ts, actionID)
	if err != nil {
		return nil, err
	}
	d.Deliver()
	return d, nil
}

// Press is a Click whose delivery is still to come.
func (s *Server) Press(user, channel, ts, actionID string) (*Delivery, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	u, ch, m, err := s.sees(user, channel, ts)
	if err != nil {
		return nil, fmt.Errorf("press %q: %w", actionID, err)
	}
	button, block, err := m.button(actionID)
	if err != nil {
		return nil, fmt.Errorf("press %q: %w", actionID, err)
	}
	payload := s.interaction("block_actions", u)
	payload["trigger_id"] = s.newTrigger(u.ID)
	payload["response_url"] = s.newResponseURL(u, m)
	payload["channel"] = Object{"id": ch.ID, "name": ch.title()}
	payload["container"] = m.container()
	payload["state"] = Object{"values": Object{}}
	if m.For == "" {
		payload["message"] = s.messageObject(m, true)
	}
	action := Object{
		"type": "button", "action_id": button["action_id"], "block_id": block["block_id"], "text": button["text"],
		"action_ts": timestamp(s.now()),
	}
	for _, key := range []string{"value", "style"} {
		if v, there := button[key]; there {
			action[key] = v
		}
	}
	payload["actions"] = []Object{action}
	return s.newDelivery(payload, false, nil), nil
}

// sees finds a message that a person has before them.
func (s *Server) sees(user, channel, ts string) (User, *channel, *Message, error) {
	u, ok := s.user(user)
	if !ok || u.Deleted || u.Bot {
		return u, nil, nil, fmt.Errorf("user %q cannot press anything", user)
	}
	ch := s.channelByID(channel)
	if ch == nil || !ch.has(user) {
		return u, nil, nil, fmt.Errorf("user %q is not in channel %q", user, channel)
	}
	m := ch.message(ts)
	if m == nil {
		m = find(ch.ephemerals, ts)
	}
	if m == nil || m.For != "" && m.For != user {
		return u, nil, nil, fmt.Errorf("user %q sees no message %q in channel %q", user, ts, channel)
	}
	return u, ch, m, nil
}

// has reports whether a person is in a channel.
func (ch *channel) has(user string) bool {
	return ch.Members == nil || slices.Contains(ch.Members, user)
}

// title is the name that interactions give a channel.
func (ch *channel) title() string {
	switch {
	case ch.Direct != "":
		return "directmessage"
	case ch.Private:
		return "privategroup"
	default:
		return ch.Name
	}
}

func (m *Message) container() Object {
	o := Object{"type": "message", "message_ts": m.TS, "channel_id": m.Channel, "is_ephemeral": m.For != ""}
	if m.Thread != "" {
		o["thread_ts"] = m.Thread
	}
	return o
}

// button finds the button that an action_id names, and its block.
func (m *Message) button(name string) (Object, Object, error) {
	var button, in Object
	for _, b := range m.Blocks {
		for _, e := range buttonsOf(b) {
			action, _ := e["action_id"].(string)
			if id, _ := b["block_id"].(string); name != action && name != id+"/"+action {
				continue
			}
			if button != nil {
				return nil, nil, errors.New("several blocks have such a button")
			}
			button, in = e, b
		}
	}
	if button == nil {
		return nil, nil, fmt.Errorf("message %q has no such button", m.TS)
	}
	return button, in, nil
}

// buttonsOf returns the buttons of a block.
func buttonsOf(b Object) []Object {
	list, _ := b["elements"].([]any)
	var buttons []Object
	for _, v := range list {
		if e, ok := v.(Object); ok && e["type"] == "button" {
			buttons = append(buttons, e)
		}
	}
	return buttons
}

// interaction is what all payloads have. The team is the one of the app: that
// a person is of another one their team_id alone tells.
func (s *Server) interaction(kind string, u User) Object {
	return Object{
		"type": kind, "token": "verification-token-is-deprecated", "api_app_id": s.Team.App,
		"team": Object{"id": s.Team.ID, "domain": s.Team.Domain}, "enterprise": nil, "is_enterprise_install": false,
		"user": Object{"id": u.ID, "username": u.Name, "name": u.Name, "team_id": u.Team},
	}
}

// InputError is what Slack itself tells a person who fills in a modal, by
// block. The app hears nothing.
type InputError struct {
	Problems map[string]string
}

func (e *InputError) Error() string {
	text, _ := json.Marshal(e.Problems) // Strings can be written.
	return "submit view: " + string(text)
}

// SubmitView fills in the modal that is open and submits it. The values are
// texts by block_id.
func (s *Server) SubmitView(user, viewID string, values map[string]string) (*Delivery, error) {
	s.mu.Lock()
	d, err := s.submit(user, viewID, values)
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	d.Deliver()
	return d, nil
}

func (s *Server) submit(user, viewID string, values map[string]string) (*Delivery, error) {
	u, v, err := s.open(user, viewID)
	if err != nil {
		return nil, fmt.Errorf("submit view: %w", err)
	}
	if v.Submit == "" {
		return nil, fmt.Errorf("submit view: view %q has no button for it", viewID)
	}
	filled, problems := v.fill(values)
	if len(problems) > 0 {
		return nil, &InputError{Problems: problems}
	}
	v.Errors, v.Trouble = nil, false
	payload := s.interaction("view_submission", u)
	payload["trigger_id"] = s.newTrigger(user)
	payload["view"] = s.viewObject(v, filled)
	payload["response_urls"] = []Object{}
	return s.newDelivery(payload, true, v), nil
}

// open finds the modal that a person has open.
func (s *Server) open(user, viewID string) (User, *View, error) {
	u, ok := s.user(user)
	v := s.views[user]
	if !ok || v == nil || v.ID != viewID {
		return u, nil, fmt.Errorf("user %q has no view %q open", user, viewID)
	}
	return u, v, nil
}

// Say posts a message as a person, and returns its timestamp.
func (s *Server) Say(user, channel, text string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	ch := s.channelByID(channel)
	if ch == nil || !ch.has(user) {
		return "", fmt.Errorf("say %q: user %q is not in channel %q", text, user, channel)
	}
	m := &Message{Channel: channel, TS: s.stamp(), User: user, Text: text}
	ch.messages = append(ch.messages, m)
	s.change()
	return m.TS, nil
}
