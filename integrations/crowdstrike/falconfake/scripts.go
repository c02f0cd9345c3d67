package falconfake

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"slices"
	"strings"
	"time"
)

// script is one in the tenant's library.
type script struct {
	id, name, client   string
	description, audit string
	// permission is private (its client), group (administrators) or public
	// (administrators and responders).
	permission        string
	platform          []string
	content           string
	created, modified time.Time
}

// visible is the script with a name that a client may run. The lock must be held.
func (d *Double) visible(client, name string, admin bool) *script {
	at := slices.IndexFunc(d.scripts, func(s *script) bool { return s.name == name && s.shown(client, admin) })
	if at < 0 {
		return nil
	}
	return d.scripts[at]
}

func (s *script) shown(client string, admin bool) bool {
	return s.permission == "public" || admin && (s.permission == "group" || s.client == client)
}

func (d *Double) scriptRecord(s *script, client string, v2 bool) object {
	sum := sha256.Sum256([]byte(s.content))
	o := object{
		"id": s.id, "name": s.name, "description": s.description, "comments_for_audit_log": s.audit,
		"permission_type": s.permission, "platform": list(d, s.platform), "content": s.content, "file_type": "script",
		"size": len(s.content), "sha256": fmt.Sprintf("%x", sum), "created_by": s.client, "created_by_uuid": s.client,
		"created_timestamp": rtrTime(s.created), "modified_by": s.client, "modified_timestamp": rtrTime(s.modified),
		"run_attempt_count": 0, "run_success_count": 0, "write_access": s.client == client,
	}
	if v2 {
		o["share_with_workflow"], o["workflow_is_disruptive"] = false, false
	}
	return o
}

func (d *Double) queryScripts(c *call) reply {
	passes, err := parseFilter(c.query.Get("filter"), map[string]comparison{
		"name": compareText, "platform": compareExact, "permission_type": compareExact, "description": compareText,
	})
	if err != nil {
		return c.fail(http.StatusBadRequest, 40000, "%v", err)
	}
	limit, err := c.number("limit", 100, 1, 100)
	offset, err2 := c.number("offset", 0, 0, 1<<30)
	if err := errors.Join(err, err2); err != nil {
		return c.fail(http.StatusBadRequest, 40000, "%v", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var found []string
	for _, s := range d.scripts {
		ok, err := passes(object{"name": s.name, "platform": s.platform, "permission_type": s.permission, "description": s.description})
		if err != nil {
			return c.fail(http.StatusBadRequest, 40000, "%v", err)
		}
		if ok && s.shown(c.client, true) {
			found = append(found, s.id)
		}
	}
	got := page(d, found, offset, limit)
	return resources(d, c, http.StatusOK, got, nil, object{"offset": offset + len(got), "limit": limit, "total": len(found)})
}

func (d *Double) getScripts(v2 bool) func(*call) reply {
	return func(c *call) reply {
		d.mu.Lock()
		defer d.mu.Unlock()
		var got []object
		var errs []apiError
		for _, id := range c.query["ids"] {
			at := slices.IndexFunc(d.scripts, func(s *script) bool { return s.id == id && s.shown(c.client, true) })
			if at < 0 {
				errs = append(errs, apiError{Code: http.StatusNotFound, ID: id, Message: "script not found"})
				continue
			}
			got = append(got, d.scriptRecord(d.scripts[at], c.client, v2))
		}
		return resources(d, c, http.StatusOK, got, errs, nil)
	}
}

// createScript uploads a script. Names are the tenant's: a private script of another
// client, which nobody else sees, takes one too.
func (d *Double) createScript(v2 bool) func(*call) reply {
	return func(c *call) reply {
		f, err := c.upload()
		if err != nil {
			return c.fail(http.StatusBadRequest, 40000, "%v", err)
		}
		now := d.w.Now()
		s := &script{client: c.client, created: now, permission: "private"}
		if f["description"] == nil || f["permission_type"] == nil {
			return c.fail(http.StatusBadRequest, 40000, "description and permission_type are required")
		}
		if err := s.change(f, now); err != nil {
			return c.fail(http.StatusBadRequest, 40000, "%v", err)
		}
		if s.name == "" || s.content == "" {
			return c.fail(http.StatusBadRequest, 40000, "name and content, or a file, are required")
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		if slices.ContainsFunc(d.scripts, func(o *script) bool { return o.name == s.name }) {
			return c.fail(http.StatusConflict, 40900, "file with given name already exists")
		}
		s.id = strings.ReplaceAll(d.nextID(), "-", "") + "_" + d.o.CID
		d.scripts = append(d.scripts, s)
		if !v2 {
			return reply{status: http.StatusOK, body: object{"meta": c.meta(), "errors": d.empty()}}
		}
		return resources(d, c, http.StatusOK, []object{d.scriptRecord(s, c.client, v2)}, nil, nil)
	}
}

func (d *Double) updateScript(v2 bool) func(*call) reply {
	return func(c *call) reply {
		f, err := c.upload()
		if err != nil {
			return c.fail(http.StatusBadRequest, 40000, "%v", err)
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		at := slices.IndexFunc(d.scripts, func(s *script) bool {
			return slices.Equal(f["id"], []string{s.id}) && s.client == c.client
		})
		if at < 0 {
			return c.fail(http.StatusNotFound, 40400, "script not found")
		}
		changed := *d.scripts[at]
		if err := changed.change(f, d.w.Now()); err != nil {
			return c.fail(http.StatusBadRequest, 40000, "%v", err)
		}
		if slices.ContainsFunc(d.scripts, func(o *script) bool { return o.name == changed.name && o.id != changed.id }) {
			return c.fail(http.StatusConflict, 40900, "file with given name already exists")
		}
		d.scripts[at] = &changed
		if !v2 {
			return reply{status: http.StatusAccepted, body: object{"meta": c.meta(), "errors": d.empty()}}
		}
		return resources(d, c, http.StatusAccepted, []object{d.scriptRecord(&changed, c.client, v2)}, nil, nil)
	}
}

// change sets what a form holds.
func (s *script) change(f map[string][]string, now time.Time) error {
	for name, out := range map[string]*string{
		"description": &s.description, "permission_type": &s.permission, "comments_for_audit_log": &s.audit,
		"name": &s.name, "content": &s.content,
	} {
		if len(f[name]) > 0 {
			*out = f[name][0]
		}
	}
	if len(f["platform"]) > 0 {
		s.platform = nil
		for _, p := range f["platform"] {
			s.platform = append(s.platform, strings.Split(p, ",")...)
		}
	}
	if !slices.Contains([]string{"private", "group", "public"}, s.permission) {
		return fmt.Errorf("invalid permission_type %q", s.permission)
	}
	for _, p := range s.platform {
		if !slices.Contains([]string{"windows", "mac", "linux"}, p) {
			return fmt.Errorf("invalid platform %q", p)
		}
	}
	s.modified = now
	return nil
}

// upload reads a multipart form. A file is its content, and its name where no name
// is given.
func (c *call) upload() (map[string][]string, error) {
	kind, params, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/form-data" {
		return nil, errors.New("the body is not a multipart form")
	}
	form := map[string][]string{}
	file, named := "", false
	r := multipart.NewReader(strings.NewReader(string(c.body)), params["boundary"])
	for {
		part, err := r.NextPart()
		if errors.Is(err, io.EOF) {
			if !named && file != "" {
				form["name"] = []string{file}
			}
			return form, nil
		}
		if err != nil {
			return nil, errors.New("the multipart form is broken")
		}
		text, err := io.ReadAll(part)
		if err != nil {
			return nil, errors.New("the multipart form is broken")
		}
		name := part.FormName()
		switch name {
		case "file":
			name, file = "content", part.FileName()
		case "name":
			named = true
		}
		form[name] = append(form[name], string(text))
	}
}
