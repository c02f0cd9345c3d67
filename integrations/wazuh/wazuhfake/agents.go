package wazuhfake

import (
	"crypto/md5"
	"encoding/hex"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

func agentFields() []string {
	return []string{
		"id", "name", "ip", "registerIP", "status", "status_code", "group", "version", "manager", "node_name", "dateAdd", "lastKeepAlive",
		"os.name", "os.platform", "os.version", "os.major", "os.minor", "os.arch", "configSum", "mergedSum", "group_config_status", "disconnection_time",
	}
}

// version is an agent's.
func (o Options) version(id string) string {
	if v := o.Agents[id]; v != "" {
		return "Wazuh v" + strings.TrimPrefix(v, "v")
	}
	return "Wazuh v" + strings.TrimPrefix(o.Version, "v")
}

// status is the manager's word for an agent: it knows of its connection only.
func (o Options) status(h edrtest.Host) string {
	switch {
	case o.Status[h.ID] != "":
		return o.Status[h.ID]
	case h.Offline:
		return "disconnected"
	}
	return "active"
}

// date is a time as the API writes it, or as some of its examples have it.
func (o Options) date(t time.Time) string {
	if o.Older {
		return t.UTC().Format("2006-01-02 15:04:05+00:00")
	}
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

func sumOf(text string) string {
	sum := md5.Sum([]byte(text))
	return hex.EncodeToString(sum[:])
}

// inGroups are the groups of an agent: it is in the default one where it is in no
// other.
func inGroups(h edrtest.Host) []string {
	if len(h.Groups) == 0 {
		return []string{"default"}
	}
	return h.Groups
}

// seen is when an agent was heard last.
func (d *Double) seen(h edrtest.Host) time.Time {
	if h.LastSeen.IsZero() {
		return d.world.Now()
	}
	return h.LastSeen
}

func (d *Double) agent(o Options, h edrtest.Host) document {
	seen := d.seen(h)
	ip := h.IP()
	if ip == "" {
		ip = "any"
	}
	status := o.status(h)
	agent := document{
		"id": h.ID, "name": h.Name, "ip": ip, "registerIP": "any", "status": status, "status_code": 0, "group": inGroups(h),
		"version": o.version(h.ID), "manager": "wazuh-manager", "node_name": "node01", "dateAdd": o.date(d.world.Now().AddDate(-1, 0, 0)),
		"lastKeepAlive": seen.UTC().Format("2006-01-02T15:04:05Z"), "os": osOf(h), "configSum": sumOf("config"), "mergedSum": sumOf("merged"),
		"group_config_status": "synced",
	}
	switch status {
	case "disconnected":
		agent["disconnection_time"] = seen.UTC().Format("2006-01-02T15:04:05Z")
		agent["status_code"] = 1
	case "never_connected":
		// Such an agent has told nothing of itself.
		for _, name := range []string{"os", "lastKeepAlive", "version", "configSum", "mergedSum"} {
			delete(agent, name)
		}
	}
	return agent
}

func osOf(h edrtest.Host) document {
	name, platform, version := h.OS, "windows", "10.0.20348"
	if !strings.Contains(strings.ToLower(h.OS), "windows") {
		platform, version = "ubuntu", "22.04"
	}
	return document{"name": name, "platform": platform, "version": version, "major": strings.SplitN(version, ".", 2)[0], "arch": "x86_64"}
}

// manager is the agent that stands for the manager itself.
func (d *Double) managerAgent(o Options) document {
	return document{
		"id": ManagerID, "name": "wazuh-manager", "ip": "127.0.0.1", "registerIP": "127.0.0.1", "status": "active", "status_code": 0,
		"version": "Wazuh v" + strings.TrimPrefix(o.Version, "v"), "manager": "wazuh-manager", "node_name": "node01",
		"dateAdd": o.date(d.world.Now().AddDate(-2, 0, 0)), "lastKeepAlive": "9999-12-31T23:59:59Z",
		"os": document{"name": "Ubuntu", "platform": "ubuntu", "version": "22.04.2 LTS", "major": "22", "minor": "04", "arch": "x86_64"},
	}
}

// agentID is the form of an id: longer ones have no leading zeros.
func agentID() *regexp.Regexp { return regexp.MustCompile(`^\d{3,}$`) }

// idsOf reads a list of agents. A parameter without a value is a list of one empty
// id, and that is none.
func idsOf(r *http.Request) ([]string, *failure) {
	q := r.URL.Query()
	if !q.Has("agents_list") {
		return nil, nil
	}
	ids := strings.Split(strings.Join(q["agents_list"], ","), ",")
	for _, id := range ids {
		if !agentID().MatchString(id) {
			return nil, badRequest("'" + id + "' is not a 'numbers' - 'agents_list.0'")
		}
	}
	return ids, nil
}

func (d *Double) agents(o Options, r *http.Request) (any, *failure) {
	if f := o.permit("agent:read"); f != nil {
		return nil, f
	}
	ids, f := idsOf(r)
	if f != nil {
		return nil, f
	}
	q := r.URL.Query()
	for _, s := range split(q.Get("status")) {
		if !slices.Contains([]string{"active", "pending", "never_connected", "disconnected"}, s) {
			return nil, badRequest("'" + s + "' is not one of ['active', 'pending', 'never_connected', 'disconnected'] - 'status.0'")
		}
	}
	older, f := olderThan(q.Get("older_than"))
	if f != nil {
		return nil, f
	}
	out := outcome{all: "All selected agents information was returned", some: "Some agents information was not returned", none: "No agent information was returned"}
	var items []document
	if o.may("agent:read", ManagerID, nil) && older == 0 && !q.Has("group") && (ids == nil || slices.Contains(ids, ManagerID)) {
		items = append(items, d.managerAgent(o))
	}
	found := map[string]bool{ManagerID: true}
	for _, h := range d.world.Hosts() {
		found[h.ID] = true
		switch {
		case ids != nil && !slices.Contains(ids, h.ID):
		case !o.may("agent:read", h.ID, inGroups(h)):
			if ids != nil {
				out.fail(h.ID, 4000, deniedAgent)
			}
		case q.Has("group") && !slices.Contains(inGroups(h), q.Get("group")):
		case older > 0 && d.world.Now().Sub(d.seen(h)) <= older:
		default:
			items = append(items, d.agent(o, h))
		}
	}
	for _, id := range ids {
		if !found[id] {
			out.fail(id, 1701, "Agent does not exist")
		}
	}
	filters := []string{"status", "os.platform", "os.version", "os.name", "manager", "version", "node_name", "name", "ip", "registerIP", "group_config_status"}
	page, total, f := list(o, q, items, filters, agentFields())
	if f != nil {
		return nil, f
	}
	out.done = page
	return out.document(total), nil
}

// olderThan reads a span such as 7d, 2h, 5m, 30s or 30.
func olderThan(text string) (time.Duration, *failure) {
	if text == "" {
		return 0, nil
	}
	units := map[byte]time.Duration{'d': 24 * time.Hour, 'h': time.Hour, 'm': time.Minute, 's': time.Second}
	unit, named := units[text[len(text)-1]]
	if named {
		text = text[:len(text)-1]
	} else {
		unit = time.Second
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		return 0, badRequest("'" + text + "' is not a 'timeframe' - 'older_than'")
	}
	return time.Duration(n) * unit, nil
}
