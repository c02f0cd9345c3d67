package sentinel

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Alerts describes the incidents that a playbook of an automation rule posts.
func Alerts() alerts.Spec {
	return alerts.Spec{
		Kind:    "sentinel",
		Summary: "incidents of Microsoft Sentinel, posted by the playbook of an automation rule",
		Doc: "What a playbook with the incident trigger posts: the trigger's body, in which the incident is below `object`, the incident\n" +
			"alone, or a list of them. The host is the one Host entity; with several it is none of them. The product does not say which end\n" +
			"of a connection an Ip entity is: without a Host entity one address names the host, in doubt, and no address is ever the\n" +
			"destination. Numbers come from the custom details of the incident's alerts, by the names that stand below; two alerts with\n" +
			"different values leave it unknown. An incident that names no entities is completed by the integration in the source's `lookup`.",
		Identity:   "`name`, the incident's own id",
		Occurrence: "`properties.createdTimeUtc`",
		Example: `{
  "objectSchemaType": "Incident",
  "object": {
    "name": "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "type": "Microsoft.SecurityInsights/Incidents",
    "properties": {
      "title": "UDP egress above 1 GiB in 15 minutes", "severity": "High", "incidentNumber": 3177,
      "createdTimeUtc": "2026-03-01T03:13:00Z", "firstActivityTimeUtc": "2026-03-01T02:57:45Z", "lastActivityTimeUtc": "2026-03-01T03:12:45Z",
      "alerts": [ { "properties": { "additionalData": { "Custom Details": "{\"BytesOut\":[\"4294967296\"],\"DestinationIP\":[\"203.0.113.7\"]}" } } } ],
      "relatedEntities": [ { "kind": "Host", "properties": { "hostName": "ws-042", "dnsDomain": "corp.example", "osFamily": "Windows" } } ]
    }
  }
}
`,
		Varies: []string{"0305e82c3301", "03050{n}", "ws-042", "{host}"},
		Fields: fields(),
		Split:  splitAlerts, Join: alerts.JoinList, Read: readAlert,
		Began:   []string{"properties.createdTimeUtc"},
		Updated: []string{"properties.lastModifiedTimeUtc"},
	}
}

// splitAlerts takes an incident, the body of the trigger, a list of them, or the list that the
// product's API gives.
func splitAlerts(body json.RawMessage) ([]alerts.Document, *alerts.FieldError) {
	if alerts.IsList(body) {
		return alerts.List("", body, "")
	}
	members, bad := alerts.Object("", body)
	switch {
	case bad != nil:
		return nil, bad
	case members["value"] != nil && members["properties"] == nil && members["object"] == nil:
		return alerts.List("value", members["value"], "")
	}
	return []alerts.Document{{Raw: body}}, nil
}

// readAlert reads an incident.
func readAlert(r *alerts.Reader, d alerts.Document) incident.Alert {
	f := fields()
	if objects := alerts.Objects(d.Fields["object"]); len(objects) == 1 {
		r.Fields = objects[0]
	}
	properties, ok := r.Fields["properties"].(map[string]any)
	if !ok {
		r.Fail("", "is no incident: it has no properties; post the body of the trigger Microsoft Sentinel incident")
	}
	found := entitiesOf(r, properties)
	details := r.Of(map[string]any{customDetails: detailsOf(properties)})
	a := incident.Alert{
		Status:   statusOf(r),
		Rule:     r.Text(f.Of("rule")...),
		Severity: r.Text(f.Of("severity")...),
		Time:     r.Instant(f.Of("time")...),
		BytesOut: details.Size(f.Of("bytes_out")...),
		Count:    details.Integer(f.Of("count")...),
		Host:     found.host(),
		Destination: incident.AlertDestination{
			IP: details.Address(f.Of("destination.ip")...), Port: details.Port(f.Of("destination.port")...), Transport: details.Transport(f.Of("destination.transport")...),
		},
	}
	a.ID, _ = r.Identity(f.Of("id")...).Get()
	a.Process = found.process(a.Host)
	from, to := r.Instant(f.Of("window, from")...), r.Instant(f.Of("window, to")...)
	// One moment is no window, and none that is wrong.
	if from.String() != to.String() {
		a.Window = alerts.Between(from, to)
	}
	if ips, _ := found.addresses(); len(ips) > 0 && !a.Destination.IP.IsKnown() && a.Destination.IP.Why() == "" {
		a.Destination.IP = incident.NotKnown[string]("the incident does not say which end " + strings.Join(ips, ", ") + " is")
	}
	return a
}

// statusOf reads the state. An incident that somebody has found to be no attack starts nothing
// before it is closed, too.
func statusOf(r *alerts.Reader) incident.AlertStatus {
	f := fields()
	if word, ok := r.Text(f.Of("classification")...).Get(); ok && slices.Contains([]string{"falsepositive", "benignpositive"}, strings.NewReplacer(" ", "", "_", "", "-", "").Replace(strings.ToLower(word))) {
		r.Silence(incident.NotAlerting, "it is classified as %s in Sentinel", word)
	}
	word, _ := r.Text(f.Of("status")...).Get()
	if s, known := alerts.StatusOf(word); known {
		return s
	}
	return incident.Firing
}

// customDetails is where the custom details of an incident's alerts are read.
const customDetails = "alerts.customDetails"

// detailsOf are the custom details of the incident's alerts, which are JSON in a text. A name
// has the values of all alerts.
func detailsOf(properties map[string]any) map[string]any {
	all := map[string]any{}
	for _, alert := range alerts.Objects(properties["alerts"]) {
		found := alerts.Lookup(alert, "properties.additionalData.Custom Details")
		details, _ := found.(map[string]any)
		if text, ok := found.(string); ok {
			var bad *alerts.FieldError
			if details, bad = alerts.Decode("", []byte(text)); bad != nil {
				// What the other alerts say is not all.
				return map[string]any{}
			}
		}
		for name, value := range details {
			values, _ := all[name].([]any)
			all[name] = append(values, value)
		}
	}
	return all
}
