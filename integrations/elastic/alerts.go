package elastic

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Alerts describes what a Kibana connector posts.
func Alerts() alerts.Spec {
	return alerts.Spec{
		Kind:    "elastic",
		Summary: "alerts of Elastic Security, posted by a Kibana connector",
		Doc: "What a Kibana connector posts: an alert document of Elastic Security, a list of them, `{\"alerts\": [ … ]}` (also\n" +
			"below `context`), Kibana's summary of new, ongoing and recovered alerts, or search hits. Field names may be\n" +
			"nested, flattened, or both. The host is the machine at `source.ip`. What stands below `host` describes it only where that\n" +
			"is one of `host.ip`: else the agent on a sensor shipped the event. A connection that came in (`network.direction`, Sysmon's\n" +
			"`Initiated`) is told by which end sent more. In the connector's body write `{{{context.alerts.asJSON}}}`, or the lists arrive joined with commas.",
		Identity:   "`kibana.alert.uuid`, else `_id`",
		Occurrence: "`kibana.alert.start`, else the time of the event",
		Example: `{
  "kibana.alert.uuid": "4711", "kibana.alert.rule.name": "UDP egress above 1 GiB in 15 minutes",
  "@timestamp": "2026-03-01T03:12:45Z",
  "host": { "name": "ws-042", "ip": ["10.20.0.42"], "os": { "type": "windows" } },
  "source": { "ip": "10.20.0.42", "bytes": 4294967296 }, "destination": { "ip": "203.0.113.7", "port": 123 }
}
`,
		Varies: []string{"4711", "{n}", "ws-042", "{host}", "10.20.0.42", "{ip}"},
		Fields: fields(),
		Split:  splitAlerts, Join: joinAlerts, Read: readAlert,
		Began:   []string{"kibana.alert.start"},
		Updated: []string{"kibana.alert.updated_at", "@timestamp"},
	}
}

// joinAlerts makes a body of these documents, in Kibana's groups where they were
// grouped.
func joinAlerts(documents []alerts.Document) []byte {
	if len(documents) == 1 && documents[0].Status == "" {
		return documents[0].Raw
	}
	type group struct {
		Data []json.RawMessage `json:"data"`
	}
	list, groups := []json.RawMessage{}, map[string]group{}
	for _, d := range documents {
		list = append(list, d.Raw)
		if d.Status != "" {
			groups[d.Status] = group{append(groups[d.Status].Data, d.Raw)}
		}
	}
	var all any = list
	if len(groups) > 0 {
		all = groups
	}
	// The documents were decoded from JSON, so they encode.
	data, _ := json.Marshal(map[string]any{"alerts": all})
	return data
}

// splitAlerts finds the alert documents in what a Kibana connector posts: one
// document, a list of them, {"alerts": [...]}, the same below "context", the
// summary {"alerts": {"new": {"data": [...]}, "recovered": ...}}, or search
// hits; also several of these in a row, or with what templates leave behind.
func splitAlerts(body json.RawMessage) ([]alerts.Document, *alerts.FieldError) {
	if json.Valid(body) {
		return splitValue("", body)
	}
	mended := withoutLastCommas(body)
	if json.Valid(mended) {
		return splitValue("", mended)
	}
	if list := withoutLastCommas(slices.Concat([]byte("["), body, []byte("]"))); json.Valid(list) {
		return splitValue("", list)
	}
	values, bad := alerts.Stream(mended)
	switch {
	case bytes.HasPrefix(bytes.TrimSpace(body), []byte("error rendering")):
		return nil, alerts.Wrong("", "is what Kibana says of a template that is wrong, not an alert; %s", rightTemplate)
	case bad != nil:
		return nil, alerts.Wrong("", "%s; %s", bad.Problem, rightTemplate)
	case len(values) == 0:
		return nil, alerts.Wrong("", "is empty; %s", rightTemplate)
	case len(values) == 1:
		values[0].Path = ""
	}
	var all []alerts.Document
	for _, value := range values {
		documents, bad := splitValue(value.Path, value.Raw)
		if bad != nil {
			// It is one that cannot be read; the others can.
			documents = []alerts.Document{value}
		}
		all = append(all, documents...)
	}
	return all, nil
}

// splitValue finds the alert documents in one JSON value.
func splitValue(path string, body json.RawMessage) ([]alerts.Document, *alerts.FieldError) {
	if alerts.IsList(body) {
		return alerts.List(path, body, "")
	}
	top := path
	members, bad := alerts.Object(path, body)
	if bad != nil {
		return nil, bad
	}
	if string(members["alerts"]) == "null" && members["context"] != nil {
		delete(members, "alerts")
	}
	if inner, ok := members["context"]; ok && members["alerts"] == nil {
		path = alerts.Join(path, "context")
		if members, bad = alerts.Object(path, inner); bad != nil {
			return nil, bad
		}
	}
	at := alerts.Join(path, "alerts")
	switch {
	case isText(members["alerts"]):
		return alertText(at, members["alerts"])
	case members["alerts"] != nil && alerts.IsList(members["alerts"]):
		return alerts.List(at, members["alerts"], "")
	case members["alerts"] != nil:
		return alertSummary(at, members["alerts"])
	case path == top && members["hits"] != nil:
		return alertHits(alerts.Join(path, "hits"), members["hits"])
	case path == top:
		return []alerts.Document{{Path: path, Raw: body}}, nil
	}
	return nil, alerts.Wrong(path, "holds no alerts")
}

// alertSummary reads Kibana's grouping by what changed since the last run.
func alertSummary(path string, data json.RawMessage) ([]alerts.Document, *alerts.FieldError) {
	groups, bad := alerts.Object(path, data)
	if bad != nil {
		return nil, bad
	}
	var all []alerts.Document
	states := []string{"new", "ongoing", "recovered"}
	if !slices.ContainsFunc(states, func(state string) bool { return groups[state] != nil }) {
		if groups["all"] == nil {
			// It is one alert in place of a list, or says itself that it is none.
			return alerts.List(path, data, "")
		}
		// Each of them says itself whether it is active.
		states = []string{"all"}
	}
	for _, state := range states {
		if groups[state] == nil || string(groups[state]) == "null" {
			continue
		}
		at, data := alerts.Join(path, state), groups[state]
		if !alerts.IsList(data) {
			group, _ := alerts.Object(at, data)
			at, data = alerts.Join(at, "data"), group["data"]
		}
		if string(data) == "null" {
			continue
		}
		documents, bad := alerts.List(at, data, state)
		if bad != nil {
			// It is one that cannot be read; the other groups can.
			documents = []alerts.Document{{Path: alerts.Join(path, state), Raw: groups[state], Status: state}}
		}
		all = append(all, documents...)
	}
	return all, nil
}

func alertHits(path string, data json.RawMessage) ([]alerts.Document, *alerts.FieldError) {
	if alerts.IsList(data) {
		return alerts.List(path, data, "")
	}
	members, bad := alerts.Object(path, data)
	if bad != nil {
		return nil, bad
	}
	return alerts.List(alerts.Join(path, "hits"), members["hits"], "")
}

// readAlert reads an alert document of Elastic Security; its field names may
// be nested, flattened, or both.
//
// The fields host.* are those of the machine whose agent shipped the event. That
// is a sensor where it is neither end of the connection.
func readAlert(r *alerts.Reader, d alerts.Document) incident.Alert {
	f, hit := fields(), r.Fields
	source, ok := hit["_source"].(map[string]any)
	if listed, _ := hit["fields"].(map[string]any); !ok && hit["@timestamp"] == nil && listed["@timestamp"] != nil {
		// A search that asks for fields gives them in place of the source, each as a list.
		source, ok = listed, true
	}
	if ok {
		r.Fields = source
	}
	// Several hosts in a list are seen to be several.
	r.Fields = alerts.ColumnsOf(withTerms(r), "host", "source", "destination", "network", "process", "user", "observer", "event", "agent")
	if index, _ := r.Of(hit).Text(f.Of("index of a hit")...).Get(); strings.Contains(index, ".preview.alerts") {
		r.Silence(incident.Sample, "it is of the preview of a rule")
	}
	id, _ := r.Identity(f.Of("id")...).Get()
	hitID, _ := r.Of(hit).Identity(f.Of("id of a hit")...).Get()
	a := incident.Alert{
		ID:       cmp.Or(id, hitID),
		Status:   alertStatus(r, d.Status),
		Rule:     r.Text(f.Of("rule")...),
		Severity: r.Text(f.Of("severity")...),
		Time:     r.Instant(f.Of("time")...),
		Count:    r.Integer(f.Of("count")...),
		Process: incident.AlertProcess{
			Name:        r.Written(f.Of("process.name")...),
			Path:        r.Written(f.Of("process.path")...),
			PID:         r.PID(f.Of("process.pid")...),
			CommandLine: r.Written(f.Of("process.command_line")...),
			User:        r.Written(f.Of("process.user")...),
		},
		Destination: incident.AlertDestination{Transport: r.Transport(f.Of("destination.transport")...)},
	}
	readAlertEnds(r, &a)
	a.Window = alerts.Between(r.Instant(f.Of("window")...), a.Time)
	if a.ID == "" && !a.Time.IsKnown() && !a.Rule.IsKnown() {
		r.Fail("", "is no alert document: it has none of kibana.alert.uuid, _id, @timestamp and kibana.alert.rule.name; %s", rightTemplate)
	}
	return a
}

// readAlertEnds reads which of the machines sends, how much and where to.
func readAlertEnds(r *alerts.Reader, a *incident.Alert) {
	f := fields()
	host := r.Host(f.Of("host.id"), f.Of("host.name"), f.Of("host.ip"))
	_, group := alerts.Lookup(r.Fields, "host.os").(map[string]any)
	host.OS = r.OS(slices.DeleteFunc(slices.Clone(f.Of("host.os")), func(path string) bool { return group && path == "host.os" })...)
	sourceIPs, whySource := r.Addresses(f.Of("source.ip")...)
	destinationIPs, _ := r.Addresses(f.Of("destination.ip")...)
	c := alerts.Connection{
		Host: host, HostName: reporterName(host), Sensor: fromSensor(r),
		Inbound:     alerts.Inbound(r.Text(f.Of("direction")...), r.Text(f.Of("initiated")...)) || r.ComesIn(sourceIPs, destinationIPs),
		Source:      alerts.End{Field: "source.ip " + strings.Join(sourceIPs, " "), IPs: sourceIPs, Port: r.Port(f.Of("source.port")...), Bytes: r.Size(f.Of("source.bytes")...)},
		Destination: alerts.End{Field: "destination.ip " + strings.Join(destinationIPs, " "), IPs: destinationIPs, Port: r.Port(f.Of("destination.port")...), Bytes: r.Size(f.Of("destination.bytes")...)},
	}
	r.Misplaced("process", &a.Process)
	r.Targeted(c)
	sender, from, isHost := c.Sender()
	a.Host = sender
	if !isHost {
		alerts.Unsaid(&a.Process, sender)
	}
	if !a.Host.IP.IsKnown() && a.Host.IP.Why() == "" {
		a.Host.IP = incident.NotKnown[[]string](whySource)
	}
	peer := "destination"
	a.BytesOut, a.Destination.Port = from.Bytes, c.Destination.Port
	if from.Field == c.Destination.Field && from.IsKnown() {
		peer = "source"
		a.Destination.Port = c.Source.Port
	}
	a.Destination.IP = r.Address(f.Of(peer + ".ip")...)
	r.Misplaced(peer, &a.Destination)
	if !a.BytesOut.IsKnown() && isHost && peer == "destination" {
		a.BytesOut = r.Size(f.Of("bytes_out")...)
	}
}

func reporterName(h incident.AlertHost) string {
	for _, v := range []incident.Value[string]{h.Name, h.ID} {
		if text, ok := v.Get(); ok {
			return "host " + alerts.Quote(text)
		}
	}
	return "the host of the alert"
}

// fromSensor reports whether the machine that shipped the event watches
// others, as the Elastic Common Schema has it: it is the observer, the event
// was forwarded, or is from the log of a product that watches networks.
func fromSensor(r *alerts.Reader) bool {
	f := fields()
	watching := []string{
		"zeek", "corelight", "suricata", "snort", "netflow", "panw", "cisco", "fortinet", "checkpoint", "juniper", "sonicwall",
		"sophos", "pfsense", "watchguard", "barracuda", "iptables", "packetbeat", "network_traffic",
	}
	watches := func(path string) bool {
		word, _ := r.Text(path).Get()
		module, _, _ := strings.Cut(strings.ToLower(word), ".")
		maker, _, _ := strings.Cut(module, "_")
		return slices.Contains(watching, maker) || slices.Contains(watching, module)
	}
	if slices.ContainsFunc(f.Of("module"), watches) {
		return true
	}
	forwarded := slices.ContainsFunc(f.Of("forwarded"), func(path string) bool { return slices.Contains(r.Texts(path), "forwarded") })
	return forwarded || slices.ContainsFunc(f.Of("sensor"), func(path string) bool { return r.Lookup(path) != nil })
}

// alertStatus reads the state. A building block is material for other rules
// and, in Elastic's own words, no alert; a document in Kibana's list of
// recovered alerts is resolved, regardless of its own status.
func alertStatus(r *alerts.Reader, group string) incident.AlertStatus {
	words := []incident.Value[string]{incident.Known(group, incident.FromAlert)}
	for _, path := range fields().Of("status") {
		words = append(words, r.Text(path))
	}
	for _, v := range words {
		word, _ := v.Get()
		if s, ok := alerts.StatusOf(word); ok && s != incident.Firing {
			return s
		}
	}
	if r.Text(fields().Of("building block")...).IsKnown() {
		r.Silence(incident.NotAlerting, "it is a building block of other rules")
	}
	return incident.Firing
}

// withTerms adds the fields that a threshold rule grouped by, which are the
// only ones that its alert has, and which are in a list of their own.
func withTerms(r *alerts.Reader) map[string]any {
	var terms []map[string]any
	for _, path := range fields().Of("fields of a threshold rule") {
		if found := alerts.Objects(r.Lookup(path)); len(terms) == 0 {
			terms = found
		}
	}
	if len(terms) == 0 {
		return r.Fields
	}
	all := maps.Clone(r.Fields)
	for _, term := range terms {
		name, _ := term["field"].(string)
		if name != "" && alerts.Lookup(all, name) == nil {
			all[name] = term["value"]
		}
	}
	return all
}
