package wazuhfake

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/edrtest"
)

// alert is a document of the index.
type alert struct {
	id, index string
	at        time.Time
	source    document
}

// rule is what made an alert of an event.
type rule struct {
	id, description string
	level           int
	groups          []string
}

// alerts are those that can be found by now, oldest first.
func (d *Double) alerts(o Options) []alert {
	var all []alert
	for _, h := range d.world.Hosts() {
		all = append(all, o.windowsEvents(h)...)
	}
	for _, a := range d.world.Actions("") {
		if h, found := d.world.Host(a.Host); found {
			all = append(all, o.responseLines(h, a)...)
		}
	}
	now := d.world.Now()
	all = slices.DeleteFunc(all, func(a alert) bool { return a.at.Add(o.Lag).After(now) })
	slices.SortStableFunc(all, func(a, b alert) int { return a.at.Compare(b.at) })
	return all
}

// alertOf is the alert that a rule makes of an event of an agent.
func alertOf(h edrtest.Host, at time.Time, r rule, decoder, location string, data document) alert {
	at = at.UTC()
	id := fmt.Sprintf("%d.%s", at.Unix(), sumOf(fmt.Sprint(h.ID, at, data))[:8])
	return alert{
		id: sumOf(id)[:20], index: "wazuh-alerts-4.x-" + at.Format("2006.01.02"), at: at,
		source: document{
			// The manager writes the zone without a colon.
			"timestamp": at.Format("2006-01-02T15:04:05.000-0700"), "@timestamp": at.Format("2006-01-02T15:04:05.000Z"), "id": id,
			"rule": document{
				"id": r.id, "level": r.level, "description": r.description, "groups": r.groups, "firedtimes": 1, "mail": false,
			},
			"agent":   document{"id": h.ID, "name": h.Name, "ip": ipAt(h, at)},
			"manager": document{"name": "wazuh-manager"}, "cluster": document{"name": "wazuh", "node": "node01"},
			"decoder": document{"name": decoder}, "input": document{"type": "log"}, "location": location, "data": data,
		},
	}
}

func ipAt(h edrtest.Host, at time.Time) string {
	if ips := h.IPsAt(at); len(ips) > 0 {
		return ips[0]
	}
	return "any"
}

// responseLines are the alerts of the lines that a script wrote into the log of
// active responses: those that hold a JSON object. A script that writes nothing of
// its own has written what it was told, as the vendor's scripts do.
func (o Options) responseLines(h edrtest.Host, a edrtest.Action) []alert {
	if a.Script == "" || a.State != edrtest.Done {
		return nil
	}
	text := a.Result.Stdout
	if text == "" {
		text = a.Input
	}
	program := "active-response/bin/" + a.Script
	var out []alert
	for line := range strings.Lines(text) {
		var data map[string]any
		if json.Unmarshal([]byte(line), &data) != nil || data == nil {
			continue
		}
		r := rule{"657", "Active response: " + program + " - " + fmt.Sprint(data["command"]), 3, []string{"ossec", "active_response"}}
		made := alertOf(h, a.Updated, r, "ar_log_json", `active-response\active-responses.log`, texts(data))
		made.source["full_log"] = a.Updated.UTC().Format("2006/01/02 15:04:05 ") + program + ": " + strings.TrimSpace(line)
		out = append(out, made)
	}
	return out
}

// texts is data as the manager's decoder leaves it: every value is text.
func texts(data map[string]any) document {
	out := document{}
	for name, v := range data {
		switch v := v.(type) {
		case map[string]any:
			out[name] = texts(v)
		case []any:
			values := []string{}
			for _, one := range v {
				values = append(values, fmt.Sprint(one))
			}
			out[name] = values
		case nil:
		default:
			out[name] = fmt.Sprint(v)
		}
	}
	return out
}
