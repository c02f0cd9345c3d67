package falconfake

import (
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// command is one that a session was given.
type command struct {
	session *session
	base    string
	given   time.Time
	// action is the world's, for a command that changes the device; empty: it reads.
	action string
	polls  int
	// result is what it left, in parts, once it is known.
	result *result
}

// result is the output of a command that has ended.
type result struct {
	stdout []string
	stderr string
	// errs are errors inside the resource, where the answer's own errors are empty.
	errs []apiError
}

// commandOf accepts a command for the host of a session.
func (d *Double) commandOf(l level) func(*call) reply {
	return func(c *call) reply {
		d.mu.Lock()
		defer d.mu.Unlock()
		s, parsed, bad := d.readCommand(c, l)
		if bad != nil {
			return *bad
		}
		cmd := &command{session: s, base: parsed.base, given: d.w.Now()}
		if bad := d.order(c, l, cmd, parsed); bad != nil {
			return *bad
		}
		id := d.nextID()
		d.commands[id] = cmd
		s.requests = append(s.requests, id)
		s.used = d.w.Now()
		h, _ := d.w.Host(s.host)
		return resources(d, c, http.StatusCreated, []object{{
			"session_id": s.id, "cloud_request_id": id, "queued_command_offline": s.queued && h.Offline,
		}}, nil, nil)
	}
}

// readCommand reads the body. The vendor's schema requires six members, its tools
// send the three that are required here.
func (d *Double) readCommand(c *call, l level) (*session, line, *reply) {
	bad := func(code int, format string, args ...any) (*session, line, *reply) {
		r := c.fail(http.StatusBadRequest, code, format, args...)
		return nil, line{}, &r
	}
	f, err := c.fields()
	if err != nil {
		return bad(40000, "%v", err)
	}
	var base, text, id, device string
	for name, out := range map[string]*string{"base_command": &base, "command_string": &text, "session_id": &id, "device_id": &device} {
		if err := f.read(name, name != "device_id", out); err != nil {
			return bad(40000, "%v", err)
		}
	}
	s := d.session(id, c.client)
	if s == nil {
		r := noSession(c)
		return nil, line{}, &r
	}
	if device != "" && device != s.host {
		return bad(40000, "the session is not of device_id %s", device)
	}
	parsed, err := parseLine(text)
	switch {
	case err != nil:
		return bad(40006, "%v", err)
	case parsed.base != base || !slices.Contains(l.commands, base):
		return bad(40006, "Command is not valid")
	case base == "runscript" && d.o.ScriptsOff:
		return bad(40006, "Command is not valid")
	}
	return s, parsed, nil
}

// order hands a command that changes the device to the world.
func (d *Double) order(c *call, l level, cmd *command, parsed line) *reply {
	a := edrtest.Action{Host: cmd.session.host, By: c.client, Expires: cmd.given.Add(queuedFor)}
	switch parsed.base {
	case "kill":
		pid, err := strconv.ParseInt(strings.Join(parsed.words, " "), 10, 64)
		if err != nil || len(parsed.flags) > 0 {
			r := c.fail(http.StatusBadRequest, 40012, "kill takes the id of one process")
			return &r
		}
		a.Kind, a.PID = edrtest.Kill, pid
	case "runscript":
		if bad := c.checkScript(parsed, l.admin); bad != nil {
			return bad
		}
		a.Kind, a.Script, a.Input = edrtest.RunScript, parsed.flags["CloudFile"], parsed.flags["CommandLine"]
		if raw, ok := parsed.flags["Raw"]; ok {
			a.Script = raw
		} else if d.visible(c.client, a.Script, l.admin) == nil {
			r := c.fail(http.StatusNotFound, 40412, "The file %s could not be found", a.Script)
			return &r
		}
	default:
		if len(parsed.words) > 0 {
			r := c.fail(http.StatusBadRequest, 40012, "Max args is 0. %d were provided", len(parsed.words))
			return &r
		}
		return nil
	}
	cmd.action = d.w.Order(a).ID
	return nil
}

// commandStatus tells how far a command is: one part of its output, by its number.
// complete comes with the last part. A number beyond the last has no output.
func (d *Double) commandStatus(c *call) reply {
	sequence, err := c.number("sequence_id", -1, 0, 1<<30)
	if err != nil || sequence < 0 {
		return c.fail(http.StatusBadRequest, 40000, "sequence_id is required")
	}
	id := c.query.Get("cloud_request_id")
	d.mu.Lock()
	defer d.mu.Unlock()
	cmd := d.commands[id]
	if cmd == nil || cmd.session.client != c.client {
		return c.fail(http.StatusNotFound, 40400, "cloud_request_id not found")
	}
	status := object{
		"session_id": cmd.session.id, "task_id": id, "base_command": cmd.base, "sequence_id": sequence,
		"complete": false, "stdout": "", "stderr": "",
	}
	if r := d.resultOf(cmd); r != nil && sequence < len(r.stdout) {
		status["stdout"] = r.stdout[sequence]
		if sequence == len(r.stdout)-1 {
			status["complete"], status["stderr"] = true, r.stderr
			if len(r.errs) > 0 {
				status["errors"] = r.errs
			}
		}
	}
	a := resources(d, c, http.StatusOK, []object{status}, nil, nil)
	if status["errors"] != nil {
		a.header = unjudged()
	}
	return a
}

// resultOf is what a command left, nil while it left nothing: the host is offline, it
// has not come to it, or the session died before the result was there.
func (d *Double) resultOf(cmd *command) *result {
	if cmd.result != nil {
		return cmd.result
	}
	h, ok := d.w.Host(cmd.session.host)
	if cmd.polls++; cmd.polls <= d.o.Polls || !ok || !d.alive(cmd.session) {
		return nil
	}
	var out edrtest.Result
	var errs []apiError
	if cmd.action == "" {
		if h.Offline {
			return nil
		}
		out.Stdout = d.output(h, cmd.base)
	} else {
		a, _ := d.w.Action(cmd.action)
		switch a.State {
		case edrtest.Done:
			out = a.Result
			if a.Kind == edrtest.Kill {
				out.Stdout = fmt.Sprintf("Process %d has been terminated", a.PID)
			}
		case edrtest.Failed:
			// How it is told of a single host is not documented.
			if out.Stderr = "the script failed"; d.o.NestedErrors {
				out.Stderr, errs = "", []apiError{{Code: 40006, Message: "Command is not valid"}}
			}
		case edrtest.AwaitsApproval, edrtest.Pending, edrtest.Running, edrtest.Cancelled, edrtest.Expired:
			return nil
		}
	}
	cmd.result = &result{stdout: parts(out.Stdout, d.o.Chunk), stderr: out.Stderr, errs: errs}
	return cmd.result
}

// parts cuts a text into parts of at most size bytes, between characters. Of an empty
// text there is one part.
func parts(text string, size int) []string {
	var out []string
	for len(text) > size {
		cut := size
		for cut > 1 && !utf8.RuneStart(text[cut]) {
			cut--
		}
		out, text = append(out, text[:cut]), text[cut:]
	}
	return append(out, text)
}
