package defendfake

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// order is a response action: one for all the hosts it was sent to.
type order struct {
	id, command, comment, by string
	agents                   []string
	actions                  map[string]string // of the world, by agent
	parameters               map[string]any
	alerts                   []string
	created                  time.Time
}

// ordering is the operation that orders a command.
func ordering(command string) func(d *Double, c *call) (any, *refusal) {
	return func(d *Double, c *call) (any, *refusal) { return d.order(command, c) }
}

func (d *Double) order(command string, c *call) (any, *refusal) {
	o, refused := read(command, c.body)
	if refused != nil {
		return nil, refused
	}
	o.by, o.created = c.by.User, d.w.Now()
	action := edrtest.Action{By: c.by.User, Comment: o.comment, Expires: o.created.Add(expiry)}
	if refused := d.translate(o, &action); refused != nil {
		return nil, refused
	}
	// Agents that are not there are left out, and the action goes to the others.
	var unknown []string
	o.agents = slices.DeleteFunc(o.agents, func(id string) bool {
		_, there := d.w.Host(id)
		if !there {
			unknown = append(unknown, id)
		}
		return !there
	})
	if len(o.agents) == 0 {
		return nil, kibanaError(http.StatusBadRequest, "The host does not have Elastic Defend integration installed")
	}
	if len(unknown) > 0 {
		list, err := json.Marshal(unknown)
		if err != nil {
			return nil, kibanaError(http.StatusInternalServerError, "%v", err)
		}
		warning := fmt.Sprintf("(WARNING: The following agent ids are not valid: %s and will not be included in action request)", list)
		o.comment = strings.TrimPrefix(o.comment+". "+warning, ". ")
	}
	for _, agent := range o.agents {
		action.Host = agent
		o.actions[agent] = d.w.Order(d.killed(agent, o, action)).ID
		d.count(agent, command)
	}
	o.id = o.actions[o.agents[0]]
	d.mu.Lock()
	d.orders = append(d.orders, o)
	d.mu.Unlock()
	details := map[string]any{"data": d.details(o, true)}
	if command == "isolate" || command == "unisolate" {
		details["action"] = o.id
	}
	return details, nil
}

// count makes an endpoint unhealthy that is isolated again and again.
func (d *Double) count(agent, command string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch command {
	case "unisolate":
		d.streaks[agent] = 0
	case "isolate":
		d.streaks[agent]++
		if d.streaks[agent] >= d.o.RepeatedIsolates {
			d.status[agent] = "unhealthy"
			d.w.Change(agent, func(h *edrtest.Host) { h.Offline = true })
		}
	}
}

// translate turns an order into the world's words.
func (d *Double) translate(o *order, a *edrtest.Action) *refusal {
	switch o.command {
	case "isolate":
		a.Kind = edrtest.Isolate
	case "unisolate":
		a.Kind = edrtest.Release
	case "execute":
		a.Kind, a.Script = edrtest.RunScript, text(o.parameters["command"])
		if o.parameters["timeout"] == nil {
			o.parameters["timeout"] = json.Number("14400") // four hours
		}
	case "runscript":
		id := text(o.parameters["scriptId"])
		at := slices.IndexFunc(d.o.Scripts, func(s Script) bool { return s.ID == id })
		if at < 0 {
			// Not documented: how a script that is not there is answered.
			return kibanaError(http.StatusNotFound, "Script with id [%s] not found", id)
		}
		a.Kind, a.Script, a.Input = edrtest.RunScript, d.o.Scripts[at].Name, text(o.parameters["scriptInput"])
	case "kill-process":
		a.Kind = edrtest.Kill
	default:
		a.Kind = edrtest.Kind(o.command)
	}
	return nil
}

// killed finds the process on a host; one that is not there is number 0.
func (d *Double) killed(agent string, o *order, a edrtest.Action) edrtest.Action {
	if a.Kind != edrtest.Kill {
		return a
	}
	if n, ok := o.parameters["pid"].(json.Number); ok {
		a.PID, _ = n.Int64() // It was checked.
		return a
	}
	h, _ := d.w.Host(agent)
	for _, p := range h.Processes {
		if entityID(h.ID, p) == o.parameters["entity_id"] {
			a.PID = p.PID
		}
	}
	return a
}

func text(v any) string {
	s, _ := v.(string)
	return s
}

// read checks an order's body.
func read(command string, in map[string]any) (*order, *refusal) {
	o := &order{command: command, actions: map[string]string{}}
	known := []string{"endpoint_ids", "agent_type", "comment", "alert_ids", "case_ids", "parameters"}
	for key := range in {
		if !slices.Contains(known, key) {
			return nil, kibanaError(http.StatusBadRequest, "[request body.%s]: definition for this key is missing", key)
		}
	}
	for key, into := range map[string]*[]string{"endpoint_ids": &o.agents, "alert_ids": &o.alerts, "case_ids": new([]string)} {
		if in[key] == nil && key != "endpoint_ids" {
			continue
		}
		list, refused := ids(key, in[key])
		if refused != nil {
			return nil, refused
		}
		*into = list
	}
	if v, ok := in["comment"]; ok {
		if o.comment, ok = v.(string); !ok {
			return nil, expected("comment", "string", v)
		}
	}
	switch kind := in["agent_type"]; kind {
	case nil, "endpoint":
	case "sentinel_one", "crowdstrike", "microsoft_defender_endpoint":
		return nil, kibanaError(http.StatusBadRequest, "No stack connector instance configured for [.%s]", kind)
	default:
		return nil, kibanaError(http.StatusBadRequest, "[request body.agent_type]: types that failed validation:\n- [request body.agent_type.0]: expected value to equal [endpoint]")
	}
	parameters, isObject := in["parameters"].(map[string]any)
	if in["parameters"] != nil && !isObject {
		return nil, expected("parameters", "object", in["parameters"])
	}
	o.parameters = parameters
	return o, checkParameters(command, parameters)
}

// ids is a list of texts that are not empty, without repetitions.
func ids(key string, v any) ([]string, *refusal) {
	list, ok := v.([]any)
	if !ok {
		return nil, expected(key, "array", v)
	}
	if len(list) == 0 {
		return nil, kibanaError(http.StatusBadRequest, "[request body.%s]: array size is [0], but cannot be smaller than [1]", key)
	}
	var out []string
	for i, e := range list {
		id, ok := e.(string)
		if !ok {
			return nil, expected(fmt.Sprintf("%s.%d", key, i), "string", e)
		}
		if id == "" {
			return nil, kibanaError(http.StatusBadRequest, "[request body.%s.%d]: value has length [0] but it must have a minimum length of [1].", key, i)
		}
		if strings.TrimSpace(id) == "" {
			return nil, kibanaError(http.StatusBadRequest, "[request body.%s]: %s cannot contain empty strings", key, key)
		}
		if !slices.Contains(out, id) {
			out = append(out, id)
		}
	}
	return out, nil
}

// checkParameters checks those of a command.
func checkParameters(command string, in map[string]any) *refusal {
	needed, allowed := []string{}, []string{}
	switch command {
	case "execute":
		needed, allowed = []string{"command"}, []string{"timeout"}
	case "runscript":
		needed, allowed = []string{"scriptId"}, []string{"scriptInput"}
	case "kill-process":
		allowed = []string{"pid", "entity_id"}
		if len(in) != 1 {
			return kibanaError(http.StatusBadRequest, "[request body.parameters]: types that failed validation:\n- [request body.parameters.0.pid]: expected at least one defined value but got [undefined]")
		}
	}
	for _, key := range needed {
		if text(in[key]) == "" {
			return expected("parameters."+key, "string", in[key])
		}
	}
	for key, v := range in {
		if !slices.Contains(needed, key) && !slices.Contains(allowed, key) {
			return kibanaError(http.StatusBadRequest, "[request body.parameters.%s]: definition for this key is missing", key)
		}
		switch key {
		case "pid", "timeout":
			n, ok := v.(json.Number)
			if i, err := n.Int64(); !ok || err != nil || i < 1 {
				return expected("parameters."+key, "number", v)
			}
		default:
			if text(v) == "" {
				return expected("parameters."+key, "string", v)
			}
		}
	}
	return nil
}
