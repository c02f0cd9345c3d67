package kibanafake

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// answered is how a note is written in an answer.
func (n *Note) answered() map[string]any {
	return map[string]any{
		"noteId": n.ID, "version": noteVersion(n), "eventId": n.Event, "note": n.Text, "timelineId": n.Timeline,
		"created": n.Created.UnixMilli(), "createdBy": n.By, "updated": n.Created.UnixMilli(), "updatedBy": n.By,
	}
}

// noteVersion is the version of a note as Elasticsearch writes those of saved objects.
func noteVersion(n *Note) string {
	return base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "[%d,1]", n.version))
}

// text is a member of an object that is a text, or null where it may be.
func text(in map[string]any, name string, required bool) (string, *refusal) {
	value, ok := in[name]
	if !ok && required {
		return "", invalid("note."+name, "Required")
	}
	if value == nil && !required {
		return "", nil
	}
	s, ok := value.(string)
	if !ok {
		return "", invalid("note."+name, fmt.Sprintf("Expected string, received %T", value))
	}
	return s, nil
}

// persistNote writes a note. Whether there is an alert of that id is not looked at.
func (d *Double) persistNote(c *call) (any, *refusal) {
	note, ok := c.body["note"].(map[string]any)
	if !ok {
		return nil, invalid("note", "Required")
	}
	timeline, refused := text(note, "timelineId", true)
	if refused != nil {
		return nil, refused
	}
	event, refused := text(note, "eventId", false)
	if refused != nil {
		return nil, refused
	}
	words, refused := text(note, "note", false)
	if refused != nil {
		return nil, refused
	}
	if d.o.Release == Release815 && timeline == "" {
		// Not documented: how one without notes at alerts refuses. It makes a timeline for them.
		return nil, securityError(http.StatusInternalServerError, "timeline is needed")
	}
	if id, ok := c.body["noteId"].(string); ok {
		return d.changeNote(c, id, words)
	}
	if timeline == "" && d.counted(event) >= d.o.MostNotes {
		return d.wrapped(http.StatusForbidden, d.full(), map[string]any{
			"noteId": "d1a5d9e0-0000-1000-8000-000000000000", "version": "", "timelineId": "", "eventId": event, "note": words,
		}), nil
	}
	n := d.add(event, timeline, words, cmp.Or(d.o.Author, c.by.User))
	return d.wrapped(http.StatusOK, "success", n.answered()), nil
}

// changeNote has new words in the place of those of a note. Not served here: moving it.
func (d *Double) changeNote(c *call, id, words string) (any, *refusal) {
	at := slices.IndexFunc(d.notes, func(n *Note) bool { return n.ID == id })
	if at < 0 {
		return nil, securityError(http.StatusNotFound, "Saved object [siem-ui-timeline-note/%s] not found", id)
	}
	n := d.notes[at]
	n.Text, n.By = words, cmp.Or(d.o.Author, c.by.User)
	n.version++
	return d.wrapped(http.StatusOK, "success", n.answered()), nil
}

// counted is how many notes without a timeline count towards the bound: those at one event,
// or before 9.1 those of a space.
func (d *Double) counted(event string) int {
	n := 0
	for _, note := range d.notes {
		if note.Timeline == "" && (d.o.Release == Release90 || note.Event == event) {
			n++
		}
	}
	return n
}

func (d *Double) full() string {
	if d.o.Release == Release90 {
		return fmt.Sprintf("Cannot create more than %d notes without associating them to a timeline", d.o.MostNotes)
	}
	return fmt.Sprintf("Cannot create more than %d notes per document without associating them to a timeline", d.o.MostNotes)
}

// wrapped is the answer about a note. Its status is 200, whatever its code is.
func (d *Double) wrapped(code int, message string, note map[string]any) any {
	inner := map[string]any{"code": code, "message": message, "note": note}
	if d.o.Release == Release92 {
		return inner
	}
	return map[string]any{"data": map[string]any{"persistNote": inner}}
}

// getNotes returns notes at one alert or at several, and else a page of ten of all. Their
// order is not documented: it is that of their ids.
func (d *Double) getNotes(c *call) (any, *refusal) {
	ids, per := c.query["documentIds"], 1000
	if len(ids) == 0 {
		per = 10
	}
	all := slices.Clone(d.notes)
	if len(ids) > 0 {
		all = slices.DeleteFunc(all, func(n *Note) bool { return !slices.Contains(ids, n.Event) })
	}
	slices.SortFunc(all, func(a, b *Note) int { return strings.Compare(a.ID, b.ID) })
	page := []any{}
	for _, n := range all[:min(per, len(all))] {
		page = append(page, n.answered())
	}
	return map[string]any{"totalCount": len(all), "notes": page}, nil
}
