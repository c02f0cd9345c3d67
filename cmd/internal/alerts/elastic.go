package alerts

import (
	"cmp"
	"encoding/json"
	"maps"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// splitElastic finds the alert documents in what a Kibana connector posts: one
// document, a list of them, {"alerts": [...]}, the same below "context", the
// summary {"alerts": {"new": {"data": [...]}, "recovered": ...}}, or search
// hits.
func splitElastic(body json.RawMessage) ([]document, *FieldError) {
	if isList(body) {
		return list("", body, "")
	}
	members, bad := object("", body)
	if bad != nil {
		return nil, bad
	}
	path := ""
	if inner, ok := members["context"]; ok && members["alerts"] == nil {
		if path, members, bad = descend("context", inner); bad != nil {
			return nil, bad
		}
	}
	switch {
	case members["alerts"] != nil && isList(members["alerts"]):
		return list(join(path, "alerts"), members["alerts"], "")
	case members["alerts"] != nil:
		return summary(join(path, "alerts"), members["alerts"])
	case path == "" && members["hits"] != nil:
		return hits(members["hits"])
	case path == "":
		return []document{{raw: body}}, nil
	}
	return nil, wrong(path, "holds no alerts")
}

func descend(path string, data json.RawMessage) (string, map[string]json.RawMessage, *FieldError) {
	members, bad := object(path, data)
	return path, members, bad
}

// summary reads Kibana's grouping by what changed since the last run.
func summary(path string, data json.RawMessage) ([]document, *FieldError) {
	groups, bad := object(path, data)
	if bad != nil {
		return nil, bad
	}
	var all []document
	for _, state := range []string{"new", "ongoing", "recovered"} {
		if groups[state] == nil {
			continue
		}
		at := join(path, state)
		_, group, bad := descend(at, groups[state])
		if bad != nil {
			return nil, bad
		}
		documents, bad := list(join(at, "data"), group["data"], state)
		if bad != nil {
			return nil, bad
		}
		all = append(all, documents...)
	}
	return all, nil
}

func hits(data json.RawMessage) ([]document, *FieldError) {
	if isList(data) {
		return list("hits", data, "")
	}
	_, members, bad := descend("hits", data)
	if bad != nil {
		return nil, bad
	}
	return list("hits.hits", members["hits"], "")
}

// readElastic reads an alert document of Elastic Security; its field names may
// be nested, flattened, or both.
func readElastic(r *reader, d document) incident.Alert {
	hit := r.fields
	if source, ok := hit["_source"].(map[string]any); ok {
		r.fields = source
	}
	r.fields = withTerms(r.fields)
	id, _ := r.text("kibana.alert.uuid", "alert.uuid").Get()
	hitID, _ := (&reader{at: r.at, fields: hit}).text("_id").Get()
	a := incident.Alert{
		ID:       cmp.Or(id, hitID),
		Status:   elasticStatus(r, d.status),
		Rule:     r.text("kibana.alert.rule.name", "alert.rule.name", "signal.rule.name"),
		Severity: r.text("kibana.alert.severity", "alert.severity", "signal.rule.severity"),
		Time:     r.instant("kibana.alert.original_time", "@timestamp"),
		BytesOut: r.integer("source.bytes", "host.network.egress.bytes"),
		Count:    r.integer("kibana.alert.threshold_result.count"),
		Host: incident.AlertHost{
			ID:   r.text("host.id"),
			Name: r.text("host.name", "host.hostname"),
			OS:   r.os("host.os.type", "host.os.family", "host.os.platform", "host.os.name"),
			IP:   r.addresses("host.ip", "source.ip"),
		},
		Process: incident.AlertProcess{
			Name:        r.text("process.name"),
			Path:        r.text("process.executable"),
			PID:         r.integer("process.pid"),
			CommandLine: r.text("process.command_line"),
			User:        r.text("user.name"),
		},
		Destination: incident.AlertDestination{
			IP:        r.address("destination.ip"),
			Port:      r.port("destination.port"),
			Transport: r.transport("network.transport"),
		},
	}
	a.Window = between(r.instant("kibana.alert.threshold_result.from"), a.Time)
	if a.ID == "" && !a.Time.IsKnown() && !a.Rule.IsKnown() {
		r.fail("", "is no alert document: it has none of kibana.alert.uuid, _id, @timestamp and kibana.alert.rule.name")
	}
	return a
}

// elasticStatus reads the state. A building block is material for other rules
// and, in Elastic's own words, no alert; a document in Kibana's list of
// recovered alerts is resolved, whatever it says itself.
func elasticStatus(r *reader, group string) incident.AlertStatus {
	words := []incident.Value[string]{
		incident.Known(group, incident.FromAlert),
		r.text("kibana.alert.status"),
		r.text("kibana.alert.workflow_status"),
	}
	for _, v := range words {
		word, _ := v.Get()
		if s, ok := statusOf(word); ok && s != incident.Firing {
			return s
		}
	}
	if r.text("kibana.alert.building_block_type").IsKnown() {
		return incident.NotAlerting
	}
	return incident.Firing
}

// withTerms adds the fields that a threshold rule grouped by, which are the
// only ones that its alert has, and which stand in a list of their own.
func withTerms(fields map[string]any) map[string]any {
	terms, _ := lookup(fields, "kibana.alert.threshold_result.terms").([]any)
	if len(terms) == 0 {
		return fields
	}
	all := maps.Clone(fields)
	for _, t := range terms {
		term, _ := t.(map[string]any)
		name, _ := term["field"].(string)
		if name != "" && lookup(all, name) == nil {
			all[name] = term["value"]
		}
	}
	return all
}

// between is the time from one instant to the next, where both are known and
// in that order.
func between(from, to incident.Value[time.Time]) incident.Value[time.Duration] {
	start, ok := from.Get()
	end, ok2 := to.Get()
	if !ok || !ok2 || !end.After(start) {
		return incident.Value[time.Duration]{}
	}
	return incident.Known(end.Sub(start), incident.Computed)
}
