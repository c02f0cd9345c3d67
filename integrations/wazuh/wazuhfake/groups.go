package wazuhfake

import (
	"net/http"
	"slices"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// device finds the agent of a path that the user may do something with.
func (d *Double) device(o Options, r *http.Request, action string) (edrtest.Host, *failure, *outcome) {
	id := r.PathValue("agent")
	if !agentID().MatchString(id) {
		return edrtest.Host{}, badRequest("'" + id + "' is not a 'numbers' - 'agent_id'"), nil
	}
	out := &outcome{none: "No information was returned"}
	h, found := d.world.Host(id)
	switch {
	case !found:
		out.fail(id, 1701, "Agent does not exist")
	case !o.may(action, id, inGroups(h)):
		return h, denied("agent:id"), nil
	default:
		return h, nil, nil
	}
	return h, nil, out
}

func (d *Double) groupExists(o Options, name string) bool {
	return name == "default" || slices.Contains(o.Groups, name) ||
		slices.ContainsFunc(d.world.Hosts(), func(h edrtest.Host) bool { return slices.Contains(h.Groups, name) })
}

func (d *Double) assign(o Options, r *http.Request) (any, *failure) {
	return d.regroup(o, r, func(groups []string, name string) ([]string, string) {
		switch {
		case r.URL.Query().Get("force_single_group") == "true":
			groups = []string{name}
		case !slices.Contains(groups, name):
			groups = append(slices.Clone(groups), name)
		}
		return groups, "All selected agents were assigned to " + name
	})
}

func (d *Double) unassign(o Options, r *http.Request) (any, *failure) {
	return d.regroup(o, r, func(groups []string, name string) ([]string, string) {
		groups = slices.DeleteFunc(slices.Clone(groups), func(g string) bool { return g == name })
		return groups, "Agent '" + r.PathValue("agent") + "' removed from '" + name + "'."
	})
}

func (d *Double) regroup(o Options, r *http.Request, change func(groups []string, name string) ([]string, string)) (any, *failure) {
	if f := o.permit("group:modify_assignments"); f != nil {
		return nil, f
	}
	h, f, failed := d.device(o, r, "agent:modify_group")
	if f != nil {
		return nil, f
	}
	if failed != nil {
		return failed.document(0), nil
	}
	name := r.PathValue("group")
	if !d.groupExists(o, name) {
		return nil, &failure{http.StatusNotFound, 1710, "Resource Not Found", "The group does not exist"}
	}
	groups, message := change(inGroups(h), name)
	d.world.Change(h.ID, func(h *edrtest.Host) { h.Groups = groups })
	if r.Method == http.MethodDelete {
		return map[string]any{"message": message, "error": 0}, nil
	}
	out := outcome{all: message, done: []any{h.ID}}
	return out.document(1), nil
}
