package wazuhfake

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// response is the body of an active response.
type response struct {
	command   string
	arguments []string
	alert     map[string]any
}

func readResponse(r *http.Request) (response, *failure) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return response{}, &failure{http.StatusNotAcceptable, 6002, "Wazuh Error", "The body type is not the one specified in the content-type"}
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	var body map[string]json.RawMessage
	if err != nil || json.Unmarshal(text, &body) != nil || body == nil {
		return response{}, badRequest("Invalid JSON in request body")
	}
	var read response
	for name, raw := range body {
		into := map[string]any{"command": &read.command, "arguments": &read.arguments, "alert": &read.alert}[name]
		if into == nil {
			return response{}, badRequest("Invalid field found {'" + name + "'}")
		}
		if err := json.Unmarshal(raw, into); err != nil {
			return response{}, badRequest(name + ": " + err.Error())
		}
	}
	if !regexp.MustCompile(`^!?[\w.\-]+$`).MatchString(read.command) {
		return response{}, badRequest("'" + read.command + "' is not a 'active_response_command' - 'command'")
	}
	for name := range read.alert {
		if name != "data" {
			return response{}, badRequest("Invalid field found {'alert." + name + "'}")
		}
	}
	return read, nil
}

// activeResponse sends a command to agents: to all of them where none is named. The
// answer says that it was sent; what comes of it is not known to the API.
func (d *Double) activeResponse(o Options, r *http.Request) (any, *failure) {
	command, f := readResponse(r)
	if f != nil {
		return nil, f
	}
	if f := o.permit("active-response:command"); f != nil {
		return nil, f
	}
	ids, f := idsOf(r)
	if f != nil {
		return nil, f
	}
	if ids == nil {
		for _, h := range d.world.Hosts() {
			ids = append(ids, h.ID)
		}
	}
	out := outcome{
		all: "AR command was sent to all agents", some: "AR command was not sent to some agents", none: "AR command was not sent to any agent",
	}
	for _, id := range ids {
		h, found := d.world.Host(id)
		switch {
		case id == ManagerID:
			out.fail(id, 1703, "Action not available for Manager (agent 000)")
		case !found:
			out.fail(id, 1701, "Agent does not exist")
		case out.deny(o, "active-response:command", edrtest.Host{ID: h.ID, Groups: inGroups(h)}):
		case !strings.HasPrefix(command.command, "!") && o.Commands[command.command] == "":
			out.fail(id, 1652, "The command used is not defined in the configuration.")
		case o.status(h) != "active":
			out.fail(id, 1707, "Cannot send request, agent is not active")
		case o.Disabled[id]:
			out.fail(id, 1750, "Could not send active response, it is disabled in the agent")
		default:
			d.send(o, h, command)
			out.done = append(out.done, id)
		}
	}
	return out.document(len(out.done)), nil
}

// send has an agent run a script. One that it does not have runs nowhere, and
// nobody is told.
func (d *Double) send(o Options, h edrtest.Host, command response) {
	file, custom := strings.CutPrefix(command.command, "!")
	if !custom {
		file = o.Commands[command.command]
	}
	does, found := o.Scripts[file]
	if !found {
		return
	}
	m := Message{Arguments: command.arguments, Alert: command.alert}
	m.Text = strings.Join(command.arguments, " ")
	if speaksJSON(o.version(h.ID)) {
		m.Text = command.text(file)
	} else if m.Text == "" {
		m.Text = "- -"
	}
	a := edrtest.Action{Kind: edrtest.RunScript, Host: h.ID, By: o.User, Script: file, Input: m.Text}
	if kind := does(m); kind != "" {
		a.Kind = kind
	}
	d.world.Order(a)
}

// text is the line that the script reads. Execd, the agent's part that starts it,
// says add, and which program it is.
func (r response) text(file string) string {
	alert, arguments := any(map[string]any{}), r.arguments
	if r.alert != nil {
		alert = r.alert
	}
	if arguments == nil {
		arguments = []string{}
	}
	line, err := json.Marshal(map[string]any{
		"version": 1, "origin": map[string]any{"name": "node01", "module": "api/framework"}, "command": "add",
		"parameters": map[string]any{"extra_args": arguments, "alert": alert, "program": "active-response/bin/" + file},
	})
	if err != nil {
		return ""
	}
	return string(line) + "\n"
}

// speaksJSON reports whether an agent of a version gets its message as JSON: from
// 4.2 on.
func speaksJSON(version string) bool {
	parts := strings.Split(strings.TrimPrefix(version, "Wazuh v"), ".")
	numbers := []int{0, 0}
	for i := range numbers {
		if i < len(parts) {
			numbers[i], _ = strconv.Atoi(parts[i])
		}
	}
	return slices.Compare(numbers, []int{4, 2}) >= 0
}
