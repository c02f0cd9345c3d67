package slackfake

import (
	"encoding/json"
	"fmt"
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
	Hash            string
	// Errors is what the app answered to the last submission, by block. Trouble
	// reports whether Slack could make nothing of the answer, or got none.
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
	user, no := s.exchange(c.arg("trigger_id"))
	if no != nil {
		return nil, no
	}
	v.ID, v.User = s.id("V"), user
	s.rehash(v)
	s.views[user] = v
	return Object{"view": s.viewObject(v, nil)}, nil
}

// rehash gives a view the hash of a new version.
func (s *Server) rehash(v *View) {
	s.hashes++
	v.Hash = fmt.Sprintf("%d.%08x", s.now().Unix(), s.hashes)
}

func (s *Server) viewsUpdate(c *call) (Object, *refusal) {
	var old *View
	for _, v := range s.views {
		if v.ID == c.arg("view_id") {
			old = v
		}
	}
	v, no := s.readView(c.arg("view"))
	switch {
	case no != nil:
		return nil, no
	case old == nil:
		return nil, refuse("not_found")
	case c.arg("hash") != "" && c.arg("hash") != old.Hash:
		return nil, refuse("hash_conflict")
	}
	s.replace(old, v)
	return Object{"view": s.viewObject(old, nil)}, nil
}

// replace makes a view that is open show another one.
func (s *Server) replace(old, v *View) {
	v.ID, v.User = old.ID, old.User
	*old = *v
	s.rehash(old)
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
	return v, nil
}

// view checks a modal. One that asks something needs a button to submit it.
func (c *checker) view(at string, o Object) []Object {
	if o["type"] != "modal" {
		c.wrong(at+"/type", "unsupported type: %v", o["type"])
	}
	c.fields(at, o, "title", "blocks", "close", "submit", "private_metadata", "callback_id")
	c.textObject(at, o, "title", plain, maxViewTitle, required)
	c.textObject(at, o, "close", plain, maxViewTitle, optional)
	c.textObject(at, o, "submit", plain, maxViewTitle, optional)
	c.text(at, o, "private_metadata", maxPrivateMetadata, optional)
	c.text(at, o, "callback_id", maxCallbackID, optional)
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
	return Object{
		"id": v.ID, "team_id": s.Team.ID, "type": "modal", "title": v.raw["title"], "blocks": v.Blocks,
		"private_metadata": v.PrivateMetadata, "callback_id": v.CallbackID, "external_id": "",
		"state": Object{"values": filled}, "hash": v.Hash, "clear_on_close": false,
		"notify_on_close": false, "close": v.raw["close"], "submit": v.raw["submit"], "root_view_id": v.ID,
		"previous_view_id": nil, "app_id": s.Team.App, "app_installed_team_id": s.Team.ID, "bot_id": s.Team.Bot,
	}
}

// Views returns the modal that a person has open, if there is one. The client
// opens no second one above it.
func (s *Server) Views(user string) []View {
	s.mu.Lock()
	defer s.mu.Unlock()
	if v := s.views[user]; v != nil {
		return []View{*v}
	}
	return nil
}
