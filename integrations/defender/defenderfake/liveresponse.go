package defenderfake

import (
	"crypto/hmac"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

const (
	maxSessions   = 25
	scriptTimeout = 10 * time.Minute
	linkLifetime  = 30 * time.Minute
)

// session is one of live response: what the client asked for, and which command
// failed before the device was asked, if one did.
type session struct {
	commands []command
	failed   int // -1: none
	reason   string
}

type command struct {
	kind   string
	params map[string]string
}

// script is the place of the command that runs a script.
func (s *session) script() int {
	return slices.IndexFunc(s.commands, func(c command) bool { return c.kind == "RunScript" })
}

// commands writes the commands of an action.
func (d *Double) commands(a edrtest.Action, s *session) []map[string]any {
	if s == nil {
		return nil
	}
	var out []map[string]any
	for i, c := range s.commands {
		status, errors := "Created", []string{}
		var started, ended time.Time
		switch {
		case s.failed == i, s.failed < 0 && i == s.script() && a.State == edrtest.Failed:
			status, errors = "Failed", []string{or(s.reason, "The script could not be run.")}
			started, ended = a.Created, a.Updated
		case a.State == edrtest.Done, i < s.failed, a.State == edrtest.Failed && s.failed < 0 && i < s.script():
			status, started, ended = "Completed", a.Created, a.Updated
		}
		var params []map[string]string
		for _, key := range []string{"FileName", "ScriptName", "Args"} {
			if v, ok := c.params[key]; ok {
				params = append(params, map[string]string{"key": key, "value": v})
			}
		}
		out = append(out, map[string]any{
			"index": i, "startTime": stamp(started), "endTime": stamp(ended), "commandStatus": status, "errors": errors,
			"command": map[string]any{"type": c.kind, "params": params},
		})
	}
	return out
}

func (d *Double) runLiveResponse(w http.ResponseWriter, r *http.Request) *refusal {
	h, refused := d.find(r)
	if refused != nil {
		return refused
	}
	body, refused := decode(r, "Commands", "Comment")
	if refused != nil {
		return refused
	}
	s, refused := d.session(body["Commands"])
	if refused != nil {
		return refused
	}
	if refused := d.respondable(h); refused != nil {
		return refused
	}
	comment, _ := body["Comment"].(string)
	a, refused := d.begin(h, s, comment)
	if refused != nil {
		return refused
	}
	status := http.StatusCreated
	if d.o.LiveResponseOK {
		status = http.StatusOK
	}
	d.writeAction(w, status, a)
	return nil
}

// begin orders the script of a session.
func (d *Double) begin(h edrtest.Host, s *session, comment string) (edrtest.Action, *refusal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.world.Open(h.ID, edrtest.RunScript)) > 0 {
		return edrtest.Action{}, activeRequest()
	}
	if len(d.world.Open("", edrtest.RunScript)) >= maxSessions {
		r := refuse(http.StatusTooManyRequests, "TooManyRequests", "Maximum number of concurrent sessions exceeded.")
		r.after = time.Minute // how long is not documented
		return edrtest.Action{}, r
	}
	run := s.commands[s.script()]
	order := edrtest.Action{
		Kind: edrtest.RunScript, Host: h.ID, By: d.ClientID, Comment: comment, Script: run.params["ScriptName"],
		Input: run.params["Args"], Expires: d.world.Now().Add(givesUpAfter),
	}
	// A file that the library lacks fails its command; that it is no error of the call
	// is the reading that is harder on a client, as nothing is documented.
	s.failed = slices.IndexFunc(s.commands, func(c command) bool { return d.file(or(c.params["FileName"], c.params["ScriptName"])) == nil })
	if s.failed >= 0 {
		order.State, s.reason = edrtest.Failed, "The file was not found in the library."
	}
	a := d.world.Order(order)
	d.sessions[a.ID] = s
	return a, nil
}

// session reads the commands of a request.
func (d *Double) session(v any) (*session, *refusal) {
	incorrect := refuse(http.StatusBadRequest, "InvalidRequestBody", "Request body is incorrect: Commands")
	items, ok := v.([]any)
	if v == nil {
		return nil, refuse(http.StatusBadRequest, "MissingRequiredParameter", "Parameter Commands is missing.")
	}
	if !ok || len(items) == 0 {
		return nil, incorrect
	}
	s := &session{failed: -1}
	order := []string{"PutFile", "RunScript", "GetFile"}
	for _, item := range items {
		c, ok := readCommand(item)
		if !ok {
			return nil, incorrect
		}
		if n := len(s.commands); n > 0 && slices.Index(order, c.kind) < slices.Index(order, s.commands[n-1].kind) {
			return nil, refuse(http.StatusBadRequest, "InvalidRequestBody", "Request body is incorrect: commands are PutFile, RunScript, GetFile in this order")
		}
		if strings.ContainsAny(c.params["Args"], ";&|!$()") {
			return nil, refuse(http.StatusBadRequest, "InvalidInput", "Please avoid using the following characters as part of scripts' parameters: ; & | ! $ ( )")
		}
		s.commands = append(s.commands, c)
	}
	kinds := func(kind string) (n int) {
		for _, c := range s.commands {
			if c.kind == kind {
				n++
			}
		}
		return n
	}
	if kinds("RunScript") != 1 || kinds("GetFile") > 0 {
		d.fail("live response: the double runs one script in a session, and has no files to get")
		return nil, incorrect
	}
	return s, nil
}

// readCommand reads a command, whose keys are exactly these.
func readCommand(v any) (command, bool) {
	item, ok := v.(map[string]any)
	params, okp := item["params"].([]any)
	if !ok || !okp || len(item) != 2 {
		return command{}, false
	}
	c := command{params: map[string]string{}}
	c.kind, _ = item["type"].(string)
	allowed := map[string][]string{"PutFile": {"FileName"}, "RunScript": {"ScriptName", "Args"}, "GetFile": {"Path"}}[c.kind]
	for _, p := range params {
		pair, _ := p.(map[string]any)
		key, okk := pair["key"].(string)
		value, okv := pair["value"].(string)
		if !okk || !okv || len(pair) != 2 || !slices.Contains(allowed, key) {
			return command{}, false
		}
		c.params[key] = value
	}
	return c, len(allowed) > 0 && c.params[allowed[0]] != ""
}

// respondable checks that live response runs on a device. The errors are not
// documented, except that of the system.
func (d *Double) respondable(h edrtest.Host) *refusal {
	runs := []string{"Windows10", "Windows11", "WindowsServer2019", "WindowsServer2022", "WindowsServer2025"}
	switch {
	case d.o.Plan == Plan1 || d.o.Plan == Business:
		return refuse(http.StatusForbidden, "DisabledFeature", "Live response is not enabled for the tenant.")
	case !d.managed(h):
		return refuse(http.StatusBadRequest, "BadRequest", "The device is not onboarded.")
	case len(h.Groups) > 0 && slices.Contains(d.o.Unremediated, h.Groups[0]):
		return refuse(http.StatusForbidden, "DisallowedOperation", "The device group %s has no remediation level.", h.Groups[0])
	case !slices.Contains(runs, platform(h)):
		return refuse(http.StatusBadRequest, "OsPlatformNotSupported", "OS Platform %s isn't supported for this action.", platform(h))
	}
	return nil
}

// endScripts ends those that have run for too long.
func (d *Double) endScripts() {
	for _, a := range d.world.Open("", edrtest.RunScript) {
		if a.State == edrtest.Running && d.world.Now().Sub(a.Updated) >= scriptTimeout {
			d.world.ChangeAction(a.ID, func(a *edrtest.Action) { a.State = edrtest.Failed })
		}
	}
}

var resultLink = regexp.MustCompile(`^GetLiveResponseResultDownloadLink\(index=(\d+)\)$`)

// resultLink answers with a link to the result of a command. Before the command has
// completed there is none; which error that is is not documented.
func (d *Double) resultLink(w http.ResponseWriter, r *http.Request) *refusal {
	a, refused := d.lookup(r)
	if refused != nil {
		return refused
	}
	m := resultLink.FindStringSubmatch(r.PathValue("link"))
	if m == nil {
		return refuse(http.StatusNotFound, "NotFound", "No HTTP resource was found that matches the request URI.")
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.sessions[a.ID]
	if s == nil || fmt.Sprint(s.script()) != m[1] || a.State != edrtest.Done {
		return refuse(http.StatusNotFound, "ResourceNotFound", "The result of command %s of machine action %s was not found", m[1], a.ID)
	}
	path := "/investigation-actions-data/" + a.ID + "/CustomPlaybookCommandOutput/" + m[1]
	until := d.world.Now().Add(linkLifetime).Format("2006-01-02T15:04:05Z")
	query := url.Values{
		"se": {until}, "sp": {"r"}, "sv": {"2019-07-07"}, "sr": {"b"},
		"sig": {base64.StdEncoding.EncodeToString(seal(d.sas, path+until))},
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"@odata.context": context("Edm.String"), "value": d.storage + path + "?" + query.Encode(),
	})
	return nil
}

// Storage serves the results that links lead to. It is another origin, which the
// client's token must not reach.
func (d *Double) Storage() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.before(r)
		if r.Header.Get("Authorization") != "" {
			d.fail("storage: %s %s carries the client's token to another origin", r.Method, r.URL.Path)
			denyStorage(w, http.StatusBadRequest, "InvalidAuthenticationInfo", "Authentication information is not given in the correct format.")
			return
		}
		query := r.URL.Query()
		signature, err := base64.StdEncoding.DecodeString(query.Get("sig"))
		until, errt := time.Parse(time.RFC3339, query.Get("se"))
		if err != nil || errt != nil || !hmac.Equal(signature, seal(d.sas, r.URL.Path+query.Get("se"))) || !d.world.Now().Before(until) {
			denyStorage(w, http.StatusForbidden, "AuthenticationFailed", "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly including the signature.")
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			denyStorage(w, http.StatusForbidden, "AuthorizationPermissionMismatch", "This request is not authorized to perform this operation using this permission.")
			return
		}
		d.result(w, strings.Split(r.URL.Path, "/")[2])
	})
}

func denyStorage(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	_, _ = fmt.Fprintf(w, `<?xml version="1.0" encoding="utf-8"?><Error><Code>%s</Code><Message>%s</Message></Error>`, code, message)
}

// result writes what a script left. As in the sample, its output follows a line
// about the transcript and ends with zeros.
func (d *Double) result(w http.ResponseWriter, id string) {
	a, ok := d.world.Action(id)
	if !ok {
		denyStorage(w, http.StatusNotFound, "BlobNotFound", "The specified blob does not exist.")
		return
	}
	const transcript = `Transcript started, output file is C:\ProgramData\Microsoft\Windows Defender Advanced Threat Protection\Temp\PSScriptOutputs\PSScript_Transcript_{%s}.txt`
	writeJSON(w, http.StatusOK, map[string]any{
		"script_name": a.Script, "exit_code": a.Result.Exit, "script_errors": a.Result.Stderr,
		"script_output": fmt.Sprintf(transcript, a.ID) + "\n" + a.Result.Stdout + "\n\u0000\u0000\u0000",
	})
}
