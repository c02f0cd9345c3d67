package slackfake

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"unicode/utf8"
)

// checker collects what is wrong with blocks, each with where it is, in the
// words of Slack.
type checker struct {
	found    []string
	blockIDs map[string]bool
	inputs   int
}

func (c *checker) wrong(at, format string, args ...any) {
	c.found = append(c.found, fmt.Sprintf("[ERROR] "+format, args...)+" [json-pointer:"+at+"]")
}

// readBlocks reads and checks a message's blocks.
func readBlocks(raw string) ([]Object, *refusal) {
	var list []any
	if json.Unmarshal([]byte(raw), &list) != nil {
		return nil, refuse("invalid_blocks_format")
	}
	c := &checker{blockIDs: map[string]bool{}}
	blocks := c.blocks("/blocks", list, maxMessageBlocks)
	if len(c.found) > 0 {
		return nil, refuse("invalid_blocks", c.found...)
	}
	if utf8.RuneCount(compact(list)) > maxBlocksText {
		return nil, refuse("msg_blocks_too_long")
	}
	return blocks, nil
}

// compact writes a value as JSON without escapes that only HTML needs.
func compact(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // It was read from JSON.
	return bytes.TrimSpace(b.Bytes())
}

func (c *checker) blocks(at string, list []any, most int) []Object {
	c.atMost(at, len(list), most)
	var blocks []Object
	for i, v := range list {
		where := at + "/" + strconv.Itoa(i)
		b, ok := v.(Object)
		if !ok {
			c.wrong(where, "must be an object")
			continue
		}
		c.block(where, b)
		blocks = append(blocks, b)
	}
	return blocks
}

func (c *checker) atMost(at string, n, most int) {
	if n > most {
		c.wrong(at, "no more than %d items allowed", most)
	}
}

// fields refuses members that a type does not have.
func (c *checker) fields(at string, o Object, known ...string) {
	for _, k := range slices.Sorted(maps.Keys(o)) {
		if k != "type" && !slices.Contains(known, k) {
			c.wrong(at, "invalid additional property: %s", k)
		}
	}
}

// needs is how a member is wanted.
type needs bool

const (
	required needs = true
	optional needs = false
)

// text reads a string member of at least one character.
func (c *checker) text(at string, o Object, key string, most int, n needs) string {
	v, there := o[key]
	if !there {
		if n == required {
			c.wrong(at, "missing required field: %s", key)
		}
		return ""
	}
	s, ok := v.(string)
	where := at + "/" + key
	switch {
	case !ok:
		c.wrong(where, "must provide a string")
	case s == "" && n == required:
		c.wrong(where, "must be more than 0 characters")
	case utf8.RuneCountInString(s) > most:
		c.wrong(where, "must be less than %d characters", most+1)
	}
	return s
}

func (c *checker) boolean(at string, o Object, key string) bool {
	v, there := o[key]
	b, ok := v.(bool)
	if there && !ok {
		c.wrong(at+"/"+key, "must provide a boolean")
	}
	return b
}

// number reads a whole number member between two bounds.
func (c *checker) number(at string, o Object, key string, least, most int) {
	v, there := o[key]
	if !there {
		return
	}
	n, ok := v.(float64)
	if !ok || n != float64(int(n)) || int(n) < least || int(n) > most {
		c.wrong(at+"/"+key, "must be a number between %d and %d", least, most)
	}
}

// object reads a member that is an object.
func (c *checker) object(at string, o Object, key string, n needs) (Object, bool) {
	v, there := o[key]
	if !there {
		if n == required {
			c.wrong(at, "missing required field: %s", key)
		}
		return nil, false
	}
	member, ok := v.(Object)
	if !ok {
		c.wrong(at+"/"+key, "must be an object")
	}
	return member, ok
}

// list reads a member that is a list of objects, neither empty nor too long.
func (c *checker) list(at string, o Object, key string, most int) []Object {
	v, there := o[key]
	list, ok := v.([]any)
	where := at + "/" + key
	switch {
	case !there:
		c.wrong(at, "missing required field: %s", key)
	case !ok:
		c.wrong(where, "must provide an array")
	case len(list) == 0:
		c.wrong(where, "no less than 1 items allowed")
	}
	c.atMost(where, len(list), most)
	var objects []Object
	for i, e := range list {
		member, ok := e.(Object)
		if !ok {
			c.wrong(where+"/"+strconv.Itoa(i), "must be an object")
			member = Object{}
		}
		objects = append(objects, member)
	}
	return objects
}

// kind of a text object.
type kind int

const (
	plain kind = iota
	anyText
)

// textObject checks a text object: plain_text, or mrkdwn where that may be.
func (c *checker) textObject(at string, o Object, key string, k kind, most int, n needs) {
	t, ok := c.object(at, o, key, n)
	if ok {
		c.textValue(at+"/"+key, t, k, most)
	}
}

func (c *checker) textValue(at string, t Object, k kind, most int) {
	switch t["type"] {
	case "plain_text":
		c.fields(at, t, "text", "emoji")
		c.boolean(at, t, "emoji")
	case "mrkdwn":
		if k == plain {
			c.wrong(at+"/type", "must be one of the following: plain_text")
		}
		c.fields(at, t, "text", "verbatim")
		c.boolean(at, t, "verbatim")
	default:
		c.wrong(at+"/type", "unsupported type: %v", t["type"])
	}
	c.text(at, t, "text", most, required)
}

// url checks an address, which http or https must lead to.
func (c *checker) url(at string, o Object, key string, n needs) {
	s := c.text(at, o, key, maxURL, n)
	if s != "" && !webAddress.MatchString(s) {
		c.wrong(at+"/"+key, "invalid url")
	}
}
