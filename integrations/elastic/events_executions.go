package elastic

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// maxScript bounds the text of one script, in bytes.
	maxScript = 64 << 10
	// around is how much longer the parts of a script are looked for than the script: they
	// are written one after the other.
	around = time.Minute
)

// executions are the starts of processes on a device, and the scripts that PowerShell
// logged there. Named reports whether a computer's name is that of the device: where logs
// are forwarded, the shipper has those of many.
func (e events) executions(ctx context.Context, op string, host query, named func(string) bool, q integrations.ExecutionQuery) ([]incident.Execution, error) {
	if err := within(op, q.From, q.To, q.Limit); err != nil {
		return nil, err
	}
	if len(q.PIDs) > maxPIDs {
		return nil, integrations.Errorf(integrations.Invalid, op, "%d process ids are more than %d", len(q.PIDs), maxPIDs)
	}
	var starts, lately []row
	var scripts []script
	err := httpx.All(
		func() (err error) { starts, err = e.started(ctx, op, host, q); return err },
		func() (err error) { scripts, err = e.blocks(ctx, op, host, q); return err },
		func() error { lately = e.recently(ctx, op, host, q.From, q.To); return nil },
	)
	if err != nil {
		return nil, err
	}
	scripts = slices.DeleteFunc(scripts, func(s script) bool { return !named(s.computer) })
	hosts := slices.Concat(starts, lately)
	slices.SortStableFunc(hosts, func(a, b row) int { return b.at().Compare(a.at()) })
	known := entitiesOf(hosts)
	var older []row
	err = httpx.All(
		func() error { return e.learn(ctx, op, host, starts, known, q.To) },
		func() (err error) { older, err = e.hostsOf(ctx, op, host, scripts, hosts, q.To); return err },
	)
	if err != nil {
		return nil, err
	}
	hosts = append(hosts, older...)
	all := make([]incident.Execution, 0, len(starts)+len(scripts))
	for _, s := range scripts {
		all = append(all, incident.Execution{At: s.at, Process: e.ran(s, hosts, known)})
	}
	for _, r := range starts {
		at := r.at()
		if at.IsZero() {
			return nil, integrations.Errorf(integrations.Unavailable, op, "an event has no time")
		}
		all = append(all, incident.Execution{At: at, Process: e.complete(r, known)})
	}
	slices.SortStableFunc(all, func(a, b incident.Execution) int { return b.At.Compare(a.At) })
	return all[:min(len(all), q.Limit)], nil
}

// started are the starts of processes.
func (e events) started(ctx context.Context, op string, host query, q integrations.ExecutionQuery) ([]row, error) {
	queries := []query{host, stamped(q.From, q.To), e.starts}
	if len(q.PIDs) > 0 {
		queries = append(queries, oneOf("process.pid", q.PIDs))
	}
	return e.search(ctx, op, e.processes, false, newest(min(q.Limit, maxRows), e.processFields(), queries...))
}

// hostsOf are the starts of the processes with the pids of scripts whose process is not among
// those that are known, the newest first. Of one that is known each later start is, too.
func (e events) hostsOf(ctx context.Context, op string, host query, scripts []script, known []row, to time.Time) ([]row, error) {
	var pids []int64
	for _, s := range scripts {
		if s.pid > 0 && !slices.Contains(pids, s.pid) && len(pids) < maxPIDs && !slices.ContainsFunc(known, s.by) {
			pids = append(pids, s.pid)
		}
	}
	if len(pids) == 0 {
		return nil, nil
	}
	return e.search(ctx, op, e.processes, false,
		newest(maxRows, e.processFields(), host, stamped(to.Add(-startedWithin), to), e.starts, oneOf("process.pid", pids)))
}

// ran is the process that ran a script: the last with its pid that was started before.
func (e events) ran(s script, hosts []row, known entities) incident.Process {
	p := e.process(row{})
	for _, r := range hosts {
		if s.by(r) {
			p = e.complete(r, known)
			if at := r.at(); !at.IsZero() {
				p.Started = incident.Known(at, incident.FromEDR)
			}
			break
		}
	}
	if s.pid > 0 {
		p.PID = incident.Known(s.pid, incident.FromEDR)
	}
	p.Script = incident.NotKnown[string]("PowerShell's log names no file: the script was typed, or came from elsewhere")
	if s.file != "" {
		p.Script = incident.Known(s.file, incident.FromEDR)
	}
	p.ScriptText = incident.NotKnown[string]("the first part of the script is not in the log")
	if s.text != "" {
		p.ScriptText = incident.Known(s.text, incident.FromEDR)
	}
	return p
}

// script is a script block that PowerShell logged. Its text is whole up to the first part
// that is missing.
type script struct {
	at             time.Time
	pid            int64
	computer, file string
	text           string
}

// by reports whether a start can be that of the process that ran the script: both times are
// by the device's clock, from different logs.
func (s script) by(start row) bool {
	pid, ok := start.number("process.pid")
	return ok && pid == s.pid && !start.at().After(s.at.Add(time.Second))
}

func scriptFields() []string {
	return []string{
		"powershell.file.script_block_id", "powershell.file.script_block_text", "powershell.sequence", "powershell.total",
		"file.path", "winlog.process.pid", "winlog.computer_name", "host.name",
	}
}

// blocks are the script blocks of a device, from the log that PowerShell writes where a
// policy has it write one. There may be no such log at all.
func (e events) blocks(ctx context.Context, op string, host query, q integrations.ExecutionQuery) ([]script, error) {
	if len(e.scripts) == 0 {
		return nil, nil
	}
	queries := []query{host, stamped(q.From.Add(-around), q.To.Add(around)), term("event.code", "4104")}
	if len(q.PIDs) > 0 {
		queries = append(queries, oneOf("winlog.process.pid", q.PIDs))
	}
	rows, err := e.search(ctx, op, e.scripts, true, newest(maxParts, scriptFields(), queries...))
	if err != nil {
		return nil, err
	}
	parts := map[string][]row{}
	var ids []string
	for _, r := range rows {
		id := r.text("powershell.file.script_block_id") + " " + r.text("winlog.process.pid") + " " + r.text("winlog.computer_name")
		if parts[id] == nil {
			ids = append(ids, id)
		}
		parts[id] = append(parts[id], r)
	}
	var all []script
	for _, id := range ids {
		if s := scriptOf(parts[id]); !s.at.Before(q.From) && s.at.Before(q.To) {
			all = append(all, s)
		}
	}
	return all, nil
}

// maxParts bounds the parts of scripts that are read: each has up to 20 kB of text.
const maxParts = 1000

// scriptOf is the script of the parts of one block.
func scriptOf(parts []row) script {
	slices.SortStableFunc(parts, func(a, b row) int {
		n, _ := a.number("powershell.sequence")
		m, _ := b.number("powershell.sequence")
		return int(n - m)
	})
	s := script{at: parts[0].at(), file: parts[0].text("file.path"), computer: parts[0].text("winlog.computer_name")}
	if s.computer == "" {
		s.computer = parts[0].text("host.name")
	}
	s.pid, _ = parts[0].number("winlog.process.pid")
	var text strings.Builder
	next := int64(1)
	for _, r := range parts {
		n, ok := r.number("powershell.sequence")
		if total, _ := r.number("powershell.total"); !ok && total < 2 {
			n = next
		}
		if n == next-1 {
			continue // the same part, shipped twice
		}
		if n != next || text.Len() >= maxScript {
			break
		}
		text.WriteString(r.text("powershell.file.script_block_text"))
		next++
		if at := r.at(); at.Before(s.at) {
			s.at = at
		}
	}
	s.text = text.String()
	if len(s.text) > maxScript {
		s.text = strings.ToValidUTF8(s.text[:maxScript], "")
	}
	return s
}
