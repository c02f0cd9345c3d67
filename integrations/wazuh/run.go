package wazuh

import (
	"context"
	"encoding/base64"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	runScript = "run"
	// maxOutput bounds a script's output, in bytes.
	maxOutput = 256 << 10
)

// Run implements [integrations.Runner]. A script of ours on the agent runs those that are in
// its folder of scripts, one at a time, and reports their output in lines of the log.
//
// What another process has ordered is seen when its line has come.
func (c *Client) Run(ctx context.Context, o integrations.ScriptOrder) (incident.Receipt, error) {
	op := "run a script on " + o.Target.Name()
	id, err := scriptOrder(op, o)
	if err != nil {
		return incident.Receipt{}, err
	}
	done, err := c.writing.Take(ctx, op, id)
	if err != nil {
		return incident.Receipt{}, err
	}
	defer done()
	a, lines, err := c.ran(ctx, op, id)
	if err != nil {
		return incident.Receipt{}, err
	}
	for _, l := range lines {
		if l.key == o.Key {
			return incident.Receipt{At: l.at, Detail: "ran before"}, nil
		}
	}
	if before, ok := c.underWay(id, verbRun, lines); ok {
		if before.Key != o.Key {
			return incident.Receipt{}, busy(op, before)
		}
		return incident.Receipt{Ref: before.Number, At: before.at.UTC(), Detail: "sent before"}, nil
	}
	if err := a.reachable(op); err != nil {
		return incident.Receipt{}, err
	}
	sent, err := c.send(ctx, op, id, runCommand, order{Verb: verbRun, Key: o.Key, Script: o.Script, Args: o.Args})
	if err != nil {
		return incident.Receipt{}, err
	}
	return incident.Receipt{Ref: sent.Number, At: c.now().UTC(), Detail: "sent to the agent by Wazuh"}, nil
}

// ran reads an agent and the lines of the scripts that it ran.
func (c *Client) ran(ctx context.Context, op string, id agentID) (agent, []line, error) {
	var a agent
	var lines []line
	err := httpx.All(
		func() error { return c.supported(ctx, op) },
		func() (err error) { a, err = c.agent(ctx, op, id); return err },
		func() (err error) { lines, err = c.reports(ctx, op, id, runScript); return err },
	)
	return a, lines, err
}

// scriptOrder checks an order, and returns its agent: what is in an argument cannot begin
// another, or a command.
func scriptOrder(op string, o integrations.ScriptOrder) (agentID, error) {
	id, err := targeted(op, o.Target)
	if err != nil {
		return "", err
	}
	if !allowed(o.Script, "._-") || strings.HasPrefix(o.Script, ".") || len(o.Script) > 128 {
		return "", integrations.Errorf(integrations.Invalid, op, "invalid name of a script %s", httpx.Quote(o.Script))
	}
	length := 0
	for _, arg := range o.Args {
		if !allowed(arg, `._:/\-`) {
			return "", integrations.Errorf(integrations.Invalid, op, "invalid argument %s: letters, digits and ._:/\\- are allowed", httpx.Quote(arg))
		}
		length += len(arg) + 1
	}
	if length > maxArgs {
		return "", integrations.Errorf(integrations.Invalid, op, "the arguments are longer than %d bytes", maxArgs)
	}
	return id, checkKey(op, o.Key)
}

// allowed reports whether a text is not empty, and of letters, digits and the others alone.
func allowed(s, others string) bool {
	for i := range len(s) {
		c := s[i]
		if !isLower(c|0x20) && !isDigit(c) && strings.IndexByte(others, c) < 0 {
			return false
		}
	}
	return s != ""
}

// Ran implements [integrations.Runner].
func (c *Client) Ran(ctx context.Context, o integrations.ScriptOrder) (integrations.ScriptResult, error) {
	op := "read the script on " + o.Target.Name()
	id, err := scriptOrder(op, o)
	if err != nil {
		return integrations.ScriptResult{}, err
	}
	var lines []line
	err = httpx.All(c.exists(ctx, op, id), func() (err error) {
		lines, err = c.reports(ctx, op, id, runScript, term("data.stanch.key", o.Key))
		return err
	})
	if err != nil {
		return integrations.ScriptResult{}, err
	}
	if len(lines) > 0 {
		return output(lines), nil
	}
	for _, sent := range c.sent.unanswered(id, nil, verbRun) {
		switch {
		case sent.Key != o.Key:
		case sent.open(c.now()):
			return integrations.ScriptResult{State: integrations.ScriptQueued, Detail: "sent to the agent; its script has not reported yet"}, nil
		default:
			return integrations.ScriptResult{State: integrations.ScriptFailed, Detail: "the agent's script did not report in time"}, nil
		}
	}
	return integrations.ScriptResult{}, integrations.Errorf(integrations.NotFound, op, "no script was ordered with the key %s", httpx.Quote(o.Key))
}

// output joins the parts of a script's output, whose lines come in any order.
func output(lines []line) integrations.ScriptResult {
	parts := map[int64]string{}
	total, last := int64(1), lines[0]
	for _, l := range lines {
		data, err := base64.StdEncoding.DecodeString(l.output)
		if err == nil {
			parts[max(l.part, 1)] = string(data)
		}
		total = max(total, l.parts)
		if l.exit != nil {
			last.exit = l.exit
		}
	}
	r := integrations.ScriptResult{State: integrations.ScriptDone, Exit: last.exit, Detail: last.detail}
	if last.result != "done" {
		r.State, r.Detail = integrations.ScriptFailed, strings.TrimSpace(last.result+" "+last.detail)
	}
	var text strings.Builder
	for i := int64(1); i <= min(total, maxLines); i++ {
		part, ok := parts[i]
		if !ok {
			return integrations.ScriptResult{State: integrations.ScriptRunning, Detail: "parts of the output have not come yet"}
		}
		text.WriteString(part)
	}
	r.Stdout = text.String()
	if len(r.Stdout) > maxOutput {
		r.Stdout = r.Stdout[len(r.Stdout)-maxOutput:]
		r.Detail = strings.TrimSpace(r.Detail + " the output was cut")
	}
	r.Stdout = strings.ToValidUTF8(r.Stdout, "")
	return r
}
