package falconfake_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/crowdstrike/falconfake"
	"github.com/stanch-soar/stanch/integrations/edrtest"
)

const (
	rtr       = "/real-time-response/entities/"
	readOnly  = rtr + "command/v1"
	responder = rtr + "active-responder-command/v1"
	adminPath = rtr + "admin-command/v1"
)

func (n *tenant) open(host string, queue bool) answer {
	n.t.Helper()
	return n.post(rtr+"sessions/v1?timeout=30", map[string]any{"device_id": host, "origin": "test", "queue_offline": queue})
}

// session opens one and returns its id.
func (n *tenant) session(host string, queue bool) string {
	n.t.Helper()
	id, _ := n.open(host, queue).want(n.t, http.StatusCreated, 0, "").first(n.t)["session_id"].(string)
	return id
}

func (n *tenant) order(path, session, line string) answer {
	n.t.Helper()
	base, _, _ := strings.Cut(line, " ")
	return n.post(path, map[string]any{"base_command": base, "command_string": line, "session_id": session, "device_id": srv1, "id": 0, "persist": false})
}

func (n *tenant) poll(path, request string, sequence int) map[string]any {
	n.t.Helper()
	return n.get(path, "cloud_request_id", request, "sequence_id", fmt.Sprint(sequence)).want(n.t, http.StatusOK, 0, "").first(n.t)
}

// ordered orders a command and returns the id of the request.
func (n *tenant) ordered(path, session, line string) string {
	n.t.Helper()
	id, _ := n.order(path, session, line).want(n.t, http.StatusCreated, 0, "").first(n.t)["cloud_request_id"].(string)
	return id
}

func TestSession(t *testing.T) {
	n := start(t, falconfake.Options{Credentials: []falconfake.Credential{{ID: "client", Secret: "secret"}, {ID: "other", Secret: "x"}}})
	first := n.open(srv1, false).want(t, http.StatusCreated, 0, "").first(t)
	again := n.open(srv1, false).first(t)
	if first["session_id"] != again["session_id"] || first["existing_aid_sessions"] != 0.0 || again["existing_aid_sessions"] != 1.0 {
		t.Errorf("the second opening did not join: %v, %v", first, again)
	}
	mine, id := n.token, first["session_id"].(string)
	n.login("other", "x")
	if theirs := n.open(srv1, false).first(t); theirs["session_id"] == id || theirs["existing_aid_sessions"] != 1.0 {
		t.Errorf("another client joined: %v", theirs)
	}
	n.order(readOnly, id, "ps").want(t, http.StatusBadRequest, 40000, "session")
	n.token = mine
	n.json("DELETE", rtr+"sessions/v1?session_id="+id, "").want(t, http.StatusNoContent, 0, "")
	n.json("DELETE", rtr+"sessions/v1?session_id="+id, "").want(t, http.StatusBadRequest, 40000, "session")
	n.order(readOnly, id, "ps").want(t, http.StatusBadRequest, 40000, "session")
	if next := n.open(srv1, false).first(t); next["session_id"] == id {
		t.Error("a deleted session was joined")
	}
}

func TestSessionRefusals(t *testing.T) {
	n := start(t, falconfake.Options{})
	n.open(srv2, false).want(t, http.StatusNotFound, 40401, "Could not establish sensor comms")
	n.open(gone, true).want(t, http.StatusNotFound, 40401, "Could not establish sensor comms")
	n.rude().post(rtr+"sessions/v1?timeout=301", map[string]any{"device_id": srv1}).want(t, http.StatusBadRequest, 40000, "timeout")
	n.rude().post(rtr+"sessions/v1", map[string]any{"deviceId": srv1}).want(t, http.StatusBadRequest, 40000, "device_id is required")
	n.rude().post(rtr+"refresh-session/v1", map[string]any{"device_id": srv1}).want(t, http.StatusBadRequest, 40000, "session")
}

// A session dies after five minutes without a command or a refresh, and takes the
// results with it that were not there yet.
func TestSessionDies(t *testing.T) {
	n := start(t, falconfake.Options{})
	id := n.session(srv1, false)
	n.w.OnScript(func(edrtest.Host, string, string) edrtest.Result { return edrtest.Result{Stdout: "late"} })
	request := n.ordered(adminPath, id, "runscript -Raw=```late```")
	n.clock.pass(4 * time.Minute)
	n.poll(adminPath, request, 0)
	n.post(rtr+"refresh-session/v1", map[string]any{"device_id": srv1, "origin": "x", "queue_offline": false}).want(t, http.StatusCreated, 0, "")
	n.clock.pass(4 * time.Minute)
	n.poll(adminPath, request, 0)
	n.clock.pass(time.Minute)
	n.order(readOnly, id, "ps").want(t, http.StatusBadRequest, 40000, "session")
	n.w.Settle()
	if got := n.poll(adminPath, request, 0); got["complete"] != false || got["stdout"] != "" {
		t.Errorf("a dead session gave %v", got)
	}
	if a := n.w.Actions(srv1); a[0].State != edrtest.Done {
		t.Errorf("the script is %s on the device", a[0].State)
	}
}

func TestSessionLists(t *testing.T) {
	n := start(t, falconfake.Options{})
	id := n.session(srv1, false)
	n.session(srv2, true)
	got := n.get("/real-time-response/queries/sessions/v1", "filter", "aid:'"+srv1+"'").want(t, http.StatusOK, 0, "")
	if len(got.body.Resources) != 1 || got.body.Resources[0] != id {
		t.Errorf("sessions %v, want %s", got.body.Resources, id)
	}
	got = n.get("/real-time-response/queries/sessions/v1", "filter", "user_id:'@me'").want(t, http.StatusOK, 0, "")
	if len(got.body.Resources) != 2 {
		t.Errorf("sessions of the one who asks: %v, want 2", got.body.Resources)
	}
	n.get("/real-time-response/queries/sessions/v1", "filter", "x").want(t, http.StatusBadRequest, 40000, "Invalid filter")
	request := n.ordered(readOnly, id, "ps")
	got = n.post(rtr+"sessions/GET/v1", idsOf(id)).want(t, http.StatusOK, 0, "")
	if s := got.first(t); s["device_id"] != srv1 || s["hostname"] != "SRV-01" || s["cloud_request_ids"].([]any)[0] != request {
		t.Errorf("session %v", s)
	}
}

// Commands that read; their levels.
func TestReadingCommands(t *testing.T) {
	n := start(t, falconfake.Options{})
	id := n.session(srv1, false)
	request := n.ordered(readOnly, id, "ps")
	if got := n.poll(readOnly, request, 0); got["complete"] != false {
		t.Errorf("the first answer is %v", got)
	}
	got := n.poll(readOnly, request, 0)
	if out := got["stdout"].(string); got["complete"] != true || !strings.Contains(out, "powershell.exe") || !strings.Contains(out, "4242") || strings.Contains(out, "old.exe") {
		t.Errorf("ps gave %v", got)
	} else if head, _, _ := strings.Cut(out, "\n"); !strings.HasPrefix(head, "Name") || !strings.Contains(head, " Id ") || !strings.HasSuffix(strings.TrimSpace(head), "Path") {
		t.Errorf("the head of ps is %q", head)
	}
	request = n.ordered(readOnly, id, "netstat")
	n.poll(readOnly, request, 0)
	if out := n.poll(readOnly, request, 0)["stdout"].(string); !strings.Contains(out, "203.0.113.9:53") {
		t.Errorf("netstat gave %q", out)
	}
	n.order(readOnly, id, "kill 4242").want(t, http.StatusBadRequest, 40006, "Command is not valid")
	n.order(readOnly, id, "runscript -CloudFile='x'").want(t, http.StatusBadRequest, 40006, "Command is not valid")
	n.order(adminPath, id, "format c:").want(t, http.StatusBadRequest, 40006, "Command is not valid")
	n.order(readOnly, id, "ps all").want(t, http.StatusBadRequest, 40012, "Max args is 0. 1 were provided")
	n.rude().post(readOnly, map[string]any{"base_command": "ps", "command_string": "netstat", "session_id": id}).want(t, http.StatusBadRequest, 40006, "")
	n.rude().post(readOnly, map[string]any{"base_command": "ps", "command_string": "ps"}).want(t, http.StatusBadRequest, 40000, "session_id is required")
	n.rude().post(readOnly, map[string]any{"base_command": "ps", "command_string": "ps", "session_id": id, "device_id": srv2}).want(t, http.StatusBadRequest, 40000, "device_id")
	n.rude().get(readOnly, "cloud_request_id", request).want(t, http.StatusBadRequest, 40000, "sequence_id")
	n.get(readOnly, "cloud_request_id", "none", "sequence_id", "0").want(t, http.StatusNotFound, 40400, "")
}

func TestKill(t *testing.T) {
	n := start(t, falconfake.Options{Polls: -1})
	id := n.session(srv1, false)
	n.order(responder, id, "kill powershell.exe").want(t, http.StatusBadRequest, 40012, "")
	request := n.ordered(responder, id, "kill 4242")
	if got := n.poll(responder, request, 0); got["complete"] != false {
		t.Errorf("complete before the device did it: %v", got)
	}
	n.w.Settle()
	if got := n.poll(responder, request, 0); got["complete"] != true || !strings.Contains(got["stdout"].(string), "4242") {
		t.Errorf("after: %v", got)
	}
	h, _ := n.w.Host(srv1)
	if h.Processes[1].End.IsZero() || !h.Processes[0].End.IsZero() {
		t.Error("the wrong process ended")
	}
}

// The output comes in parts, complete with the last.
func TestChunks(t *testing.T) {
	n := start(t, falconfake.Options{Polls: -1, Chunk: 5})
	n.w.OnScript(func(_ edrtest.Host, name, input string) edrtest.Result {
		return edrtest.Result{Stdout: name + "é" + input, Stderr: "warned", Exit: 3}
	})
	n.upload("POST", "v2", map[string]string{"name": "limit.ps1", "description": "d", "permission_type": "private", "content": "x", "platform": "windows"}).want(t, http.StatusOK, 0, "")
	id := n.session(srv1, false)
	request := n.ordered(adminPath, id, `runscript -CloudFile='limit.ps1' -CommandLine="-Rate 5" -Timeout=60`)
	n.w.Settle()
	var out strings.Builder
	for i := 0; ; i++ {
		got := n.poll(adminPath, request, i)
		out.WriteString(got["stdout"].(string))
		if got["complete"] == true {
			if got["stderr"] != "warned" || i != 3 {
				t.Errorf("the last part, %d, is %v", i, got)
			}
			break
		}
		if i > 5 {
			t.Fatal("no last part")
		}
	}
	if out.String() != "limit.ps1é-Rate 5" {
		t.Errorf("output %q", out.String())
	}
	if got := n.poll(adminPath, request, 9); got["stdout"] != "" || got["complete"] != false {
		t.Errorf("beyond the last part: %v", got)
	}
}

func TestRunscriptFlags(t *testing.T) {
	n := start(t, falconfake.Options{})
	id := n.session(srv1, false)
	for line, want := range map[string]struct {
		status, code int
		words        string
	}{
		"runscript script.ps1":                           {400, 40012, "Max args is 0. 1 were provided"},
		"runscript -File=x":                              {400, 40014, "Unrecognized flag found: File, value: x"},
		"runscript":                                      {400, 40006, "Command is not valid"},
		"runscript -Raw=x -CloudFile=y":                  {400, 40006, "Command is not valid"},
		"runscript -CloudFile='x":                        {400, 40006, "unterminated"},
		"runscript -CloudFile='it' 's'":                  {400, 40012, "Max args is 0. 1 were provided"},
		"runscript -CloudFile='absent.ps1' -Timeout=600": {404, 40412, "The file absent.ps1 could not be found"},
		"runscript -Raw=```Get-Date | Out-String```":     {201, 0, ""},
	} {
		n.order(adminPath, id, line).want(t, want.status, want.code, want.words)
	}
	n.order(responder, id, "runscript -Raw=```gci /```").want(t, http.StatusBadRequest, 40014, "Unrecognized flag found: Raw, value: gci /")
	if a := n.w.Actions(srv1); len(a) != 1 || a[0].Script != "Get-Date | Out-String" {
		t.Errorf("ordered %v", a)
	}
	off := start(t, falconfake.Options{ScriptsOff: true})
	off.order(adminPath, off.session(srv1, false), "runscript -Raw=x").want(t, http.StatusBadRequest, 40006, "Command is not valid")
}

// What failed says so on stderr, or inside the resource of an answer without errors.
func TestNestedErrors(t *testing.T) {
	n := start(t, falconfake.Options{Polls: -1})
	request := n.ordered(adminPath, n.session(srv1, false), "runscript -Raw=x")
	n.w.Settle()
	if got := n.poll(adminPath, request, 0); got["complete"] != true || got["stderr"] == "" {
		t.Errorf("got %v", got)
	}
	n = start(t, falconfake.Options{Polls: -1, NestedErrors: true})
	request = n.ordered(adminPath, n.session(srv1, false), "runscript -Raw=x")
	n.w.Settle() // No script runs on these devices.
	a := n.get(adminPath, "cloud_request_id", request, "sequence_id", "0").want(t, http.StatusOK, 0, "")
	got := a.first(t)
	if errs, _ := got["errors"].([]any); len(a.body.Errors) != 0 || got["complete"] != true || got["stderr"] != "" || len(errs) != 1 {
		t.Errorf("got %s", a.text)
	}
}

// Commands for an offline host wait for it, seven days at most.
func TestOfflineQueue(t *testing.T) {
	n := start(t, falconfake.Options{Polls: -1})
	n.w.OnScript(func(edrtest.Host, string, string) edrtest.Result { return edrtest.Result{Stdout: "ok"} })
	opened := n.open(srv2, true).want(t, http.StatusCreated, 0, "").first(t)
	if opened["offline_queued"] != true {
		t.Errorf("opened %v", opened)
	}
	id := opened["session_id"].(string)
	order := func() map[string]any {
		return n.post(adminPath, map[string]any{"base_command": "runscript", "command_string": "runscript -Raw=x", "session_id": id, "device_id": srv2, "id": 0, "persist": false}).want(t, http.StatusCreated, 0, "").first(t)
	}
	one := order()
	if one["queued_command_offline"] != true {
		t.Errorf("ordered %v", one)
	}
	n.clock.pass(24 * time.Hour)
	n.login("client", "secret")
	n.w.Settle()
	if got := n.poll(adminPath, one["cloud_request_id"].(string), 0); got["complete"] != false {
		t.Errorf("complete on an offline host: %v", got)
	}
	n.w.Change(srv2, func(h *edrtest.Host) { h.Offline = false })
	n.w.Settle()
	if got := n.poll(adminPath, one["cloud_request_id"].(string), 0); got["complete"] != true || got["stdout"] != "ok" {
		t.Errorf("after it came back: %v", got)
	}
	n.w.Change(srv2, func(h *edrtest.Host) { h.Offline = true })
	two := order()
	n.clock.pass(7 * 24 * time.Hour)
	n.login("client", "secret")
	n.w.Change(srv2, func(h *edrtest.Host) { h.Offline = false })
	n.w.Settle()
	if a := n.w.Actions(srv2); a[1].State != edrtest.Expired {
		t.Errorf("the second script is %s, want expired", a[1].State)
	}
	if got := n.poll(adminPath, two["cloud_request_id"].(string), 0); got["complete"] != false {
		t.Errorf("what was given up is complete: %v", got)
	}
	if again := n.open(srv2, true).first(t); again["session_id"] == id {
		t.Error("a session waited for more than seven days")
	}
}

func TestReadingFromAnOfflineHost(t *testing.T) {
	n := start(t, falconfake.Options{Polls: -1})
	id := n.session(srv2, true)
	ordered := n.post(readOnly, map[string]any{"base_command": "pwd", "command_string": "pwd", "session_id": id, "device_id": srv2, "id": 0, "persist": false})
	request := ordered.want(t, http.StatusCreated, 0, "").first(t)["cloud_request_id"].(string)
	if got := n.poll(readOnly, request, 0); got["complete"] != false {
		t.Errorf("an offline host answered: %v", got)
	}
	n.w.Change(srv2, func(h *edrtest.Host) { h.Offline = false })
	if got := n.poll(readOnly, request, 0); got["complete"] != true || got["stdout"] != `C:\` {
		t.Errorf("after it came back: %v", got)
	}
}
