package sentinelone

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/httpx"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Run implements [integrations.Runner]. The console lists the tasks of scripts by their ids
// only, which this process remembers; what waits for approval it lists whole. So a process
// that starts anew does not know the scripts that ran before, and orders one of them again,
// and a script whose order was not answered stays ambiguous: it is not ordered again.
func (c *Client) Run(ctx context.Context, o integrations.ScriptOrder) (incident.Receipt, error) {
	op := "run a script on " + httpx.Line(o.Target.ID())
	which, args, err := scriptOrder(op, o)
	if err != nil {
		return incident.Receipt{}, err
	}
	unlock, err := c.scripts.Take(ctx, op, which.agent)
	if err != nil {
		return incident.Receipt{}, err
	}
	defer unlock()
	if t, ok := c.runs.get(which); ok && t.lost() {
		return incident.Receipt{}, unanswered(op)
	}
	return c.order(ctx, op, which, o.Script, args)
}

// unanswered is the error of an order whose answer was lost.
func unanswered(op string) error {
	return integrations.Errorf(integrations.Ambiguous, op, "the script was ordered, and the answer was lost: SentinelOne does not tell what became of it")
}

// order orders a script, unless it was ordered before. The device must be locked.
func (c *Client) order(ctx context.Context, op string, which run, script, args string) (incident.Receipt, error) {
	if t, ok := c.runs.get(which); ok && !t.lost() {
		return incident.Receipt{Ref: t.ref(), At: c.now().UTC(), Detail: "accepted before"}, nil
	}
	var a agent
	var id string
	var waits []waiting
	err := httpx.Together(ctx,
		func(ctx context.Context) (err error) { a, err = c.agent(ctx, op, which.agent); return err },
		func(ctx context.Context) (err error) { id, err = c.script(ctx, op, script); return err },
		func(ctx context.Context) (err error) { waits, err = c.pending(ctx, op); return err },
		func(ctx context.Context) error { return c.idle(ctx, op, which.agent) },
	)
	if err != nil {
		return incident.Receipt{}, err
	}
	if a.gone() {
		return incident.Receipt{}, integrations.Errorf(integrations.Invalid, op, "the console manages the device no more: it is decommissioned or uninstalled")
	}
	for _, w := range waits {
		switch {
		case w.Data.Description == which.description():
			c.runs.set(which, task{pending: w.ID})
			return incident.Receipt{Ref: w.ID, At: c.now().UTC(), Detail: "accepted before"}, nil
		case w.State == "waiting" && strings.HasPrefix(w.Data.Description, ours) && strings.HasSuffix(w.Data.Description, onDevice+which.agent.digits):
			return incident.Receipt{}, integrations.Errorf(integrations.Conflict, op, "another script waits for approval for the device")
		}
	}
	t, err := c.execute(ctx, op, executionOf(which, id, args))
	if integrations.KindOf(err) == integrations.Ambiguous {
		c.runs.set(which, t)
	}
	if err != nil {
		return incident.Receipt{}, err
	}
	c.runs.set(which, t)
	r := incident.Receipt{Ref: t.ref(), At: c.now().UTC(), Detail: "accepted"}
	if t.pending != "" {
		r.Detail = "accepted; somebody must approve it at SentinelOne"
	}
	return r, nil
}

// idle is a conflict while a script runs on a device that this process has ordered.
func (c *Client) idle(ctx context.Context, op string, id agentID) error {
	for which, t := range c.runs.open(id) {
		r, err := c.state(ctx, op, which, t)
		if err != nil {
			return err
		}
		if r.State != integrations.ScriptDone && r.State != integrations.ScriptFailed {
			return integrations.Errorf(integrations.Conflict, op, "another script is %s on the device", r.State)
		}
	}
	return nil
}

// Ran implements [integrations.Runner]. SentinelOne tells no exit code: a script says on its
// last line how it went.
func (c *Client) Ran(ctx context.Context, o integrations.ScriptOrder) (integrations.ScriptResult, error) {
	op := "read a script's result on " + httpx.Line(o.Target.ID())
	which, _, err := scriptOrder(op, o)
	if err != nil {
		return integrations.ScriptResult{}, err
	}
	return c.result(ctx, op, which)
}

// result is how far a script is, with what it left once it has ended.
func (c *Client) result(ctx context.Context, op string, which run) (integrations.ScriptResult, error) {
	t, known := c.runs.get(which)
	if known && t.lost() {
		return integrations.ScriptResult{}, unanswered(op)
	}
	if !known {
		waits, err := c.pending(ctx, op)
		if err != nil {
			return integrations.ScriptResult{}, err
		}
		at := slices.IndexFunc(waits, func(w waiting) bool { return w.Data.Description == which.description() })
		if at < 0 {
			return integrations.ScriptResult{}, integrations.Errorf(integrations.NotFound, op, "no script is known that was ordered with the key")
		}
		t = task{pending: waits[at].ID}
		c.runs.set(which, t)
	}
	s, err := c.state(ctx, op, which, t)
	if err != nil || s.id == "" {
		return s.ScriptResult, err
	}
	return c.output(ctx, op, s)
}

// progress is how far a script is; id is that of the device's task, where it has ended.
type progress struct {
	integrations.ScriptResult
	id string
}

// state reads how far a script is, without what it left.
func (c *Client) state(ctx context.Context, op string, which run, t task) (progress, error) {
	if t.parent == "" {
		approved, p, err := c.approval(ctx, op, t)
		if err != nil || approved == "" {
			t.ended = err == nil && p.State == integrations.ScriptFailed
			c.runs.set(which, t)
			return p, err
		}
		t.parent = approved
	}
	type entry struct {
		ID       string `json:"id"`
		Agent    string `json:"agentId"`
		Status   string `json:"status"`
		Detailed string `json:"detailedStatus"`
		Active   *bool  `json:"agentIsActive"`
	}
	tasks, err := list[entry](ctx, c, op, scriptsPath+"/status", url.Values{"parentTaskId": {t.parent}}, 10)
	switch {
	case err != nil:
		return progress{}, err
	case len(tasks) == 0:
		return progress{ScriptResult: integrations.ScriptResult{State: integrations.ScriptQueued, Detail: "SentinelOne shows no task of it yet"}}, nil
	case len(tasks) > 1 || tasks[0].Agent != which.agent.digits:
		return progress{}, integrations.Errorf(integrations.Unavailable, op, "the script has %d tasks, the first of the device %q", len(tasks), httpx.Line(tasks[0].Agent))
	}
	e := tasks[0]
	p := progress{ScriptResult: integrations.ScriptResult{State: stateOf(e.Status, e.Detailed), Detail: e.Status}}
	if e.Detailed != "" {
		p.Detail += ": " + httpx.Line(e.Detailed)
	}
	if p.State == integrations.ScriptQueued && e.Active != nil && !*e.Active {
		p.Detail = "the device is offline; queued at SentinelOne until it is back"
	}
	if t.ended = p.State == integrations.ScriptDone || p.State == integrations.ScriptFailed; t.ended {
		p.id = e.ID
	}
	c.runs.set(which, t)
	return p, nil
}

// stateOf is a task's state. One is completed also where its script has failed: the detailed
// status says so.
func stateOf(status, detailed string) integrations.ScriptState {
	switch status {
	case "created", "scheduled", "pending", "pending_user_action":
		return integrations.ScriptQueued
	case "completed":
		for _, word := range []string{"fail", "error", "timeout", "timed out", "terminated in"} {
			if strings.Contains(strings.ToLower(detailed), word) {
				return integrations.ScriptFailed
			}
		}
		return integrations.ScriptDone
	case "failed", "canceled", "cancelled", "expired", "partially_completed":
		return integrations.ScriptFailed
	}
	return integrations.ScriptRunning
}

// approval returns the task of a script that somebody has approved, or how far its approval
// is.
func (c *Client) approval(ctx context.Context, op string, t task) (parent string, p progress, err error) {
	waits, err := c.pending(ctx, op)
	if err != nil {
		return "", p, err
	}
	at := slices.IndexFunc(waits, func(w waiting) bool { return w.ID == t.pending })
	if at < 0 {
		return "", p, integrations.Errorf(integrations.Unavailable, op, "SentinelOne does not list the execution %s that waited for approval", t.pending)
	}
	switch w := waits[at]; w.State {
	case "waiting":
		p.State, p.Detail = integrations.ScriptAwaitsApproval, "somebody must approve it at SentinelOne"
	case "approved":
		if isID(w.Scheduled) {
			return w.Scheduled, p, nil
		}
		p.State, p.Detail = integrations.ScriptQueued, "approved; SentinelOne shows no task of it yet"
	case "declined", "expired":
		p.State, p.Detail = integrations.ScriptFailed, "it was not run: its approval is "+w.State
	default:
		p.State, p.Detail = integrations.ScriptAwaitsApproval, "SentinelOne says "+httpx.Line(w.State)+" of its approval"
	}
	return "", p, nil
}
