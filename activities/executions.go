package activities

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
	"github.com/stanch-soar/stanch/playbooks/traffic"
)

const (
	// maxExecutions bounds what one question about executions brings, and
	// maxSenders for how many processes it is asked.
	maxExecutions = 500
	maxSenders    = 20
	// maxScriptText bounds the text of a script in the facts, in bytes. A case
	// shows what kind of script it is; all of it is at the EDR.
	maxScriptText = 2 << 10
)

// tellExecutions adds to the connections of the sender's image what the EDR knows
// of how their processes were started, and of the scripts that they run. Where it
// cannot be asked, that stays unknown, and says why.
func (a *Activities) tellExecutions(ctx context.Context, in EnrichIn, from, to time.Time, found []incident.Connection) {
	edr, err := use[integrations.Executions](a, in.Use)
	if err != nil {
		return // Not every EDR has it.
	}
	pids := senders(in.Sample.Value, found)
	if len(pids) == 0 {
		return
	}
	ran, err := edr.Executions(ctx, integrations.ExecutionQuery{
		Target: *in.Target, From: from.Add(-furthest), To: to, Limit: maxExecutions, PIDs: pids,
	})
	why := "the EDR reports no script of this process"
	if err != nil {
		why = in.Use + ": " + Reason(mapError(err))
	}
	byPID := map[int64][]incident.Execution{}
	for _, e := range ran {
		if pid, ok := e.Process.PID.Get(); ok {
			byPID[pid] = append(byPID[pid], e)
		}
	}
	for i := range found {
		c := &found[i]
		pid, ok := c.Process.PID.Get()
		if !ok || !slices.Contains(pids, pid) {
			continue
		}
		tell(c, byPID[pid])
		for _, v := range []*incident.Value[string]{&c.Process.Script, &c.Process.ScriptText} {
			if !v.IsKnown() && v.Why() == "" {
				*v = incident.NotKnown[string](why)
			}
		}
	}
}

// senders are the ids of the processes of the image that sends, or that is
// guessed to.
func senders(flows []incident.Flow, found []incident.Connection) []int64 {
	joined := traffic.Join(flows, found)
	sender := joined.Sender()
	path, ok := sender.Path.Get()
	if !ok {
		return nil
	}
	var pids []int64
	for _, c := range found {
		pid, ok := c.Process.PID.Get()
		if ok && sameImage(c.Process, path) && !slices.Contains(pids, pid) && len(pids) < maxSenders {
			pids = append(pids, pid)
		}
	}
	return pids
}

func sameImage(p incident.Process, path string) bool {
	other, ok := p.Path.Get()
	return ok && strings.EqualFold(other, path)
}

// tell fills what is unknown of a connection's process from its start, and the
// script from the last that it ran before the connection. A process id is used
// again: only what was started before the connection, and is of its image, counts.
func tell(c *incident.Connection, ran []incident.Execution) {
	path, ok := c.Process.Path.Get()
	if !ok {
		return
	}
	var last *incident.Execution
	var script *incident.Execution
	for i := range ran {
		e := &ran[i]
		switch {
		case !sameImage(e.Process, path) || e.At.After(c.At.Add(traffic.JoinTolerance)):
		case e.Process.ScriptText.IsKnown():
			script = later(script, e)
		default:
			last = later(last, e)
		}
	}
	if last != nil {
		fill(&c.Process, last.Process)
	}
	if script == nil || last != nil && script.At.Before(last.At) {
		return // The id's former process ran it.
	}
	fill(&c.Process, script.Process)
	text, _ := script.Process.ScriptText.Get()
	c.Process.ScriptText = incident.Known(beginning(text), script.Process.ScriptText.From())
	if script.Process.Script.IsKnown() {
		c.Process.Script = script.Process.Script
	}
}

// beginning is a text, or as much of it as the facts hold.
func beginning(text string) string {
	if len(text) <= maxScriptText {
		return text
	}
	return strings.ToValidUTF8(text[:maxScriptText], "") + "…"
}

func later(a, b *incident.Execution) *incident.Execution {
	if a == nil || b.At.After(a.At) {
		return b
	}
	return a
}

// fill sets the fields of a process that are unknown and that the same process has
// in another record.
func fill(p *incident.Process, from incident.Process) {
	fillText := func(to *incident.Value[string], from incident.Value[string]) {
		if !to.IsKnown() && from.IsKnown() {
			*to = from
		}
	}
	fillText(&p.CommandLine, from.CommandLine)
	fillText(&p.Script, from.Script)
	fillText(&p.User, from.User)
	fillText(&p.Session, from.Session)
	fillText(&p.Signer, from.Signer)
	fillText(&p.SHA256, from.SHA256)
	fillText(&p.Parent, from.Parent)
	fillText(&p.Parents, from.Parents)
	if !p.Signed.IsKnown() && from.Signed.IsKnown() {
		p.Signed = from.Signed
	}
	if !p.Started.IsKnown() && from.Started.IsKnown() {
		p.Started = from.Started
	}
}
