// Package secops reads detections of Google SecOps, and fetches them, for it sends nothing
// by itself.
package secops

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Alerts describes detections.
func Alerts() alerts.Spec {
	return alerts.Spec{
		Kind:    "secops",
		Summary: "detections of Google SecOps, fetched by the transport of the same kind or posted by a job",
		Doc: "A detection, a list of them, several that follow one another, or the answer of Google's API that lists them (`detections`). Of a list in it, such as\n" +
			"`collectionElements`, the values of all elements are read. The host is the `principal` of the events; with several of them it is\n" +
			"in doubt. Detections that do not alert, that people have closed or called a false positive, and those whose connections came in\n" +
			"are recorded and start nothing.\n\n" +
			"A detection shows ten events at most, so that only a single one tells what was sent. A rule says it for all of them in its outcome\n" +
			"section, by the variables `$bytes_out` and `$count`. Masked addresses are unknown.",
		Identity:   "`id`",
		Occurrence: "`detectionTime`",
		Example: `{
  "type": "RULE_DETECTION", "id": "de_4711", "createdTime": "2026-03-01T03:16:00.123456Z", "detectionTime": "2026-03-01T03:15:00Z",
  "timeWindow": { "startTime": "2026-03-01T03:00:00Z", "endTime": "2026-03-01T03:15:00Z" },
  "detection": [{
    "ruleName": "udp_egress", "alertState": "ALERTING", "ruleLabels": [{ "key": "severity", "value": "High" }],
    "outcomes": [{ "key": "bytes_out", "value": "4294967296" }]
  }],
  "collectionElements": [{ "label": "e", "references": [{ "event": {
    "principal": { "hostname": "ws-042", "ip": ["10.20.0.42"] }, "target": { "ip": ["203.0.113.7"], "port": 123 },
    "network": { "ipProtocol": "UDP", "direction": "OUTBOUND", "sentBytes": "4294967296" } } }] }]
}
`,
		Varies: []string{"de_4711", "de_{n}", "ws-042", "{host}", "10.20.0.42", "{ip}"},
		Fields: fields(),
		Split:  splitDetections, Join: alerts.JoinStream, Read: readDetection,
		Updated: []string{"feedbackSummary.createTime", "createdTime"},
	}
}

// splitDetections takes a detection, a list, or a page of the API, and several that follow one
// another.
func splitDetections(body json.RawMessage) ([]alerts.Document, *alerts.FieldError) {
	if alerts.IsList(body) {
		return alerts.List("", body, "")
	}
	if !json.Valid(body) {
		return alerts.Stream(body)
	}
	var page struct {
		Detections json.RawMessage `json:"detections"`
	}
	if json.Unmarshal(body, &page) == nil && page.Detections != nil {
		return alerts.List("detections", page.Detections, "")
	}
	return []alerts.Document{{Raw: body}}, nil
}

// readDetection reads a detection and the events that it shows.
func readDetection(r *alerts.Reader, d alerts.Document) incident.Alert {
	f := fields()
	events := eventsOf(d.Fields)
	r.Fields = detection(d.Fields)
	if r.Lookup(f.Of("detection")[0]) == nil {
		r.Fail(f.Of("detection")[0], "is missing: it is no detection of Google SecOps")
	}
	id, _ := r.Identity(f.Of("id")...).Get()
	a := incident.Alert{
		ID:       id,
		Status:   incident.Firing,
		Category: incident.Categories().Of(r.Text(f.Of("category")...)),
		Rule:     r.Text(f.Of("rule")...),
		Severity: r.Text(f.Of("severity")...),
		Time:     r.Instant(f.Of("time")...),
		Window:   alerts.Between(r.Instant(f.Of("window, from")...), r.Instant(f.Of("window, to")...)),
		BytesOut: readBytes(r, len(events)),
		Count:    r.Integer(f.Of("count")...),
		Host:     readHost(r, events),
		Process:  readProcess(r, events),
		Destination: incident.AlertDestination{
			IP:        r.Address(f.Of("destination.ip")...),
			Port:      r.Port(f.Of("destination.port")...),
			Transport: r.Transport(f.Of("destination.transport")...),
		},
	}
	a.Host.OS = r.OS(f.Of("host.os")...)
	readState(r, &a)
	switch directions := r.Texts(f.Of("direction")[0]); {
	case len(directions) == 0 && fromAbroad(r):
		if answered(r, events) {
			targetSends(r, &a)
		} else {
			a.Host.Doubts = append(a.Host.Doubts, "the principal is not known to be ours, and the target is: which end sends is not known")
		}
	case !slices.ContainsFunc(directions, isInbound):
	case answered(r, events):
		targetSends(r, &a)
	case len(directions) == 1 && !slices.ContainsFunc(events, undirected):
		r.Silence(incident.NotAlerting, "our host is the target: the connection came in")
	default:
		a.Host.Doubts = append(a.Host.Doubts, "some of the connections came in: which end sends is not known")
	}
	return a
}

func isInbound(direction string) bool { return strings.EqualFold(direction, "INBOUND") }

// readState reads whether the detection alerts, and what people made of it.
func readState(r *alerts.Reader, a *incident.Alert) {
	f := fields()
	if word, _ := r.Text(f.Of("state")...).Get(); strings.EqualFold(word, "NOT_ALERTING") {
		a.Status = incident.NotAlerting
	}
	if word, _ := r.Text(f.Of("verdict")...).Get(); strings.EqualFold(word, "FALSE_POSITIVE") {
		r.Silence(incident.NotAlerting, "the verdict is that it is a false positive")
	}
	if word, _ := r.Text(f.Of("feedback")...).Get(); strings.EqualFold(word, "CLOSED") {
		a.Status = incident.Resolved
	}
}

// readBytes reads what the rule says was sent, else what the only event did.
func readBytes(r *alerts.Reader, events int) incident.Value[int64] {
	f := fields()
	if said := r.Size(f.Of("bytes_out")...); said.IsKnown() || said.Why() != "" {
		return said
	}
	one := r.Size(f.Of("bytes_out, of an event")...)
	if events > 1 && r.Lookup(f.Of("bytes_out, of an event")[0]) != nil {
		return incident.NotKnown[int64](fmt.Sprintf("the alert shows %d events, which may not be all, and its rule has no outcome bytes_out", events))
	}
	return one
}

// eventsOf are the events that a detection shows.
func eventsOf(fields map[string]any) []map[string]any {
	var events []map[string]any
	for _, element := range alerts.Objects(fields["collectionElements"]) {
		for _, reference := range alerts.Objects(element["references"]) {
			events = append(events, alerts.Objects(reference["event"])...)
		}
	}
	return events
}

// detection is a detection with its lists as columns, and its pairs of a key and a
// value as members.
func detection(document map[string]any) map[string]any {
	fields := maps.Clone(document)
	var list []any
	for _, one := range alerts.Objects(document["detection"]) {
		one = maps.Clone(one)
		for _, name := range []string{"ruleLabels", "outcomes"} {
			if _, ok := one[name].([]any); ok {
				one[name] = pairs(alerts.Objects(one[name]))
			}
		}
		list = append(list, one)
	}
	if list != nil {
		fields["detection"] = list
	}
	return alerts.Columns(fields)
}

func pairs(list []map[string]any) map[string]any {
	out := map[string]any{}
	for _, pair := range list {
		if key, ok := pair["key"].(string); ok {
			key = strings.ToLower(key)
			values, _ := out[key].([]any)
			out[key] = append(values, pair["value"])
		}
	}
	return out
}
