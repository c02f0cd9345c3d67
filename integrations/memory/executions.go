package memory

import (
	"context"
	"fmt"
	"slices"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// AddExecutions adds executions on a host to the estate's EDR, in addition to those
// of its processes.
func (e *Estate) AddExecutions(hostID string, executions ...incident.Execution) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	h, ok := e.hosts[hostID]
	if !ok {
		return fmt.Errorf("add executions: no host %q", hostID)
	}
	h.executed = append(h.executed, executions...)
	return nil
}

// Executions implements [integrations.Executions]. Of a process whose start the
// estate knows it reports the start, and the script that it ran, by the endpoint's
// clock.
func (e *Estate) Executions(ctx context.Context, q integrations.ExecutionQuery) ([]incident.Execution, error) {
	w := eventWindow{q.Target, q.From, q.To, q.Limit}
	return events(ctx, e, "executions", w, func(h *host) []incident.Execution { return e.executions(h, q) })
}

func (e *Estate) executions(h *host, q integrations.ExecutionQuery) []incident.Execution {
	if withheld(h.given.Process) {
		return nil
	}
	found := slices.Clone(h.executed)
	for _, p := range h.Processes {
		if p.Started != 0 {
			for _, of := range p.executed() {
				found = append(found, incident.Execution{
					At:      e.start.Add(p.Started + h.ClockSkew),
					Process: override(of, h.given.Process),
				})
			}
		}
	}
	found = slices.DeleteFunc(found, func(x incident.Execution) bool {
		pid, _ := x.Process.PID.Get()
		return x.At.Before(q.From) || !x.At.Before(q.To) || len(q.PIDs) > 0 && !slices.Contains(q.PIDs, pid)
	})
	for i, x := range found {
		if !stated(x.Process.Started) {
			found[i].Process.Started = incident.Known(x.At, incident.FromEDR)
		}
	}
	slices.SortStableFunc(found, func(a, b incident.Execution) int { return b.At.Compare(a.At) })
	return found[:min(len(found), q.Limit)]
}

// executed is the process as its start is reported, and where it runs a script
// whose text is known, as that is.
func (p Process) executed() []incident.Process {
	started := p.fact()
	if p.Parents != "" {
		started.Parents = incident.Known(p.Parents, incident.FromEDR)
	}
	if p.ScriptText == "" {
		return []incident.Process{started}
	}
	script := started
	script.ScriptText = incident.Known(p.ScriptText, incident.FromEDR)
	return []incident.Process{script, started}
}
