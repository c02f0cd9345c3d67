package elastic

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// maxArgs bounds the arguments of a script, joined, in bytes.
	maxArgs = 2000
	// maxOutput bounds each of a script's outputs, in bytes.
	maxOutput = 256 << 10
	// runsFor is how long a device lets a script run, in seconds.
	runsFor = 600
)

// Run implements [integrations.Runner]. The scripts are files in a folder on the devices:
// Elastic's own library is for other agents. A device runs one script of ours at a time.
func (d *Defend) Run(ctx context.Context, o integrations.ScriptOrder) (incident.Receipt, error) {
	op := "run a script on " + o.Target.Name()
	id, args, err := scriptOrder(op, o)
	if err != nil {
		return incident.Receipt{}, err
	}
	text, err := comment(op, scriptComment, o.Key, o.Script)
	if err != nil {
		return incident.Receipt{}, err
	}
	done, err := d.writing.Take(ctx, op, id)
	if err != nil {
		return incident.Receipt{}, err
	}
	defer done()
	var actions []action
	err = httpx.All(
		func() error { _, err := d.device(ctx, op, id); return err },
		func() (err error) { actions, err = d.actions(ctx, op, id, cmdExecute); return err },
	)
	if err != nil {
		return incident.Receipt{}, err
	}
	var open []action
	for _, a := range actions {
		switch {
		case a.keyOf(scriptComment) == o.Key:
			return incident.Receipt{Ref: a.ID, At: a.Started.Time, Detail: "ordered before"}, nil
		case !a.ended():
			open = append(open, a)
		}
	}
	if len(open) > 0 {
		return incident.Receipt{}, busy(op, open)
	}
	return d.order(ctx, op, id, cmdExecute, bodyOf(id, text, execution{d.command(o.Script, args), runsFor}))
}

// execution are the parameters of a command for a device's shell.
type execution struct {
	Command string `json:"command"`
	Timeout int    `json:"timeout"`
}

// command is the line for the device's shell. Nothing in it means anything to cmd.exe: the
// folder, the name and the arguments consist of letters, digits and ._:/\- alone.
func (d *Defend) command(script, args string) string {
	line := `powershell.exe -NoProfile -NonInteractive -File ` + d.config.Scripts + `\` + script
	if args != "" {
		line += " " + args
	}
	return line
}

// scriptOrder checks an order, and returns its device and its arguments as one text: what
// is in them cannot begin another argument.
func scriptOrder(op string, o integrations.ScriptOrder) (agentID, string, error) {
	id, err := targeted(op, o.Target)
	if err != nil {
		return "", "", err
	}
	if !allowed(o.Script, "._-") || strings.HasPrefix(o.Script, ".") || strings.HasPrefix(o.Script, "-") || len(o.Script) > 128 {
		return "", "", integrations.Errorf(integrations.Invalid, op, "invalid name of a script %s", httpx.Quote(o.Script))
	}
	for _, arg := range o.Args {
		if !allowed(arg, `._:/\-`) {
			return "", "", integrations.Errorf(integrations.Invalid, op, "invalid argument %s: letters, digits and ._:/\\- are allowed", httpx.Quote(arg))
		}
	}
	args := strings.Join(o.Args, " ")
	if len(args) > maxArgs {
		return "", "", integrations.Errorf(integrations.Invalid, op, "the arguments are longer than %d bytes", maxArgs)
	}
	return id, args, nil
}

// Ran implements [integrations.Runner].
func (d *Defend) Ran(ctx context.Context, o integrations.ScriptOrder) (integrations.ScriptResult, error) {
	op := "read the script on " + o.Target.Name()
	id, _, err := scriptOrder(op, o)
	if err != nil {
		return integrations.ScriptResult{}, err
	}
	if _, err := comment(op, scriptComment, o.Key, ""); err != nil {
		return integrations.ScriptResult{}, err
	}
	actions, err := d.actions(ctx, op, id, cmdExecute)
	if err != nil {
		return integrations.ScriptResult{}, err
	}
	for _, a := range actions {
		if a.keyOf(scriptComment) != o.Key {
			continue
		}
		if a, err = d.action(ctx, op, id, a.ID); err != nil {
			return integrations.ScriptResult{}, err
		}
		return d.whole(ctx, op, id, a)
	}
	return integrations.ScriptResult{}, integrations.Errorf(integrations.NotFound, op, "no script was ordered with the key %s", httpx.Quote(o.Key))
}

// shellOutput is what a command left on a device. The exit code of the shell is a number in
// the description of the API.
type shellOutput struct {
	Code      string          `json:"code"`
	Shell     json.RawMessage `json:"shell_code"`
	Stdout    string          `json:"stdout"`
	Stderr    string          `json:"stderr"`
	CutStdout bool            `json:"stdout_truncated"`
	CutStderr bool            `json:"stderr_truncated"`
}

// left is what the action left on the device, read into out.
func (a action) left(id agentID, out any) bool {
	for agent, o := range a.Outputs {
		if strings.EqualFold(agent, string(id)) {
			return json.Unmarshal(o.Content, out) == nil
		}
	}
	return false
}

// whole is how far a script is, with its output. What is too long for Elastic's answer is
// fetched from the archive that Elastic keeps of it. That the archive cannot be read is no
// error, and is said: its form is not documented.
func (d *Defend) whole(ctx context.Context, op string, id agentID, a action) (integrations.ScriptResult, error) {
	var out shellOutput
	if !a.left(id, &out) || !out.CutStdout && !out.CutStderr {
		return a.result(out), nil
	}
	stdout, stderr, err := d.archived(ctx, op, id, a)
	if err != nil {
		if integrations.KindOf(err).Retryable() {
			return integrations.ScriptResult{}, err
		}
		r := a.result(out)
		r.Detail += "; Elastic has cut the output, and all of it cannot be had: " + err.Error()
		return r, nil
	}
	out.Stdout, out.Stderr = stdout, stderr
	return a.result(out), nil
}

// result is how far a script is, given what it left.
func (a action) result(out shellOutput) integrations.ScriptResult {
	r := integrations.ScriptResult{Detail: a.String()}
	switch {
	case !a.ended():
		r.State = integrations.ScriptQueued
		r.Detail += "; where the device is offline, Elastic keeps it for " + actionsKept
		return r
	case a.Expired && !a.answered():
		r.State = integrations.ScriptFailed
		return r
	}
	if code, err := strconv.Atoi(strings.Trim(string(out.Shell), `"`)); err == nil {
		r.Exit = &code
	}
	r.State = integrations.ScriptDone
	// A script that exits with another code than 0 may count as a failure there.
	if !a.Success && r.Exit == nil {
		r.State = integrations.ScriptFailed
		if len(a.Errors) > 0 {
			r.Detail += ": " + httpx.Quote(strings.Join(a.Errors, "; "))
		}
	}
	var cut [2]bool
	r.Stdout, cut[0] = bounded(out.Stdout)
	r.Stderr, cut[1] = bounded(out.Stderr)
	if cut[0] || cut[1] {
		r.Detail += "; the output is longer than 256 KiB and was cut"
	}
	return r
}

// bounded is the end of an output where it is too long: there is what a script says last.
func bounded(text string) (string, bool) {
	if len(text) <= maxOutput {
		return text, false
	}
	return strings.ToValidUTF8(text[len(text)-maxOutput:], ""), true
}
