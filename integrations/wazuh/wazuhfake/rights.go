package wazuhfake

import (
	"net/http"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// actions are those that the operations here take.
func actions() []string {
	return []string{"manager:read", "agent:read", "agent:modify_group", "group:modify_assignments", "syscollector:read", "active-response:command"}
}

// may reports whether the user may do something with an agent.
func (o Options) may(action, id string, groups []string) bool {
	return o.Rights == nil || slices.ContainsFunc(o.Rights[action], func(resource string) bool {
		kind, which, _ := strings.Cut(strings.TrimPrefix(resource, "agent:"), ":")
		switch {
		case resource == "*:*:*":
			return true
		case kind == "id":
			return which == "*" || which == id
		case kind == "group":
			return which == "*" || slices.Contains(groups, which)
		}
		return false
	})
}

// permit fails where the user may do something with no agent at all.
func (o Options) permit(action string) *failure {
	if o.Rights == nil || len(o.Rights[action]) > 0 {
		return nil
	}
	return denied("agent:id")
}

func denied(resource string) *failure {
	return &failure{http.StatusForbidden, 4000, "Permission Denied", "Permission denied: Resource type: " + resource}
}

const deniedAgent = "Permission denied: Resource type: agent:id"

// deny reports whether the user may do something with a device, and adds it to the
// failures where not.
func (out *outcome) deny(o Options, action string, h edrtest.Host) bool {
	if o.may(action, h.ID, h.Groups) {
		return false
	}
	out.fail(h.ID, 4000, deniedAgent)
	return true
}

// policies are the user's rights, by action and resource.
func (d *Double) policies(o Options, _ *http.Request) (any, *failure) {
	data := map[string]any{"rbac_mode": "white"}
	for _, action := range actions() {
		resources := o.Rights[action]
		if o.Rights == nil {
			resources = []string{"*:*:*"}
		}
		effects := map[string]string{}
		for _, r := range resources {
			effects[r] = "allow"
		}
		if len(effects) > 0 {
			data[action] = effects
		}
	}
	return map[string]any{"data": data, "message": "Current user processed policies information was returned", "error": 0}, nil
}

func (d *Double) me(o Options, _ *http.Request) (any, *failure) {
	out := outcome{all: "Current user information was returned", done: []any{map[string]any{
		"id": 100, "username": o.User, "allow_run_as": false, "roles": []any{},
	}}}
	return out.document(1), nil
}
