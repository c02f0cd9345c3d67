package slackfake

import "strconv"

// block checks one block. A type that is not here is refused, whether Slack has
// it or not: what the client sends is here, and nothing passes unchecked.
func (c *checker) block(at string, b Object) {
	if id := c.text(at, b, "block_id", maxBlockID, optional); id != "" {
		if c.blockIDs[id] {
			c.wrong(at+"/block_id", "`block_id` %q already exists", id)
		}
		c.blockIDs[id] = true
	}
	switch b["type"] {
	case "section":
		c.fields(at, b, "block_id", "text")
		c.textObject(at, b, "text", anyText, maxSectionText, required)
	case "header":
		c.fields(at, b, "block_id", "text")
		c.textObject(at, b, "text", plain, maxHeaderText, required)
	case "context":
		c.fields(at, b, "block_id", "elements")
		for i, e := range c.list(at, b, "elements", maxContext) {
			c.textValue(at+"/elements/"+strconv.Itoa(i), e, anyText, maxContextText)
		}
	case "actions":
		c.fields(at, b, "block_id", "elements")
		c.elements(at, c.list(at, b, "elements", maxActions))
	case "input":
		c.input(at, b)
	case "rich_text":
		c.fields(at, b, "block_id", "elements")
		c.richText(at, b)
	default:
		c.wrong(at+"/type", "unsupported type: %v", b["type"])
	}
}

func (c *checker) input(at string, b Object) {
	c.inputs++
	c.fields(at, b, "block_id", "label", "element", "hint", "optional", "dispatch_action")
	c.textObject(at, b, "label", plain, maxInputLabel, required)
	c.textObject(at, b, "hint", plain, maxInputHint, optional)
	c.boolean(at, b, "optional")
	c.boolean(at, b, "dispatch_action")
	e, ok := c.object(at, b, "element", required)
	if !ok {
		return
	}
	if e["type"] != "plain_text_input" {
		c.wrong(at+"/element/type", "unsupported type: %v", e["type"])
		return
	}
	c.element(at+"/element", e, map[string]bool{})
}

// richText checks the parts of a rich_text block.
func (c *checker) richText(at string, b Object) {
	for i, part := range c.list(at, b, "elements", maxMessageBlocks) {
		where := at + "/elements/" + strconv.Itoa(i)
		switch part["type"] {
		case "rich_text_section", "rich_text_preformatted":
			c.fields(where, part, "elements", "border", "language")
			c.inline(where, part)
		case "rich_text_list":
			c.fields(where, part, "elements", "style", "indent", "offset", "border")
			for j, item := range c.list(where, part, "elements", maxBlocksText) {
				c.inline(where+"/elements/"+strconv.Itoa(j), item)
			}
		default:
			c.wrong(where+"/type", "unsupported type: %v", part["type"])
		}
	}
}

// inline checks the words of a part of a rich_text block.
func (c *checker) inline(at string, part Object) {
	needed := map[string]string{"text": "text", "link": "url", "date": "format"}
	list, _ := part["elements"].([]any)
	for i, v := range list {
		where := at + "/elements/" + strconv.Itoa(i)
		e, _ := v.(Object)
		kind, _ := e["type"].(string)
		key, known := needed[kind]
		switch {
		case !known:
			c.wrong(where+"/type", "unsupported type: %v", e["type"])
		case kind == "link":
			c.url(where, e, key, required)
		default:
			c.text(where, e, key, maxBlocksText, required)
		}
	}
}
