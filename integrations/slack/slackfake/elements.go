package slackfake

import (
	"slices"
	"strconv"
)

// elements checks what people can press or fill in in one block. Their
// action_ids must differ there.
func (c *checker) elements(at string, list []Object) {
	ids := map[string]bool{}
	for i, e := range list {
		c.element(at+"/elements/"+strconv.Itoa(i), e, ids)
	}
}

func (c *checker) element(at string, e Object, ids map[string]bool) {
	if id := c.text(at, e, "action_id", maxActionID, optional); id != "" {
		if ids[id] {
			c.wrong(at+"/action_id", "`action_id` %q already exists", id)
		}
		ids[id] = true
	}
	switch e["type"] {
	case "button":
		c.button(at, e)
	case "plain_text_input":
		c.fields(at, e, "action_id", "initial_value", "multiline", "min_length", "max_length", "placeholder", "focus_on_load", "dispatch_action_config")
		c.number(at, e, "min_length", 0, maxInputLength)
		c.number(at, e, "max_length", 1, maxInputLength)
		c.text(at, e, "initial_value", maxInputLength, optional)
		c.textObject(at, e, "placeholder", plain, maxPlaceholder, optional)
	default:
		c.wrong(at+"/type", "unsupported type: %v", e["type"])
	}
	c.confirm(at, e)
}

func (c *checker) button(at string, e Object) {
	c.fields(at, e, "action_id", "text", "url", "value", "style", "confirm", "accessibility_label")
	c.textObject(at, e, "text", plain, maxButtonText, required)
	c.text(at, e, "value", maxButtonValue, optional)
	c.text(at, e, "accessibility_label", maxLabel, optional)
	c.url(at, e, "url", optional)
	c.style(at, e)
}

func (c *checker) style(at string, o Object) {
	if v, there := o["style"]; there && !slices.Contains([]any{"primary", "danger"}, v) {
		c.wrong(at+"/style", "must be one of the following: primary, danger")
	}
}

// confirm checks the question that is asked before an element does something.
func (c *checker) confirm(at string, e Object) {
	q, ok := c.object(at, e, "confirm", optional)
	if !ok {
		return
	}
	at += "/confirm"
	c.fields(at, q, "title", "text", "confirm", "deny", "style")
	c.textObject(at, q, "title", plain, maxConfirmTitle, required)
	c.textObject(at, q, "text", anyText, maxConfirmText, required)
	c.textObject(at, q, "confirm", plain, maxConfirmButton, required)
	c.textObject(at, q, "deny", plain, maxConfirmButton, required)
	c.style(at, q)
}

// complete adds what Slack adds to blocks that it keeps: ids where there are
// none, and what text objects do when nothing is said. What is read back is
// not what was sent. The lock must be held.
func (s *Server) complete(blocks []Object) []Object {
	for _, b := range blocks {
		if id, _ := b["block_id"].(string); id == "" {
			b["block_id"] = s.id("b")
		}
		completeText(b)
	}
	return blocks
}

func completeText(v any) {
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			completeText(e)
		}
	case Object:
		for key, kind := range map[string]string{"emoji": "plain_text", "verbatim": "mrkdwn"} {
			if _, there := v[key]; v["type"] == kind && !there {
				v[key] = kind == "plain_text"
			}
		}
		for _, e := range v {
			completeText(e)
		}
	}
}
