package defendfake

import (
	"net/http"
	"strings"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// output is the content of what an agent answered; nil for none.
func (d *Double) output(o *order, agent string) map[string]any {
	a, _ := d.w.Action(o.actions[agent])
	h, _ := d.w.Host(agent)
	switch o.command {
	case "execute", "runscript":
		return d.scriptOutput(o, agent, a)
	case "kill-process":
		return killOutput(o, h, a)
	case "running-processes":
		return d.processes(h, a)
	}
	return nil
}

func (d *Double) scriptOutput(o *order, agent string, a edrtest.Action) map[string]any {
	if a.State != edrtest.Done {
		return nil
	}
	file := o.id + "." + agent
	stdout, cutOut := cut(a.Result.Stdout, d.o.OutputBytes)
	stderr, cutErr := cut(a.Result.Stderr, d.o.OutputBytes)
	// An action that succeeds is one that ran: what the command says of itself is
	// its shell_code.
	content := map[string]any{
		"code": "ra_" + o.command + "_success_done", "stdout": stdout, "stderr": stderr,
		"stdout_truncated": cutOut, "stderr_truncated": cutErr,
		"downloadUri": "/api/endpoint/action/" + o.id + "/file/" + file + "/download",
	}
	if o.command == "execute" {
		for key, v := range map[string]any{
			"shell": `C:\Windows\System32\cmd.exe`, "shell_code": a.Result.Exit, "cwd": `C:\`, "output_file_id": file,
			"output_file_stdout_truncated": false, "output_file_stderr_truncated": false,
		} {
			content[key] = v
		}
	}
	return content
}

func cut(s string, most int) (string, bool) {
	if len(s) <= most {
		return s, false
	}
	return strings.ToValidUTF8(s[:most], ""), true
}

// killOutput is the answer to the end of a process. A process id that is not there
// is a success: nobody knows whether the process had ended. An entity id is
// unique, so one that is not there is an error.
func killOutput(o *order, h edrtest.Host, a edrtest.Action) map[string]any {
	content := map[string]any{"code": "ra_kill-process_success_no-action"}
	for key, v := range o.parameters {
		content[key] = v
	}
	if a.PID == 0 {
		content["code"] = "ra_kill-process_error_not-found"
		return content
	}
	for _, p := range h.Processes {
		if p.PID == a.PID && !p.End.Before(a.Created) && !p.End.After(a.Updated) {
			content["code"], content["command"] = "ra_kill-process_success_done", p.CommandLine
		}
	}
	return content
}

// processes are those that ran when the agent answered.
func (d *Double) processes(h edrtest.Host, a edrtest.Action) map[string]any {
	entries := []map[string]any{}
	for _, p := range h.Processes {
		if p.Start.After(a.Updated) || !p.End.IsZero() && !p.End.After(a.Updated) {
			continue
		}
		var pid any = p.PID
		if !d.o.Published {
			pid = formatInt(p.PID) // the product writes a text
		}
		entries = append(entries, map[string]any{"command": p.CommandLine, "pid": pid, "entity_id": entityID(h.ID, p), "user": p.User})
	}
	return map[string]any{"code": "ra_running-processes_success_done", "entries": entries}
}

// file returns the action and the agent of a file.
func (d *Double) file(c *call) (*order, edrtest.Action, *refusal) {
	id, file := c.part(3), c.part(5)
	o, refused := d.find(id)
	if refused != nil {
		return nil, edrtest.Action{}, refused
	}
	action, agent, _ := strings.Cut(file, ".")
	a, there := d.w.Action(o.actions[agent])
	switch {
	case action != id:
		return nil, a, kibanaError(http.StatusBadRequest, "Invalid file id [%s] for action [%s]", file, id)
	case !there || a.State != edrtest.Done || a.Kind != edrtest.RunScript:
		return nil, a, kibanaError(http.StatusNotFound, "File [%s] not found", file)
	}
	return o, a, nil
}

func (d *Double) getFile(c *call) (any, *refusal) {
	o, a, refused := d.file(c)
	if refused != nil {
		return nil, refused
	}
	packed, err := pack(a)
	if err != nil {
		return nil, kibanaError(http.StatusInternalServerError, "%v", err)
	}
	data := map[string]any{
		"actionId": o.id, "agentId": a.Host, "agentType": "endpoint", "created": isoTime(a.Updated), "id": o.id + "." + a.Host,
		"mimeType": "application/zip", "name": o.command + "-output.zip", "size": len(packed), "status": "READY",
	}
	d.extra(data)
	return map[string]any{"data": data}, nil
}

func (d *Double) download(c *call) (any, *refusal) {
	_, a, refused := d.file(c)
	if refused != nil {
		return nil, refused
	}
	packed, err := pack(a)
	if err != nil {
		return nil, kibanaError(http.StatusInternalServerError, "%v", err)
	}
	return packed, nil
}
