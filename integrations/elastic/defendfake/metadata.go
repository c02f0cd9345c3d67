package defendfake

import (
	"cmp"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// health is the state of a host's agent.
func (d *Double) health(h edrtest.Host) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.status[h.ID] != "":
		return d.status[h.ID]
	case h.Offline:
		return "offline"
	case d.o.UnknownWords:
		return "degraded"
	default:
		return "healthy"
	}
}

// desired reports whether isolation was what was ordered last.
func (d *Double) desired(host string) bool {
	wanted := false
	for _, a := range d.w.Actions(host) {
		if a.Kind == edrtest.Isolate || a.Kind == edrtest.Release {
			wanted = a.Kind == edrtest.Isolate
		}
	}
	return wanted
}

// lastSeen is when the agent was heard, which is now for one that is online.
func (d *Double) lastSeen(h edrtest.Host) string {
	if h.LastSeen.IsZero() || !h.Offline {
		return isoTime(d.w.Now())
	}
	return isoTime(h.LastSeen)
}

// describe is a host as Kibana shows it. What holds is state.isolation; not
// documented: what configuration.isolation is. Here it is what was ordered last.
func (d *Double) describe(h edrtest.Host) map[string]any {
	seen := d.lastSeen(h)
	body := map[string]any{
		"host_status": d.health(h), "last_checkin": seen,
		"policy_info": map[string]any{
			"agent":    map[string]any{"applied": map[string]any{"id": "ed7e3720", "revision": 3}, "configured": map[string]any{"id": "ed7e3720", "revision": 3}},
			"endpoint": map[string]any{"id": "d5371dcd", "revision": 2},
		},
		"metadata": map[string]any{
			"@timestamp":  seen,
			"agent":       map[string]any{"id": h.ID, "type": "endpoint", "version": version},
			"elastic":     map[string]any{"agent": map[string]any{"id": h.ID}},
			"data_stream": map[string]any{"dataset": "endpoint.metadata", "namespace": "default", "type": "metrics"},
			"Endpoint": map[string]any{
				"capabilities":  []any{"isolation", "kill_process", "suspend_process", "running_processes", "get_file", "execute"},
				"configuration": map[string]any{"isolation": d.desired(h.ID)},
				"policy":        map[string]any{"applied": map[string]any{"id": "d5371dcd", "name": "servers", "status": "success"}},
				"state":         map[string]any{"isolation": d.w.Isolated(h.ID)},
				"status":        "enrolled",
			},
			"event": map[string]any{"action": "endpoint_metadata", "created": seen, "kind": "metric", "module": "endpoint"},
			"host":  hostBody(h),
		},
	}
	d.extra(body)
	return body
}

func hostBody(h edrtest.Host) map[string]any {
	body := map[string]any{
		"architecture": "x86_64", "hostname": h.Name, "id": hostID(h), "name": h.Name, "ip": hostIPs(h),
		"os": map[string]any{
			"Ext": map[string]any{"variant": h.OS}, "family": "windows", "full": h.OS, "name": "Windows", "platform": "windows", "type": "windows",
		},
	}
	if h.Domain != "" {
		body["domain"] = h.Domain
	}
	return body
}

// hostIPs are all addresses of now: those of the loopback, too.
func hostIPs(h edrtest.Host) []any {
	var ips []any
	for _, a := range h.Addresses {
		if a.To.IsZero() {
			ips = append(ips, a.IP)
		}
	}
	return append(ips, "127.0.0.1", "::1")
}

func (d *Double) getMetadata(c *call) (any, *refusal) {
	if refused := c.onlyQuery(); refused != nil {
		return nil, refused
	}
	h, there := d.w.Host(c.part(3))
	switch {
	case !there:
		return nil, kibanaError(http.StatusNotFound, "Endpoint with id %s not found", c.part(3))
	case d.health(h) == "unenrolled":
		return nil, kibanaError(http.StatusBadRequest, "the requested endpoint is unenrolled")
	}
	return d.describe(h), nil
}

func (d *Double) listMetadata(c *call) (any, *refusal) {
	first := 0
	if d.o.Published {
		first = 1
	}
	refused := c.onlyQuery("page", "pageSize", "kuery", "hostStatuses", "sortField", "sortDirection")
	page, size := first, 10
	if refused == nil {
		page, refused = c.number("page", first, first, 1<<31)
	}
	if refused == nil {
		size, refused = c.number("pageSize", 10, 1, d.longestPage())
	}
	var statuses []string
	if refused == nil {
		statuses, refused = d.hostStatuses(c)
	}
	field, direction := cmp.Or(c.query.Get("sortField"), "enrolled_at"), cmp.Or(c.query.Get("sortDirection"), "desc")
	if refused == nil && !slices.Contains(sortFields(), field) {
		refused = kibanaError(http.StatusBadRequest, "[request query.sortField]: types that failed validation:\n- [request query.sortField.0]: expected value to equal [enrolled_at]")
	}
	if refused != nil {
		return nil, refused
	}
	keep, err := parseKQL(c.query.Get("kuery"))
	if err != nil {
		// Nothing translates the error of the parser.
		return nil, kibanaError(http.StatusInternalServerError, "An internal server error occurred. Check Kibana server logs for details.")
	}
	size = d.page(size)
	found := []map[string]any{}
	for _, h := range d.w.Hosts() {
		body := d.describe(h)
		status := text(body["host_status"])
		if status == "unenrolled" || len(statuses) > 0 && !slices.Contains(statuses, status) || !keep(united(h, body)) {
			continue
		}
		found = append(found, body)
	}
	sortHosts(found, field, direction)
	return map[string]any{
		"data": pageOf(found, page, first, size), "page": page, "pageSize": size, "total": len(found),
		"sortField": field, "sortDirection": direction,
	}, nil
}

// hostStatuses is a list, of which one text alone is none to the product: it
// takes it for JSON.
func (d *Double) hostStatuses(c *call) ([]string, *refusal) {
	list := c.query["hostStatuses"]
	switch {
	case d.o.Published && len(list) == 0:
		return nil, kibanaError(http.StatusBadRequest, "[request query.hostStatuses]: expected value of type [array] but got [undefined]")
	case !d.o.Published && len(list) == 1 && !strings.HasPrefix(list[0], "["):
		return nil, kibanaError(http.StatusBadRequest, "[request query.hostStatuses]: could not parse array value from json input")
	}
	return c.texts("hostStatuses", 20, "healthy", "offline", "updating", "unhealthy", "inactive", "unenrolled")
}

func sortFields() []string {
	return []string{
		"enrolled_at", "metadata.host.hostname", "host_status", "metadata.Endpoint.policy.applied.name",
		"metadata.Endpoint.policy.applied.status", "metadata.host.os.name", "metadata.host.ip", "metadata.agent.version", "last_checkin",
	}
}

func sortHosts(found []map[string]any, field, direction string) {
	if field != "enrolled_at" { // in which order they were added
		key := func(body map[string]any) string {
			for _, v := range flatten("", body)[field] {
				return text(v)
			}
			return ""
		}
		slices.SortStableFunc(found, func(a, b map[string]any) int { return cmp.Compare(key(a), key(b)) })
	}
	if direction == "desc" {
		slices.Reverse(found)
	}
}

// united are the fields of the index that a KQL text searches. A field that the
// index does not have, such as host.hostname, is in no document, and no error.
func united(h edrtest.Host, body map[string]any) map[string][]any {
	metadata, _ := body["metadata"].(map[string]any)
	fields := flatten("united.endpoint", metadata)
	for name, v := range map[string]any{
		"united.agent.agent.id": h.ID, "united.agent.id": h.ID, "united.agent.policy_id": "ed7e3720", "united.agent.active": true,
		"united.agent.local_metadata.host.hostname": h.Name, "united.agent.last_checkin": body["last_checkin"], "agent.id": h.ID,
	} {
		fields[name] = []any{v}
	}
	return fields
}

// flatten gives an object's values by their full names.
func flatten(prefix string, in map[string]any) map[string][]any {
	out := map[string][]any{}
	var walk func(name string, v any)
	walk = func(name string, v any) {
		switch v := v.(type) {
		case map[string]any:
			for key, below := range v {
				walk(strings.TrimPrefix(name+"."+key, "."), below)
			}
		case []any:
			for _, e := range v {
				walk(name, e)
			}
		default:
			out[name] = append(out[name], v)
		}
	}
	walk(prefix, in)
	return out
}

// sameAddress reports whether a text is an address and another is the same, or a
// network that has it.
func sameAddress(have, want string) bool {
	a, err := netip.ParseAddr(have)
	if err != nil {
		return false
	}
	if network, err := netip.ParsePrefix(want); err == nil {
		return network.Contains(a)
	}
	b, err := netip.ParseAddr(want)
	return err == nil && a == b
}
