package alerts

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

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
//
// The fields host.* are those of the machine whose agent shipped the event. That
// is a sensor where it is neither end of the connection.
func readElastic(r *reader, d document) incident.Alert {
	hit := r.fields
	if source, ok := hit["_source"].(map[string]any); ok {
		r.fields = source
	}
	r.fields = withTerms(r.fields)
	id, _ := r.identity("kibana.alert.uuid", "alert.uuid").Get()
	hitID, _ := (&reader{at: r.at, fields: hit}).identity("_id").Get()
	a := incident.Alert{
		ID:       cmp.Or(id, hitID),
		Status:   elasticStatus(r, d.status),
		Rule:     r.text("kibana.alert.rule.name", "alert.rule.name", "signal.rule.name"),
		Severity: r.text("kibana.alert.severity", "alert.severity", "signal.rule.severity"),
		Time:     r.instant("kibana.alert.original_time", "@timestamp"),
		Count:    r.integer("kibana.alert.threshold_result.count"),
		Process: incident.AlertProcess{
			Name:        r.written("process.name"),
			Path:        r.written("process.executable"),
			PID:         r.pid("process.pid"),
			CommandLine: r.written("process.command_line"),
			User:        r.written("user.name"),
		},
		Destination: incident.AlertDestination{Transport: r.transport("network.transport", "network.iana_number")},
	}
	readElasticEnds(r, &a)
	a.Window = between(r.instant("kibana.alert.threshold_result.from"), a.Time)
	if a.ID == "" && !a.Time.IsKnown() && !a.Rule.IsKnown() {
		r.fail("", "is no alert document: it has none of kibana.alert.uuid, _id, @timestamp and kibana.alert.rule.name")
	}
	return a
}

// readElasticEnds reads which of the machines sends, how much and where to.
func readElasticEnds(r *reader, a *incident.Alert) {
	host := r.host("host.id", "host.name host.hostname host", "host.ip")
	system := []string{"host.os.type", "host.os.family", "host.os.platform", "host.os.name", "host.os.full"}
	if _, group := lookup(r.fields, "host.os").(map[string]any); !group {
		system = append(system, "host.os")
	}
	host.OS = r.os(system...)
	sourceIPs, whySource := r.addresses("source.ip")
	destinationIPs, _ := r.addresses("destination.ip")
	c := connection{
		host: host, hostName: elasticHostName(host), sensor: elasticSensor(r),
		inbound:     inbound(r.text("network.direction"), r.text("winlog.event_data.Initiated", "event_data.Initiated")),
		source:      end{field: "source.ip " + strings.Join(sourceIPs, " "), ips: sourceIPs, port: r.port("source.port"), bytes: r.size("source.bytes")},
		destination: end{field: "destination.ip " + strings.Join(destinationIPs, " "), ips: destinationIPs, port: r.port("destination.port"), bytes: r.size("destination.bytes")},
	}
	r.misplaced("process", &a.Process)
	sender, from, isHost := c.sender()
	a.Host = sender
	if !isHost {
		unsaid(&a.Process, sender)
	}
	if !a.Host.IP.IsKnown() && a.Host.IP.Why() == "" {
		a.Host.IP = incident.NotKnown[[]string](whySource)
	}
	peer := "destination"
	a.BytesOut, a.Destination.Port = from.bytes, c.destination.port
	if from.field == c.destination.field && from.isKnown() {
		peer = "source"
		a.Destination.Port = c.source.port
	}
	a.Destination.IP = r.address(peer + ".ip")
	r.misplaced(peer, &a.Destination)
	if !a.BytesOut.IsKnown() && isHost && peer == "destination" {
		a.BytesOut = r.size("source.bytes", "host.network.egress.bytes")
	}
}

func elasticHostName(h incident.AlertHost) string {
	for _, v := range []incident.Value[string]{h.Name, h.ID} {
		if text, ok := v.Get(); ok {
			return "host " + quote(text)
		}
	}
	return "the host of the alert"
}

// elasticSensor reports whether the machine that shipped the event watches
// others, as the Elastic Common Schema says it: it is the observer, or the event
// was forwarded.
func elasticSensor(r *reader) bool {
	tags, _ := words(lookup(r.fields, "tags"), whole)
	if slices.Contains(tags, "forwarded") {
		return true
	}
	for _, path := range []string{"observer.type", "observer.name", "observer.hostname", "observer.ip", "observer.vendor", "observer.product"} {
		if lookup(r.fields, path) != nil {
			return true
		}
	}
	return false
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
