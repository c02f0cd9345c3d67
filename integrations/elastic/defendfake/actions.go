package defendfake

import (
	"net/http"
	"slices"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// expiry is how long an action waits for its host.
const expiry = 14 * 24 * time.Hour

// result is what an agent has answered to an action.
type result struct {
	completed, successful, cancelled, expired bool
	at                                        time.Time
	errors                                    []string
}

func (d *Double) result(o *order, agent string) result {
	a, _ := d.w.Action(o.actions[agent])
	r := result{at: a.Updated}
	switch a.State {
	case edrtest.Done:
		r.completed, r.successful = true, true
		if o.command == "kill-process" && a.PID == 0 {
			r.successful, r.errors = false, []string{"Endpoint action response error: The provided process was not found"}
		}
	case edrtest.Failed:
		r.completed, r.errors = true, []string{"Endpoint action response error: the action failed on the host"}
	case edrtest.Cancelled:
		r.completed, r.cancelled = true, true
	case edrtest.Expired:
		r.expired = true
	case edrtest.Pending, edrtest.Running, edrtest.AwaitsApproval:
	}
	return r
}

// details describes an action as it is now.
func (d *Double) details(o *order, outputs bool) map[string]any {
	completed, successful, cancelled, expired := true, true, false, false
	var at time.Time
	var errors []string
	state, hosts, out := map[string]any{}, map[string]any{}, map[string]any{}
	for _, agent := range o.agents {
		r := d.result(o, agent)
		one := map[string]any{"isCompleted": r.completed, "wasSuccessful": r.successful}
		if r.cancelled { // which only new versions know
			one["wasCanceled"] = true
		}
		if r.completed {
			one["completedAt"] = isoTime(r.at)
			if output := d.output(o, agent); output != nil && outputs {
				out[agent] = map[string]any{"type": "json", "content": output}
			}
		}
		if r.errors != nil {
			one["errors"] = r.errors
			errors = append(errors, r.errors...)
		}
		state[agent] = one
		h, _ := d.w.Host(agent)
		hosts[agent] = map[string]any{"name": h.Name}
		completed, successful = completed && r.completed, successful && r.successful
		cancelled, expired = cancelled || r.cancelled, expired || r.expired
		if r.at.After(at) {
			at = r.at
		}
	}
	expired = expired && !completed
	body := map[string]any{
		"id": o.id, "agents": o.agents, "agentType": "endpoint", "command": o.command, "createdBy": o.by,
		"startedAt": isoTime(o.created), "isExpired": expired, "wasSuccessful": completed && successful,
		"status": d.word(completed, successful, cancelled, expired), "agentState": state, "hosts": hosts, "outputs": out,
	}
	if d.o.Published {
		body["isComplete"] = completed
	} else {
		body["isCompleted"] = completed
	}
	if completed {
		body["completedAt"] = isoTime(at)
	}
	if cancelled {
		body["wasCanceled"] = true
	}
	for key, v := range map[string]any{"comment": o.comment, "errors": errors, "parameters": o.parameters, "alertIds": o.alerts} {
		if !isEmpty(v) {
			body[key] = v
		}
	}
	d.extra(body)
	return body
}

func isEmpty(v any) bool {
	switch v := v.(type) {
	case string:
		return v == ""
	case []string:
		return len(v) == 0
	case map[string]any:
		return v == nil
	}
	return false
}

// extra adds fields that no document names.
func (d *Double) extra(body map[string]any) {
	if d.o.ExtraFields {
		body["meta"] = map[string]any{"revision": 7}
		body["tags"] = nil
	}
}

func (d *Double) word(completed, successful, cancelled, expired bool) string {
	switch {
	case expired:
		return "failed"
	case !completed && d.o.UnknownWords:
		return "queued"
	case !completed:
		return "pending"
	case cancelled:
		return "canceled"
	case successful:
		return "successful"
	default:
		return "failed"
	}
}

func isoTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// find returns an action of the space.
func (d *Double) find(id string) (*order, *refusal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := slices.IndexFunc(d.orders, func(o *order) bool { return o.id == id })
	if at < 0 {
		return nil, kibanaError(http.StatusNotFound, "Action with id '%s' not found.", id)
	}
	return d.orders[at], nil
}

func (d *Double) getAction(c *call) (any, *refusal) {
	if refused := c.onlyQuery(); refused != nil {
		return nil, refused
	}
	o, refused := d.find(c.part(3))
	if refused != nil {
		return nil, refused
	}
	return map[string]any{"data": d.details(o, true)}, nil
}

// commands are the words of the API, also of those that no operation here orders.
func commands() []string {
	return []string{
		"isolate", "unisolate", "kill-process", "suspend-process", "running-processes", "get-file",
		"execute", "upload", "scan", "runscript", "cancel", "memory-dump",
	}
}

// listing is what is asked of the list of actions.
type listing struct {
	agents, commands, users, statuses, outputs, types []string
	from, to                                          time.Time
	page, size                                        int
}

func (d *Double) readListing(c *call) (listing, *refusal) {
	var l listing
	refused := c.onlyQuery("agentIds", "agentTypes", "commands", "page", "pageSize", "startDate", "endDate", "statuses", "userIds", "withOutputs", "types")
	for _, p := range []struct {
		name  string
		into  *[]string
		words []string
	}{
		{"agentIds", &l.agents, nil},
		{"agentTypes", new([]string), []string{"endpoint", "sentinel_one", "crowdstrike", "microsoft_defender_endpoint"}},
		{"commands", &l.commands, commands()},
		{"statuses", &l.statuses, []string{"failed", "pending", "successful", "canceled"}},
		{"userIds", &l.users, nil},
		{"withOutputs", &l.outputs, nil},
		{"types", &l.types, []string{"automated", "manual"}},
	} {
		if refused == nil {
			*p.into, refused = c.texts(p.name, 0, p.words...)
		}
	}
	if refused == nil {
		l.page, refused = c.number("page", 1, 1, 1<<31)
	}
	if refused == nil {
		l.size, refused = c.number("pageSize", 10, 1, d.longestPage())
	}
	for name, into := range map[string]*time.Time{"startDate": &l.from, "endDate": &l.to} {
		if !c.query.Has(name) || refused != nil {
			continue
		}
		t, err := dateOf(c.query.Get(name), d.w.Now())
		if err != nil {
			refused = kibanaError(http.StatusInternalServerError, "An internal server error occurred. Check Kibana server logs for details.")
		}
		*into = t
	}
	l.size = d.page(l.size)
	return l, refused
}

// longestPage is what a page may be: the schema and the product differ.
func (d *Double) longestPage() int {
	if d.o.Published {
		return 100
	}
	return 10_000
}

func (d *Double) listActions(c *call) (any, *refusal) {
	l, refused := d.readListing(c)
	if refused != nil {
		return nil, refused
	}
	d.mu.Lock()
	orders := slices.Clone(d.orders)
	d.mu.Unlock()
	slices.Reverse(orders) // the newest is first
	found := []map[string]any{}
	for _, o := range orders {
		details := d.details(o, slices.Contains(l.outputs, o.id))
		if !slices.Contains(l.outputs, o.id) {
			delete(details, "outputs")
		}
		if l.wants(o, text(details["status"])) {
			found = append(found, details)
		}
	}
	answer := map[string]any{
		"data": pageOf(found, l.page, 1, l.size), "page": l.page, "pageSize": l.size, "total": len(found),
	}
	if l.agents != nil {
		answer["elasticAgentIds"] = l.agents
	}
	for _, name := range []string{"startDate", "endDate"} {
		if c.query.Has(name) {
			answer[name] = c.query.Get(name)
		}
	}
	return answer, nil
}

func (l listing) wants(o *order, status string) bool {
	in := func(list []string, v string) bool { return len(list) == 0 || slices.Contains(list, v) }
	return (len(l.agents) == 0 || slices.ContainsFunc(o.agents, func(a string) bool { return slices.Contains(l.agents, a) })) &&
		in(l.commands, o.command) && in(l.users, o.by) && in(l.statuses, status) && in(l.types, "manual") &&
		(l.from.IsZero() || !o.created.Before(l.from)) && (l.to.IsZero() || !o.created.After(l.to))
}

// actionStatus counts the actions of agents that no agent has answered.
func (d *Double) actionStatus(c *call) (any, *refusal) {
	if refused := c.onlyQuery("agent_ids"); refused != nil {
		return nil, refused
	}
	agents, refused := c.texts("agent_ids", 50)
	if refused != nil {
		return nil, refused
	}
	if len(agents) == 0 {
		return nil, kibanaError(http.StatusBadRequest, "[request query.agent_ids]: expected at least one defined value but got [undefined]")
	}
	slices.Sort(agents)
	agents = slices.Compact(agents)
	d.mu.Lock()
	orders := slices.Clone(d.orders)
	d.mu.Unlock()
	list := []map[string]any{}
	for _, agent := range agents {
		if _, there := d.w.Host(agent); !there {
			return nil, kibanaError(http.StatusNotFound, "Agent %s not found", agent)
		}
		pending := map[string]int{}
		for _, o := range orders {
			if r := d.result(o, agent); slices.Contains(o.agents, agent) && !r.completed && !r.expired {
				pending[o.command]++
			}
		}
		list = append(list, map[string]any{"agent_id": agent, "pending_actions": pending})
	}
	switch {
	case !d.o.Published:
		return map[string]any{"data": list}, nil
	case len(list) == 1:
		return map[string]any{"body": map[string]any{"data": list[0]}}, nil
	default:
		// Not documented: several agents in the form of the schema, which has one.
		return map[string]any{"body": map[string]any{"data": list}}, nil
	}
}
