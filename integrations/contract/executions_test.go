package contract

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// executed is a device's executions, and a client with a mistake.
type executed struct {
	device incident.Target
	all    []incident.Execution
	spoil  func([]incident.Execution, integrations.ExecutionQuery) []incident.Execution
}

func (e executed) Executions(ctx context.Context, q integrations.ExecutionQuery) ([]incident.Execution, error) {
	switch {
	case ctx.Err() != nil:
		return nil, integrations.Errorf(integrations.Unavailable, "read executions", "%w", ctx.Err())
	case q.Target.IsZero():
		return nil, integrations.Errorf(integrations.Invalid, "read executions", "no target")
	case q.Target.ID() != e.device.ID():
		return nil, integrations.Errorf(integrations.NotFound, "read executions", "no such device")
	}
	found := slices.DeleteFunc(slices.Clone(e.all), func(x incident.Execution) bool {
		pid, _ := x.Process.PID.Get()
		return x.At.Before(q.From) || !x.At.Before(q.To) || len(q.PIDs) > 0 && !slices.Contains(q.PIDs, pid)
	})
	slices.SortFunc(found, func(a, b incident.Execution) int { return b.At.Compare(a.At) })
	if e.spoil != nil {
		found = e.spoil(found, q)
	}
	return found[:min(len(found), q.Limit)], nil
}

func TestExecutionsBite(t *testing.T) {
	first := "executions come newest first, with command line and parents"
	for name, c := range map[string]struct {
		spoil func([]incident.Execution, integrations.ExecutionQuery) []incident.Execution
		bites []string
	}{
		"right": {},
		"the oldest first": {
			func(x []incident.Execution, _ integrations.ExecutionQuery) []incident.Execution {
				slices.Reverse(x)
				return x
			},
			[]string{first, "a script comes with its path and text", "executions are bounded, the newest are kept"},
		},
		"cuts texts at a line": {
			func(x []incident.Execution, _ integrations.ExecutionQuery) []incident.Execution {
				for i := range x {
					if text, ok := x[i].Process.ScriptText.Get(); ok {
						x[i].Process.ScriptText = incident.Known(text[:20], incident.FromEDR)
					}
				}
				return x
			},
			[]string{"a script comes with its path and text"},
		},
		"the end of a process for its start": {
			func(x []incident.Execution, _ integrations.ExecutionQuery) []incident.Execution {
				for i := range x {
					x[i].Process.Started = incident.NotKnown[time.Time]("not told")
				}
				return x
			},
			[]string{first},
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := ExecutionsHarness{
				Knobs: Knobs{Unbreakable: "a list"},
				Open: func(_ testing.TB, device incident.Target, all []incident.Execution) integrations.Executions {
					return executed{device, all, c.spoil}
				},
			}
			bites(t, verdicts(t, h, executionsChecks()), c.bites...)
		})
	}
}
