package defenderfake_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations/defender/defenderfake"
	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// upload sends a file to the library under the field name.
func (n *tenant) upload(field, name, content string, fields map[string]string) answer {
	n.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	w, err := form.CreateFormFile(field, name)
	if err != nil {
		n.t.Fatal(err)
	}
	_, _ = w.Write([]byte(content))
	for k, v := range fields {
		if err := form.WriteField(k, v); err != nil {
			n.t.Fatal(err)
		}
	}
	form.Close()
	r, err := http.NewRequestWithContext(n.t.Context(), http.MethodPost, n.url+"/api/libraryfiles", &body)
	if err != nil {
		n.t.Fatal(err)
	}
	r.Header.Set("Content-Type", form.FormDataContentType())
	r.Header.Set("Authorization", "Bearer "+n.token[defender])
	return n.do(r)
}

type command map[string]any

func run(script, args string) command {
	params := []map[string]string{{"key": "ScriptName", "value": script}}
	if args != "" {
		params = append(params, map[string]string{"key": "Args", "value": args})
	}
	return command{"type": "RunScript", "params": params}
}

func put(file string) command {
	return command{"type": "PutFile", "params": []map[string]string{{"key": "FileName", "value": file}}}
}

func (n *tenant) respond(id string, status int, code string, commands ...command) answer {
	n.t.Helper()
	return n.call(http.MethodPost, "/api/machines/"+id+"/runliveresponse", map[string]any{"Comment": "case 1", "Commands": commands}, status, code)
}

func TestLibrary(t *testing.T) {
	n := open(t, defenderfake.Options{})
	a := n.upload("File", "qos.ps1", "one", map[string]string{"Description": "limits"})
	if a.status != http.StatusOK || a.text1("fileName") != "qos.ps1" || a.text1("sha256") != "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed" {
		t.Errorf("the file was answered with %d %s", a.status, a.text)
	}
	n.want(n.upload("file", "qos.ps1", "two", nil), http.StatusBadRequest, "BadRequest")
	n.want(n.upload("file", "qos.ps1", "two", map[string]string{"OverrideIfExists": "true"}), http.StatusOK, "")
	n.want(n.rude().upload("Script", "x.ps1", "x", nil), http.StatusBadRequest, "BadRequest")
	n.want(n.rude().upload("File", "x.ps1", "x", map[string]string{"overrideIfExists": "true"}), http.StatusBadRequest, "BadRequest")
	n.want(n.upload("File", "big.ps1", strings.Repeat("x", 20<<20+1), nil), http.StatusBadRequest, "BadRequest")
	if content, ok := n.LibraryFile("qos.ps1"); string(content) != "two" || !ok {
		t.Errorf("the library has %q", content)
	}
	list := n.call(http.MethodGet, "/api/libraryfiles", nil, http.StatusOK, "").list()
	if len(list) != 1 || list[0]["fileName"] != "qos.ps1" {
		t.Errorf("the library is %v", list)
	}
	n.call(http.MethodDelete, "/api/libraryfiles/qos.ps1", nil, http.StatusNoContent, "")
	n.call(http.MethodDelete, "/api/libraryfiles/qos.ps1", nil, http.StatusNotFound, "ResourceNotFound")
}

func TestLiveResponse(t *testing.T) {
	n := open(t, defenderfake.Options{})
	n.upload("File", "qos.ps1", "text", nil)
	n.upload("File", "data.txt", "text", nil)
	n.world.OnScript(func(h edrtest.Host, name, input string) edrtest.Result {
		return edrtest.Result{Exit: 3, Stdout: h.Name + " " + name + " " + input, Stderr: "oh"}
	})
	a := n.respond(ws1, http.StatusCreated, "", put("data.txt"), run("qos.ps1", "-Mbit 5"))
	id := a.text1("id")
	if a.text1("type") != "LiveResponse" || a.text1("status") != "Pending" {
		t.Errorf("the session is %s", a.text)
	}
	if diff := cmp.Diff([]string{"Created", "Created"}, statuses(a)); diff != "" {
		t.Errorf("the commands differ (-want +got):\n%s", diff)
	}
	link := func(index int) string {
		return fmt.Sprintf("/api/machineactions/%s/GetLiveResponseResultDownloadLink(index=%d)", id, index)
	}
	n.call(http.MethodGet, link(1), nil, http.StatusNotFound, "ResourceNotFound")
	n.world.Settle()
	a = n.action(id)
	if diff := cmp.Diff([]string{"Completed", "Completed"}, statuses(a)); diff != "" || a.text1("status") != "Succeeded" {
		t.Errorf("the session is %s and its commands differ (-want +got):\n%s", a.text1("status"), diff)
	}
	// A file that was put has no result.
	n.call(http.MethodGet, link(0), nil, http.StatusNotFound, "ResourceNotFound")
	result := n.download(n.call(http.MethodGet, link(1), nil, http.StatusOK, "").text1("value"))
	var got struct {
		Name   string `json:"script_name"`
		Exit   int    `json:"exit_code"`
		Output string `json:"script_output"`
		Errors string `json:"script_errors"`
	}
	if err := json.Unmarshal([]byte(result.text), &got); err != nil {
		t.Fatal(err)
	}
	if got.Name != "qos.ps1" || got.Exit != 3 || got.Errors != "oh" ||
		!strings.HasPrefix(got.Output, "Transcript started") || !strings.HasSuffix(got.Output, "\nWS-1 qos.ps1 -Mbit 5\n\x00\x00\x00") {
		t.Errorf("the result is %+v", got)
	}
}

// download follows a link to the storage, without a token.
func (n *tenant) download(link string) answer {
	n.t.Helper()
	r, err := http.NewRequestWithContext(n.t.Context(), http.MethodGet, link, nil)
	if err != nil {
		n.t.Fatal(err)
	}
	return n.do(r)
}

func statuses(a answer) []string {
	var out []string
	commands, _ := a.body["commands"].([]any)
	for _, c := range commands {
		s, _ := c.(map[string]any)["commandStatus"].(string)
		out = append(out, s)
	}
	return out
}

func TestLinks(t *testing.T) {
	n := open(t, defenderfake.Options{})
	storage := httptest.NewServer(n.Storage())
	defer storage.Close()
	n.SetStorageURL(storage.URL)
	n.upload("File", "qos.ps1", "text", nil)
	n.world.OnScript(func(edrtest.Host, string, string) edrtest.Result { return edrtest.Result{} })
	id := n.respond(ws1, http.StatusCreated, "", run("qos.ps1", "")).text1("id")
	n.world.Settle()
	link := n.call(http.MethodGet, "/api/machineactions/"+id+"/GetLiveResponseResultDownloadLink(index=0)", nil, http.StatusOK, "").text1("value")
	u, err := url.Parse(link)
	if err != nil || "http://"+u.Host != storage.URL || storage.URL == n.url {
		t.Fatalf("the link is %s, want one at %s", link, storage.URL)
	}
	if a := n.download(link); a.status != http.StatusOK {
		t.Errorf("the link was answered with %d %s", a.status, a.text)
	}
	if a := n.download(strings.Replace(link, "sig=", "sig=AA", 1)); a.status != http.StatusForbidden || !strings.Contains(a.text, "<Code>AuthenticationFailed</Code>") {
		t.Errorf("a changed link was answered with %d %s", a.status, a.text)
	}
	n.advance(30*time.Minute - time.Second)
	if a := n.download(link); a.status != http.StatusOK {
		t.Errorf("after almost half an hour the link was answered with %d", a.status)
	}
	n.advance(time.Second)
	if a := n.download(link); a.status != http.StatusForbidden {
		t.Errorf("after half an hour the link was answered with %d", a.status)
	}
}

func TestRefusedSessions(t *testing.T) {
	n := open(t, defenderfake.Options{Unremediated: []string{"Wards"}})
	n.upload("File", "qos.ps1", "text", nil)
	n.respond(ws1, http.StatusForbidden, "DisallowedOperation", run("qos.ps1", ""))
	n.respond(srv, http.StatusBadRequest, "OsPlatformNotSupported", run("qos.ps1", ""))
	rude := n.rude()
	n.respond(ws2, http.StatusBadRequest, "InvalidRequestBody", run("qos.ps1", ""), put("qos.ps1"))
	n.respond(ws2, http.StatusBadRequest, "InvalidInput", run("qos.ps1", "-x 1; rm"))
	rude.respond(ws2, http.StatusBadRequest, "MissingRequiredParameter")
	rude.call(http.MethodPost, "/api/machines/"+ws2+"/runliveresponse", map[string]any{"Commands": []any{}}, http.StatusBadRequest, "InvalidRequestBody")
	rude.respond(ws2, http.StatusBadRequest, "InvalidRequestBody", command{"Type": "RunScript", "params": []any{}})
	rude.call(http.MethodPost, "/api/machines/"+ws2+"/runliveresponse", map[string]any{"Comment": "c"}, http.StatusBadRequest, "MissingRequiredParameter")
	rude.call(http.MethodPost, "/api/machines/"+ws2+"/runliveresponse", map[string]any{"commands": []any{}}, http.StatusBadRequest, "MissingRequiredParameter")
	n.advance(time.Minute)
	n.respond(ws2, http.StatusCreated, "", run("qos.ps1", ""))
	for range 9 {
		n.respond(ws2, http.StatusBadRequest, "ActiveRequestAlreadyExists", run("qos.ps1", ""))
	}
	// The eleventh call of a minute.
	n.respond(ws2, http.StatusTooManyRequests, "TooManyRequests", run("qos.ps1", ""))
	without := open(t, defenderfake.Options{Plan: defenderfake.Plan1})
	without.respond(ws1, http.StatusForbidden, "DisabledFeature", run("qos.ps1", ""))
}

func TestSessionAnsweredWithOK(t *testing.T) {
	n := open(t, defenderfake.Options{LiveResponseOK: true})
	n.upload("File", "qos.ps1", "text", nil)
	n.respond(ws1, http.StatusOK, "", run("qos.ps1", ""))
}

// A script that is not in the library fails, after it was accepted.
func TestMissingScript(t *testing.T) {
	n := open(t, defenderfake.Options{})
	a := n.respond(ws1, http.StatusCreated, "", run("nothing.ps1", ""))
	if diff := cmp.Diff([]string{"Failed"}, statuses(a)); diff != "" || a.text1("status") != "Failed" {
		t.Errorf("the session is %s and its commands differ (-want +got):\n%s", a.text1("status"), diff)
	}
}

func TestScriptRunsTooLong(t *testing.T) {
	n := open(t, defenderfake.Options{})
	n.upload("File", "qos.ps1", "text", nil)
	id := n.respond(ws1, http.StatusCreated, "", run("qos.ps1", "")).text1("id")
	n.world.ChangeAction(id, func(a *edrtest.Action) { a.State = edrtest.Running })
	n.advance(10*time.Minute - time.Second)
	if got := n.action(id).text1("status"); got != "InProgress" {
		t.Errorf("the script is %s, want InProgress", got)
	}
	n.advance(time.Second)
	if got := n.action(id).text1("status"); got != "Failed" {
		t.Errorf("after ten minutes the script is %s, want Failed", got)
	}
}

func TestConcurrentSessions(t *testing.T) {
	n := open(t, defenderfake.Options{Unlimited: true})
	n.upload("File", "qos.ps1", "text", nil)
	for i := range 26 {
		id := fmt.Sprintf("%040d", i)
		n.world.Add(edrtest.Host{ID: id, Name: id, OS: "Windows 11"})
		if i < 25 {
			n.respond(id, http.StatusCreated, "", run("qos.ps1", ""))
			continue
		}
		n.respond(id, http.StatusTooManyRequests, "TooManyRequests", run("qos.ps1", ""))
	}
}
