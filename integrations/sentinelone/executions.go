package sentinelone

import (
	"cmp"
	"context"
	"slices"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Executions implements [integrations.Executions]. An event of a start names the process
// that started another, and the one that started that.
func (c *Client) Executions(ctx context.Context, q integrations.ExecutionQuery) ([]incident.Execution, error) {
	op := "find what ran on " + httpx.Line(q.Target.ID())
	id, err := agentOf(op, q.Target)
	if err != nil {
		return nil, err
	}
	if err := bounds(op, q.From, q.To, q.Limit); err != nil {
		return nil, err
	}
	u, err := c.eventsOf(ctx, op, id)
	if err != nil {
		return nil, err
	}
	var started, scripts []row
	err = httpx.Together(ctx,
		func(ctx context.Context) (err error) { started, err = c.events(ctx, startsAsked(op, u, q)); return err },
		func(ctx context.Context) (err error) {
			scripts, err = c.events(ctx, scriptsAsked(op, u, q))
			return err
		},
	)
	if err != nil {
		return nil, err
	}
	var found []incident.Execution
	for _, r := range started {
		found = append(found, incident.Execution{
			At: when(r[eventTime]), Process: r.process(target, string(r[source+".image.path"]), string(r[source+".parent.image.path"])),
		})
	}
	for _, r := range scripts {
		p := withScript(r.process(source, string(r[source+".parent.image.path"])), r)
		found = append(found, incident.Execution{At: when(r[eventTime]), Process: p})
	}
	slices.SortStableFunc(found, func(a, b incident.Execution) int { return cmp.Compare(b.At.UnixNano(), a.At.UnixNano()) })
	return found[:min(len(found), q.Limit)], nil
}

func startsAsked(op string, u uuid, q integrations.ExecutionQuery) question {
	asked := question{
		op: op, agent: u, event: created, from: q.From, to: q.To, limit: q.Limit,
		fields: slices.Concat(processFields(target), []string{source + ".image.path"}, parentFields()),
	}
	if len(q.PIDs) > 0 {
		asked.where = []string{anyOf(target+".pid", numbers(q.PIDs))}
	}
	return asked
}

func scriptsAsked(op string, u uuid, q integrations.ExecutionQuery) question {
	asked := question{
		op: op, agent: u, event: commandScript, from: q.From, to: q.To, limit: q.Limit,
		fields: slices.Concat(scriptFields(), processFields(source), parentFields()),
	}
	if len(q.PIDs) > 0 {
		asked.where = []string{anyOf(source+".pid", numbers(q.PIDs))}
	}
	return asked
}
