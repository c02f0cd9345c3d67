package crowdstrike

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Executions implements [integrations.Executions]. A script is an execution of its own,
// beside the start of the process that runs it; a sensor reports a script that is run in
// pieces as several.
func (f *Falcon) Executions(ctx context.Context, q integrations.ExecutionQuery) ([]incident.Execution, error) {
	op := "find executions on " + httpx.Line(q.Target.ID())
	a, err := agentOf(op, q.Target)
	if err != nil {
		return nil, err
	}
	if q.Limit <= 0 || !q.From.Before(q.To) {
		return nil, integrations.Errorf(integrations.Invalid, op, "the query has no time or no limit")
	}
	var where []string
	if len(q.PIDs) > 0 {
		where = append(where, anyOf("RawProcessId", numbers(q.PIDs)))
	}
	var began, before starts
	var scripts []row
	err = httpx.Together(ctx,
		func(ctx context.Context) error { _, err := f.device(ctx, op, a); return err },
		func(ctx context.Context) (err error) {
			began, err = f.started(ctx, op, a, q.From, q.To, q.Limit, where...)
			return err
		},
		func(ctx context.Context) (err error) {
			before, err = f.started(ctx, op, a, q.From.Add(-recent), q.To, maxStarts)
			return err
		},
		func(ctx context.Context) (err error) {
			scripts, err = f.scriptsRun(ctx, op, a, q.From, q.To, mostScripts(q))
			return err
		},
	)
	if err != nil {
		return nil, err
	}
	maps.Copy(before, began)
	ids := append(slices.Collect(maps.Keys(began)), idsOf(scripts)...)
	if err := f.complete(ctx, op, a, q.To, before, once(ids)); err != nil {
		return nil, err
	}
	return executions(q, before, began, scripts), nil
}

// mostScripts is how many scripts are asked for: with pids, whose they are shows only
// once their processes are known.
func mostScripts(q integrations.ExecutionQuery) int {
	if len(q.PIDs) > 0 {
		return maxPages * pageRows
	}
	return q.Limit
}

func executions(q integrations.ExecutionQuery, known, began starts, scripts []row) []incident.Execution {
	var found []incident.Execution
	add := func(at time.Time, p incident.Process) {
		pid, ok := p.PID.Get()
		if len(q.PIDs) == 0 || ok && slices.Contains(q.PIDs, pid) {
			found = append(found, incident.Execution{At: at, Process: p})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(began)) {
		add(when(began[id]["ProcessStartTime"]), known.process(id, ""))
	}
	for _, r := range scripts {
		add(when(r["ContextTimeStamp"]), withScript(known.process(runner(r), text(base(string(r["ImageFileName"])))), r))
	}
	slices.SortStableFunc(found, func(a, b incident.Execution) int { return cmp.Compare(b.At.UnixNano(), a.At.UnixNano()) })
	return found[:min(len(found), q.Limit)]
}

func numbers(of []int64) []string {
	texts := make([]string, 0, len(of))
	for _, n := range of {
		texts = append(texts, strconv.FormatInt(n, 10))
	}
	return once(texts)
}
