package slackfake

import (
	"encoding/json"
	"maps"
)

// conclude does in a modal what the app answered to its submission. Without an
// answer in time, or with one that makes no sense, the modal stays and says
// that there was trouble.
func (s *Server) conclude(d *Delivery, a *attempt) {
	v := d.view
	if v == nil || s.views[v.User] != v {
		return
	}
	v.Trouble = !a.answer.Acked || !s.react(v, a.answer.Body)
}

// react does what an answer to a submission says, and reports whether it made
// sense.
func (s *Server) react(v *View, body []byte) bool {
	if len(body) == 0 {
		delete(s.views, v.User)
		return true
	}
	var answer struct {
		Action string            `json:"response_action"`
		Errors map[string]string `json:"errors"`
		View   json.RawMessage   `json:"view"`
	}
	if json.Unmarshal(body, &answer) != nil {
		return false
	}
	switch answer.Action {
	case "", "clear":
		delete(s.views, v.User)
		return true
	case "errors":
		return v.showErrors(answer.Errors)
	case "update":
		next, no := s.readView(string(answer.View))
		if no != nil {
			return false
		}
		s.replace(v, next)
		return true
	default:
		return false
	}
}

// showErrors puts errors beside inputs. An error for anything else is not
// shown: Slack says then that there was trouble.
func (v *View) showErrors(errors map[string]string) bool {
	inputs := map[string]bool{}
	for _, b := range v.Blocks {
		if id, ok := b["block_id"].(string); ok && b["type"] == "input" {
			inputs[id] = true
		}
	}
	for id := range errors {
		if !inputs[id] {
			return false
		}
	}
	v.Errors = maps.Clone(errors)
	return len(errors) > 0
}
