package slackfake

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// View is a modal that a person sees.
type View struct {
	ID   string
	User string
	// Title, Submit and Close are the words of its frame.
	Title           string
	Submit          string
	Close           string
	Blocks          []Object
	CallbackID      string
	PrivateMetadata string
	ExternalID      string
	Hash            string
	// Root and Previous are the first one of the stack and the one below.
	Root          string
	Previous      string
	NotifyOnClose bool
	ClearOnClose  bool
	// Errors is what the app answered to the last submission, by block. Trouble
	// tells that Slack could make nothing of the answer, or got none.
	Errors  map[string]string
	Trouble bool

	raw Object
}

// triggerLife is how long a trigger can be exchanged.
const triggerLife = 3 * time.Second

// trigger lets an app open a modal, once.
type trigger struct {
	user  string
	until time.Time
	used  bool
}

// newTrigger makes a trigger for a person. The lock must be held.
func (s *Server) newTrigger(user string) string {
	s.serial++
	id := strconv.Itoa(s.serial) + "." + strconv.FormatInt(s.now().UnixMilli(), 10) + "." + random()
	s.triggers[id] = &trigger{user: user, until: s.now().Add(triggerLife)}
	return id
}

// exchange uses a trigger up.
func (s *Server) exchange(id string) (string, *refusal) {
	t := s.triggers[id]
	switch {
	case t == nil:
		return "", refuse("invalid_trigger_id")
	case t.used:
		return "", refuse("exchanged_trigger_id")
	case s.now().After(t.until):
		return "", refuse("expired_trigger_id")
	}
	t.used = true
	return t.user, nil
}

func (s *Server) viewsOpen(c *call) (Object, *refusal) {
	v, no := s.readView(c.arg("view"))
	if no != nil {
		return nil, no
	}
	if no := s.takenExternalID(v, nil); no != nil {
		return nil, no
	}
	user, no := s.exchange(c.arg("trigger_id"))
	if no != nil {
		return nil, no
	}
	s.frame(v, user, nil)
	s.stacks[user] = []*View{v}
	return Object{"view": s.viewObject(v, nil)}, nil
}

// viewsPush puts a view on top of those that the person has open.
func (s *Server) viewsPush(c *call) (Object, *refusal) {
	v, no := s.readView(c.arg("view"))
	if no != nil {
		return nil, no
	}
	t := s.triggers[c.arg("trigger_id")]
	if t != nil && !t.used {
		switch stack := s.stacks[t.user]; {
		case len(stack) == 0:
			return nil, refuse("not_found")
		case len(stack) >= maxViewStack:
			return nil, refuse("push_limit_reached")
		}
	}
	if no := s.takenExternalID(v, nil); no != nil {
		return nil, no
	}
	user, no := s.exchange(c.arg("trigger_id"))
	if no != nil {
		return nil, no
	}
	s.push(v, user)
	return Object{"view": s.viewObject(v, nil)}, nil
}

func (s *Server) push(v *View, user string) {
	stack := s.stacks[user]
	s.frame(v, user, stack)
	s.stacks[user] = append(stack, v)
}

// frame makes a view that was read one of a person's stack.
func (s *Server) frame(v *View, user string, below []*View) {
	v.ID, v.User = s.id("V"), user
	v.Root = v.ID
	if n := len(below); n > 0 {
		v.Root, v.Previous = below[0].ID, below[n-1].ID
	}
	s.rehash(v)
}

// rehash gives a view the hash of a new version.
func (s *Server) rehash(v *View) {
	s.hashes++
	v.Hash = fmt.Sprintf("%d.%08x", s.now().Unix(), s.hashes)
}

func (s *Server) viewsUpdate(c *call) (Object, *refusal) {
	old := s.view(func(v *View) bool {
		return v.ID == c.arg("view_id") || v.ExternalID != "" && v.ExternalID == c.arg("external_id")
	})
	v, no := s.readView(c.arg("view"))
	switch {
	case no != nil:
		return nil, no
	case old == nil:
		return nil, refuse("not_found")
	case c.arg("hash") != "" && c.arg("hash") != old.Hash:
		return nil, refuse("hash_conflict")
	}
	if no := s.takenExternalID(v, old); no != nil {
		return nil, no
	}
	s.replace(old, v)
	return Object{"view": s.viewObject(old, nil)}, nil
}

// replace makes a view that is open show another one.
func (s *Server) replace(old, v *View) {
	v.ID, v.User, v.Root, v.Previous = old.ID, old.User, old.Root, old.Previous
	*old = *v
	s.rehash(old)
}

// view finds an open view.
func (s *Server) view(is func(*View) bool) *View {
	for _, user := range slices.Sorted(maps.Keys(s.stacks)) {
		if i := slices.IndexFunc(s.stacks[user], is); i >= 0 {
			return s.stacks[user][i]
		}
	}
	return nil
}

func (s *Server) takenExternalID(v, except *View) *refusal {
	if v.ExternalID != "" && s.view(func(o *View) bool { return o != except && o.ExternalID == v.ExternalID }) != nil {
		return refuse("duplicate_external_id")
	}
	return nil
}

// readView reads and checks a modal.
func (s *Server) readView(raw string) (*View, *refusal) {
	if len(raw) > maxViewBytes {
		return nil, refuse("view_too_large")
	}
	var o Object
	if json.Unmarshal([]byte(raw), &o) != nil || o == nil {
		return nil, refuse("invalid_arguments", "[ERROR] must provide an object [json-pointer:/view]")
	}
	c := &checker{blockIDs: map[string]bool{}}
	blocks := c.view("/view", o)
	if len(c.found) > 0 {
		return nil, refuse("invalid_arguments", c.found...)
	}
	v := &View{raw: o, Blocks: s.complete(blocks)}
	v.Title, v.Submit, v.Close = words(o["title"]), words(o["submit"]), words(o["close"])
	v.CallbackID, _ = o["callback_id"].(string)
	v.PrivateMetadata, _ = o["private_metadata"].(string)
	v.ExternalID, _ = o["external_id"].(string)
	v.NotifyOnClose, _ = o["notify_on_close"].(bool)
	v.ClearOnClose, _ = o["clear_on_close"].(bool)
	return v, nil
}

// view checks a modal. One that asks something needs a button to submit it.
func (c *checker) view(at string, o Object) []Object {
	if o["type"] != "modal" {
		c.wrong(at+"/type", "unsupported type: %v", o["type"])
	}
	c.fields(at, o, "title", "blocks", "close", "submit", "private_metadata", "callback_id", "clear_on_close",
		"notify_on_close", "external_id", "submit_disabled")
	c.textObject(at, o, "title", plain, maxViewTitle, required)
	c.textObject(at, o, "close", plain, maxViewTitle, optional)
	c.textObject(at, o, "submit", plain, maxViewTitle, optional)
	c.text(at, o, "private_metadata", maxPrivateMetadata, optional)
	c.text(at, o, "callback_id", maxCallbackID, optional)
	c.text(at, o, "external_id", maxCallbackID, optional)
	c.boolean(at, o, "clear_on_close")
	c.boolean(at, o, "notify_on_close")
	list, ok := o["blocks"].([]any)
	if !ok {
		c.wrong(at, "missing required field: blocks")
	}
	blocks := c.blocks(at+"/blocks", list, maxViewBlocks)
	if c.inputs > 0 && o["submit"] == nil {
		c.wrong(at, "missing required field: submit")
	}
	return blocks
}

// words returns the text of a text object.
func words(v any) string {
	o, _ := v.(Object)
	text, _ := o["text"].(string)
	return text
}

// viewObject is a view as Slack gives it, with what was filled in.
func (s *Server) viewObject(v *View, filled Object) Object {
	if filled == nil {
		filled = Object{}
	}
	o := Object{
		"id": v.ID, "team_id": s.Team.ID, "type": "modal", "title": v.raw["title"], "blocks": v.Blocks,
		"private_metadata": v.PrivateMetadata, "callback_id": v.CallbackID, "external_id": v.ExternalID,
		"state": Object{"values": filled}, "hash": v.Hash, "clear_on_close": v.ClearOnClose,
		"notify_on_close": v.NotifyOnClose, "close": v.raw["close"], "submit": v.raw["submit"], "root_view_id": v.Root,
		"previous_view_id": nil, "app_id": s.Team.App, "app_installed_team_id": s.Team.ID, "bot_id": s.Team.Bot,
	}
	if v.Previous != "" {
		o["previous_view_id"] = v.Previous
	}
	return o
}

// Views returns the modals that a person has open, the one on top last.
func (s *Server) Views(user string) []View {
	s.mu.Lock()
	defer s.mu.Unlock()
	var views []View
	for _, v := range s.stacks[user] {
		views = append(views, *v)
	}
	return views
}
