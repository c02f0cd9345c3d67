package sentinelfake

import (
	"cmp"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// The documented bounds of comments.
const (
	mostComments   = 100
	longestInRunes = 30_000
)

// Comment is one at an incident.
type Comment struct {
	// Name is the id that its writer chose.
	Name string
	// Message is the text as it was written.
	Message string
	// Author is the name of the application or person.
	Author  string
	created time.Time
	edited  time.Time
	version int
}

// Comments are those at an incident, in the order in which they were written.
func (d *Double) Comments(name string) []Comment {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.incidents[strings.ToLower(name)]
	if r == nil {
		return nil
	}
	var all []Comment
	for _, c := range r.comments {
		all = append(all, *c)
	}
	return all
}

// Comment has a person write at an incident.
func (d *Double) Comment(name, id, message string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	r := d.incidents[strings.ToLower(name)]
	r.comments = append(r.comments, &Comment{Name: id, Message: message, Author: "john doe", created: d.o.Now()})
	d.touch(r)
}

// stamp is a time with seven digits of a fraction, as .NET writes it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.0000000Z") }

func (d *Double) shownComment(r *record, c *Comment) map[string]any {
	properties := map[string]any{
		"message": c.Message, "createdTimeUtc": stamp(c.created), "lastModifiedTimeUtc": stamp(cmp.Or(c.edited, c.created)),
		"author": map[string]any{"objectId": d.ClientID, "email": nil, "userPrincipalName": nil, "name": c.Author},
	}
	return map[string]any{
		"id": d.id("Incidents/" + r.name + "/Comments/" + c.Name), "name": c.Name,
		"type": "Microsoft.SecurityInsights/Incidents/Comments", "properties": properties,
		"etag": `"` + strconv.Itoa(c.version) + `"`,
	}
}

// listComments writes the newest first. The order is not documented.
func (d *Double) listComments(w http.ResponseWriter, r *http.Request, name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := d.incidents[strings.ToLower(name)]
	if i == nil {
		missing(name).write(w)
		return
	}
	var all []any
	for _, c := range slices.Backward(i.comments) {
		all = append(all, d.shownComment(i, c))
	}
	d.page(w, r, all, cmp.Or(d.o.CommentPage, 50))
}

// page writes a part of a list, and where the next part is. The link is whole: a client
// follows it as it stands.
func (d *Double) page(w http.ResponseWriter, r *http.Request, all []any, size int) {
	query := r.URL.Query()
	from, err := strconv.Atoi(cmp.Or(query.Get("$skipToken"), "0"))
	if err != nil || from < 0 || from > len(all) {
		refuse(http.StatusBadRequest, "BadRequest", "Invalid $skipToken.").write(w)
		return
	}
	if top, err := strconv.Atoi(query.Get("$top")); err == nil && top > 0 {
		size = min(size, top)
	}
	if query.Has("$filter") {
		refuse(http.StatusBadRequest, "BadRequest", "Invalid $filter.").write(w)
		return
	}
	end := min(from+size, len(all))
	body := map[string]any{"value": append([]any{}, all[from:end]...)}
	if end < len(all) {
		next := url.Values{"api-version": query["api-version"], "$skipToken": {strconv.Itoa(end)}}
		if query.Has("$top") {
			next.Set("$top", query.Get("$top"))
		}
		body["nextLink"] = cmp.Or(d.o.LinkBase, "http://"+r.Host) + r.URL.Path + "?" + next.Encode()
	}
	writeJSON(w, http.StatusOK, body)
}

func (d *Double) getComment(w http.ResponseWriter, name, id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	i := d.incidents[strings.ToLower(name)]
	if i == nil {
		missing(name).write(w)
		return
	}
	at := i.comment(id)
	if at < 0 {
		refuse(http.StatusNotFound, "NotFound", "Comment '"+id+"' was not found").write(w)
		return
	}
	writeJSON(w, http.StatusOK, d.shownComment(i, i.comments[at]))
}

func (r *record) comment(id string) int {
	return slices.IndexFunc(r.comments, func(c *Comment) bool { return strings.EqualFold(c.Name, id) })
}

// putComment writes a comment, or writes it anew: the same id is the same comment. Each of
// them gives the incident a new version, as people report who then failed to change it.
func (d *Double) putComment(w http.ResponseWriter, r *http.Request, name, id string) {
	var body struct {
		Etag       string `json:"etag"`
		Properties struct {
			Message string `json:"message"`
		} `json:"properties"`
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil || json.Unmarshal(text, &body) != nil || body.Properties.Message == "" {
		refuse(http.StatusBadRequest, "BadRequest", "'message' is required.").write(w)
		return
	}
	if utf8.RuneCountInString(body.Properties.Message) > longestInRunes {
		refuse(http.StatusBadRequest, "BadRequest", "The message is longer than 30000 characters.").write(w)
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	i := d.incidents[strings.ToLower(name)]
	if i == nil {
		missing(name).write(w)
		return
	}
	if at := i.comment(id); at >= 0 {
		d.edit(w, i, i.comments[at], body.Properties.Message)
		return
	}
	// Not documented: the answer to a comment too many.
	if len(i.comments) >= mostComments {
		refuse(http.StatusBadRequest, "BadRequest", "The incident has 100 comments.").write(w)
		return
	}
	c := &Comment{Name: id, Message: body.Properties.Message, Author: d.ClientID, created: d.o.Now()}
	i.comments = append(i.comments, c)
	d.touch(i)
	writeJSON(w, http.StatusCreated, d.shownComment(i, c))
}

// edit changes a comment, which only its author may. The caller holds the lock.
func (d *Double) edit(w http.ResponseWriter, i *record, c *Comment, message string) {
	if c.Author != d.ClientID {
		refuse(http.StatusForbidden, "Forbidden", "Only the author of a comment can change it.").write(w)
		return
	}
	c.Message, c.edited = message, d.o.Now()
	c.version++
	d.touch(i)
	writeJSON(w, http.StatusOK, d.shownComment(i, c))
}
