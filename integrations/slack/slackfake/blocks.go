package slackfake

import "strconv"

// block checks one block. A type that is not here is refused, whether Slack has
// it or not: nothing passes unchecked.
func (c *checker) block(at string, b Object) {
	if id := c.text(at, b, "block_id", maxBlockID, optional); id != "" {
		if c.blockIDs[id] {
			c.wrong(at+"/block_id", "`block_id` %q already exists", id)
		}
		c.blockIDs[id] = true
	}
	switch b["type"] {
	case "section":
		c.section(at, b)
	case "divider":
		c.fields(at, b, "block_id")
	case "header":
		c.fields(at, b, "block_id", "text", "level")
		c.number(at, b, "level", 1, 4)
		c.textObject(at, b, "text", plain, maxHeaderText, required)
	case "image":
		c.image(at, b)
		c.textObject(at, b, "title", plain, maxImageTitle, optional)
	case "context":
		c.contextBlock(at, b)
	case "actions":
		c.fields(at, b, "block_id", "elements")
		c.elements(at, c.list(at, b, "elements", maxActions))
	case "input":
		c.input(at, b)
	case "markdown":
		c.fields(at, b, "block_id", "text")
		c.text(at, b, "text", maxMarkdownText, required)
	case "rich_text":
		c.fields(at, b, "block_id", "elements")
		c.richText(at, b)
	case "table":
		c.table(at, b)
	default:
		c.wrong(at+"/type", "unsupported type: %v", b["type"])
	}
}

func (c *checker) section(at string, b Object) {
	c.fields(at, b, "block_id", "text", "fields", "accessory", "expand")
	c.boolean(at, b, "expand")
	_, fields := b["fields"]
	if fields {
		for i, f := range c.list(at, b, "fields", maxSectionFields) {
			c.textValue(at+"/fields/"+strconv.Itoa(i), f, anyText, maxFieldText)
		}
	}
	c.textObject(at, b, "text", anyText, maxSectionText, needs(!fields))
	if accessory, ok := c.object(at, b, "accessory", optional); ok {
		c.element(at+"/accessory", accessory, map[string]bool{})
	}
}

func (c *checker) contextBlock(at string, b Object) {
	c.fields(at, b, "block_id", "elements")
	for i, e := range c.list(at, b, "elements", maxContext) {
		where := at + "/elements/" + strconv.Itoa(i)
		if e["type"] == "image" {
			c.image(where, e)
		} else {
			c.textValue(where, e, anyText, maxContextText)
		}
	}
}

// image checks an image block or an image within another block: alt_text is
// what people who cannot see it get.
func (c *checker) image(at string, o Object) {
	c.fields(at, o, "block_id", "image_url", "alt_text", "slack_file", "title")
	c.text(at, o, "alt_text", maxImageAlt, required)
	file, ok := c.object(at, o, "slack_file", optional)
	if !ok {
		c.url(at, o, "image_url", required)
		return
	}
	if file["id"] == nil && file["url"] == nil {
		c.wrong(at+"/slack_file", "missing required field: id")
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
	switch e["type"] {
	case "plain_text_input", "static_select", "radio_buttons", "checkboxes":
		c.element(at+"/element", e, map[string]bool{})
	default:
		c.wrong(at+"/element/type", "unsupported type: %v", e["type"])
	}
}

// table checks a table, of which a message has one.
func (c *checker) table(at string, b Object) {
	if c.tables++; c.tables > 1 {
		c.wrong(at, "only one table is allowed")
	}
	c.fields(at, b, "block_id", "rows", "column_settings")
	rows, ok := b["rows"].([]any)
	if !ok || len(rows) == 0 {
		c.wrong(at, "missing required field: rows")
	}
	c.atMost(at+"/rows", len(rows), maxTableRows)
	characters := 0
	for i, r := range rows {
		where := at + "/rows/" + strconv.Itoa(i)
		cells, _ := r.([]any)
		c.atMost(where, len(cells), maxTableColumns)
		for j, v := range cells {
			cell, _ := v.(Object)
			characters += c.cell(where+"/"+strconv.Itoa(j), cell)
		}
	}
	if characters > maxTableText {
		c.wrong(at+"/rows", "must be less than %d characters", maxTableText+1)
	}
}

func (c *checker) cell(at string, cell Object) int {
	switch cell["type"] {
	case "raw_text":
		c.fields(at, cell, "text")
		return len([]rune(c.text(at, cell, "text", maxTableText, required)))
	case "rich_text":
		c.fields(at, cell, "block_id", "elements")
		c.richText(at, cell)
		return len([]rune(plainText(cell)))
	default:
		c.wrong(at+"/type", "unsupported type: %v", cell["type"])
		return 0
	}
}

// richText checks the parts of a rich_text block.
func (c *checker) richText(at string, b Object) {
	for i, part := range c.list(at, b, "elements", maxMessageBlocks) {
		where := at + "/elements/" + strconv.Itoa(i)
		switch part["type"] {
		case "rich_text_section", "rich_text_quote", "rich_text_preformatted":
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
	needed := map[string]string{
		"text": "text", "link": "url", "user": "user_id", "usergroup": "usergroup_id", "broadcast": "range",
		"channel": "channel_id", "emoji": "name", "color": "value", "date": "format",
	}
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
