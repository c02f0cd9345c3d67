package falconfake_test

import (
	"mime/multipart"
	"net/http"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/crowdstrike/falconfake"
)

// upload sends a form; a value of the name file becomes a file of that name.
func (n *tenant) upload(method, version string, values map[string]string) answer {
	n.t.Helper()
	var b strings.Builder
	w := multipart.NewWriter(&b)
	for name, value := range values {
		if name == "file" {
			part, err := w.CreateFormFile("file", "from-file.ps1")
			if err != nil {
				n.t.Fatal(err)
			}
			part.Write([]byte(value))
			continue
		}
		if err := w.WriteField(name, value); err != nil {
			n.t.Fatal(err)
		}
	}
	w.Close()
	return n.send(method, rtr+"scripts/"+version, w.FormDataContentType(), b.String())
}

func script(name, permission string) map[string]string {
	return map[string]string{"name": name, "description": "d", "permission_type": permission, "content": "Write-Output 1", "platform": "windows"}
}

func TestScripts(t *testing.T) {
	n := start(t, falconfake.Options{})
	made := n.upload("POST", "v2", script("a.ps1", "private")).want(t, http.StatusOK, 0, "").first(t)
	if made["name"] != "a.ps1" || made["permission_type"] != "private" || made["content"] != "Write-Output 1" || made["sha256"] == "" {
		t.Errorf("made %v", made)
	}
	n.upload("POST", "v2", script("a.ps1", "group")).want(t, http.StatusConflict, 40900, "already exists")
	if got := n.upload("POST", "v1", script("b.ps1", "public")).want(t, http.StatusOK, 0, ""); got.body.Resources != nil {
		t.Errorf("v1 gave resources: %s", got.text)
	}
	file := script("", "group")
	delete(file, "name")
	delete(file, "content")
	file["file"] = "dir"
	if got := n.upload("POST", "v2", file).want(t, http.StatusOK, 0, "").first(t); got["name"] != "from-file.ps1" || got["content"] != "dir" {
		t.Errorf("from a file: %v", got)
	}
	found := n.get("/real-time-response/queries/scripts/v1", "filter", "name:['a.ps1']").want(t, http.StatusOK, 0, "")
	if len(found.body.Resources) != 1 || found.body.Resources[0] != made["id"] {
		t.Fatalf("found %v", found.body.Resources)
	}
	id := made["id"].(string)
	changed := n.upload("PATCH", "v2", map[string]string{"id": id, "content": "two"}).want(t, http.StatusAccepted, 0, "").first(t)
	if changed["content"] != "two" || changed["name"] != "a.ps1" || changed["sha256"] == made["sha256"] {
		t.Errorf("changed %v", changed)
	}
	n.upload("PATCH", "v1", map[string]string{"id": id, "description": "new"}).want(t, http.StatusAccepted, 0, "")
	got := n.get(rtr+"scripts/v2", "ids", id, "ids", "none").want(t, http.StatusOK, 404, "")
	if s := got.first(t); s["description"] != "new" || s["share_with_workflow"] != false {
		t.Errorf("read %v", s)
	}
	n.get(rtr+"scripts/v1", "ids", id).want(t, http.StatusOK, 0, "")
	n.upload("PATCH", "v2", map[string]string{"id": id, "name": "b.ps1"}).want(t, http.StatusConflict, 40900, "")
	n.upload("PATCH", "v2", map[string]string{"id": "none"}).want(t, http.StatusNotFound, 40400, "")
}

func TestScriptRefusals(t *testing.T) {
	n := start(t, falconfake.Options{})
	for field, value := range map[string]string{"permission_type": "everybody", "platform": "windows,amiga", "name": "", "content": ""} {
		s := script("a.ps1", "private")
		s[field] = value
		n.rude().upload("POST", "v2", s).want(t, http.StatusBadRequest, 40000, field)
	}
	s := script("a.ps1", "private")
	delete(s, "description")
	n.rude().upload("POST", "v2", s).want(t, http.StatusBadRequest, 40000, "description")
	n.rude().post(rtr+"scripts/v2", script("a.ps1", "private")).want(t, http.StatusBadRequest, 40000, "multipart")
}

// A private script is its client's, a group's is for administrators; the name of one
// that cannot be seen is taken all the same.
func TestScriptPermissions(t *testing.T) {
	n := start(t, falconfake.Options{Credentials: []falconfake.Credential{{ID: "client", Secret: "secret"}, {ID: "other", Secret: "x"}}})
	for _, p := range []string{"private", "group", "public"} {
		n.upload("POST", "v2", script(p, p)).want(t, http.StatusOK, 0, "")
	}
	run := func(path, name string) int {
		t.Helper()
		return n.order(path, n.session(srv1, false), "runscript -CloudFile='"+name+"'").status
	}
	for _, c := range []struct {
		path, name string
		want       int
	}{
		{adminPath, "private", 201},
		{adminPath, "group", 201},
		{adminPath, "public", 201},
		{adminPath, "Public", 404},
		{responder, "private", 404},
		{responder, "group", 404},
		{responder, "public", 201},
	} {
		if got := run(c.path, c.name); got != c.want {
			t.Errorf("%s of %s: %d, want %d", c.name, c.path, got, c.want)
		}
	}
	n.login("other", "x")
	if got := run(adminPath, "private"); got != http.StatusNotFound {
		t.Errorf("another's private script: %d", got)
	}
	if got := n.get("/real-time-response/queries/scripts/v1"); len(got.body.Resources) != 2 {
		t.Errorf("sees %v", got.body.Resources)
	}
	n.upload("POST", "v2", script("private", "private")).want(t, http.StatusConflict, 40900, "already exists")
}
