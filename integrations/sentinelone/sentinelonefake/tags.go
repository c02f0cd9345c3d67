package sentinelonefake

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// Tag is one that agents can have. On a device of the world it is "key:value", or
// the key where it has no value.
type Tag struct{ ID, Key, Value string }

func (t Tag) text() string {
	if t.Value == "" {
		return t.Key
	}
	return t.Key + ":" + t.Value
}

// assigned are the tags of an agent.
func (d *Double) assigned(o Options, a agent) any {
	var tags []any
	for _, text := range a.Tags {
		t := d.tagOf(text)
		tags = append(tags, map[string]any{
			"id": t.ID, "key": t.Key, "value": t.Value,
			"assignedAt": stamp(a.now), "assignedBy": o.User, "assignedById": userID,
		})
	}
	return listOf(o, tags)
}

func (d *Double) tagOf(text string) Tag {
	d.mu.Lock()
	defer d.mu.Unlock()
	if at := slices.IndexFunc(d.tags, func(t Tag) bool { return t.text() == text }); at >= 0 {
		return d.tags[at]
	}
	key, value, _ := strings.Cut(text, ":")
	return Tag{Key: key, Value: value}
}

func (d *Double) createTag(_ Options, r *http.Request) (any, *failure) {
	body, f := readBody(r, "data", "filter")
	if f != nil {
		return nil, f
	}
	var data struct{ Type, Key, Value, Description string }
	if f := readData(body, &data, "type", "key", "value", "description"); f != nil {
		return nil, f
	}
	if data.Type == "" || data.Key == "" {
		return nil, invalid("data -> type, key: Missing data for required field.")
	}
	t := Tag{ID: fmt.Sprintf("8%017d", d.next()), Key: data.Key, Value: data.Value}
	d.mu.Lock()
	d.tags = append(d.tags, t)
	d.mu.Unlock()
	return map[string]any{"data": map[string]any{"id": t.ID, "key": t.Key, "value": t.Value, "type": data.Type}}, nil
}

// manageTags adds tags to, and removes them from, every agent that the filter
// matches.
func (d *Double) manageTags(o Options, r *http.Request) (any, *failure) {
	body, f := readBody(r, "filter", "data")
	if f != nil {
		return nil, f
	}
	by, f := filterIn(body)
	if f != nil {
		return nil, f
	}
	var changes []struct{ Operation, TagID string }
	if f := readData(body, &changes, "operation", "tagId"); f != nil {
		return nil, f
	}
	affected := 0
	for _, a := range d.fleet(o) {
		if !by.match(a) {
			continue
		}
		tags := slices.Clone(a.Tags)
		for _, c := range changes {
			if tags, f = d.retag(tags, c.Operation, c.TagID); f != nil {
				return nil, f
			}
		}
		affected++
		d.world.Change(a.ID, func(h *edrtest.Host) { h.Tags = tags })
	}
	return map[string]any{"data": map[string]any{"affected": affected}}, nil
}

func (d *Double) retag(tags []string, operation, id string) ([]string, *failure) {
	d.mu.Lock()
	at := slices.IndexFunc(d.tags, func(t Tag) bool { return t.ID == id })
	var tag Tag
	if at >= 0 {
		tag = d.tags[at]
	}
	d.mu.Unlock()
	if at < 0 {
		return nil, invalid("data -> tagId: Tag does not exist.")
	}
	has := func(t string) bool { return t == tag.text() }
	switch operation {
	case "add":
		if !slices.ContainsFunc(tags, has) {
			tags = append(tags, tag.text())
		}
	case "remove":
		tags = slices.DeleteFunc(tags, has)
	case "override":
		tags = append(slices.DeleteFunc(tags, func(t string) bool {
			key, _, _ := strings.Cut(t, ":")
			return key == tag.Key
		}), tag.text())
	default:
		return nil, invalid("data -> operation: Not a valid choice.")
	}
	return tags, nil
}
