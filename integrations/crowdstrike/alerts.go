package crowdstrike

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// template is the body of the action that calls a webhook in a workflow of Falcon Fusion.
// What stands for a value is chosen there.
const template = `{"incident_id": "…", "title": "…", "status": "…", "severity": "…", "host": "…", "host_id": "…", "timestamp": "…"}`

// Alerts describes detections of Falcon, by whichever way they come.
func Alerts() alerts.Spec {
	return alerts.Spec{
		Kind:    "crowdstrike",
		Summary: "detections of CrowdStrike Falcon: of its event stream, its alerts API, or a workflow of Falcon Fusion",
		Doc: "A detection, a list of them, several that follow one another, or the answer of the alerts API (`resources`), in one of three\n" +
			"shapes: a detection summary of the event stream, in its envelope or flat as Falcon Data Replicator writes it; an alert of\n" +
			"the API, version 2; or what a workflow of Falcon Fusion posts, which must be this template:\n\n    " + template + "\n\n" +
			"with variables in place of the values. Any other body is refused. Other events of the stream, and alerts that are closed, a false\n" +
			"positive or hidden in the console, are recorded and start nothing.\n\n" +
			"The device is contained already where Falcon says so (`QuarantineMachine`, the device's status). The event stream has no id of the\n" +
			"process that the system knows. No detection has a number of bytes.",
		Identity:   "`CompositeId`, `composite_id` or `incident_id`",
		Occurrence: "the time of the detection; of the API when it was created",
		Example: `{
  "composite_id": "c0:ind:a0:222222222222222222-33333-444444", "product": "epp", "display_name": "UDP egress", "severity": 70, "severity_name": "High",
  "timestamp": "2026-03-01T03:12:45Z", "created_timestamp": "2026-03-01T03:12:48.583865066Z", "updated_timestamp": "2026-03-01T03:13:00.123456789Z",
  "device": { "device_id": "a0000000000000000000000000000042", "hostname": "ws-042", "local_ip": "10.20.0.42", "platform_name": "Windows" },
  "filename": "updater.exe", "filepath": "\\Device\\HarddiskVolume2\\Users\\Public\\updater.exe", "local_process_id": "4242"
}
`,
		Varies: []string{"33333-444444", "33333-{n}", "a0000000000000000000000000000042", "{host}", "ws-042", "{host}", "10.20.0.42", "{ip}"},
		Fields: alertFields(),
		Split:  splitAlerts, Join: alerts.JoinStream, Read: readAlert,
		Began: []string{"created_timestamp"}, Updated: []string{"updated_timestamp"},
	}
}

// splitAlerts takes a detection, a list of them, one that follows another, or the answer
// of the alerts API.
func splitAlerts(body json.RawMessage) ([]alerts.Document, *alerts.FieldError) {
	if alerts.IsList(body) {
		return alerts.List("", body, "")
	}
	var answer struct {
		Resources json.RawMessage `json:"resources"`
	}
	err := json.Unmarshal(body, &answer)
	switch _, torn := errors.AsType[*json.SyntaxError](err); {
	case torn:
		return alerts.Stream(body)
	case err == nil && alerts.IsList(answer.Resources):
		return alerts.List("resources", answer.Resources, "")
	}
	return []alerts.Document{{Raw: body}}, nil
}

// readAlert reads a detection in any of its shapes, which share no field but the time and
// the severity.
func readAlert(r *alerts.Reader, d alerts.Document) incident.Alert {
	f := alertFields()
	r.Fields = alerts.Columns(enveloped(d.Fields))
	checkShape(r)
	id, _ := r.Identity(f.Of("id")...).Get()
	a := incident.Alert{
		ID:        id,
		Status:    incident.Firing,
		Rule:      r.Text(f.Of("rule")...),
		Severity:  r.Text(f.Of("severity")...),
		Time:      r.Instant(f.Of("time")...),
		BytesOut:  incident.NotKnown[int64]("a detection of Falcon has no number of bytes"),
		Contained: readContained(r),
		Host:      r.Host(f.Of("host.id"), f.Of("host.name"), f.Of("host.ip")),
		Process: incident.AlertProcess{
			Name:        r.Written(f.Of("process.name")...),
			Path:        readPath(r),
			PID:         r.PID(f.Of("process.pid")...),
			CommandLine: r.Written(f.Of("process.command_line")...),
			User:        r.Written(f.Of("process.user")...),
		},
		Destination: incident.AlertDestination{
			IP:        r.Address(f.Of("destination.ip")...),
			Port:      r.Port(f.Of("destination.port")...),
			Transport: r.Transport(f.Of("destination.transport")...),
		},
	}
	a.Host.OS = r.OS(f.Of("host.os")...)
	if r.Lookup("event") != nil {
		a.Process.PID = incident.NotKnown[int64]("the event stream has Falcon's number of the process, not the system's")
	}
	readAlertState(r, &a)
	return a
}

// enveloped is a detection summary that came flat in the envelope of the event stream. A
// connection that came in to the process is left out of those that it made.
func enveloped(fields map[string]any) map[string]any {
	kind, flat := fields["ExternalApiType"].(string)
	if _, composite := fields["CompositeId"]; flat || composite {
		if !flat {
			kind = "EppDetectionSummaryEvent"
		}
		fields = map[string]any{"event": fields, "metadata": map[string]any{"eventType": strings.TrimPrefix(kind, "Event_")}}
	}
	event, _ := fields["event"].(map[string]any)
	list, ok := event["NetworkAccesses"].([]any)
	if one, alone := event["NetworkAccesses"].(map[string]any); alone {
		list, ok = []any{one}, true
	}
	if !ok {
		return fields
	}
	out := map[string]any{}
	for name, v := range event {
		out[name] = v
	}
	out["NetworkAccesses"] = slices.DeleteFunc(slices.Clone(list), cameIn)
	return map[string]any{"event": out, "metadata": fields["metadata"]}
}

// cameIn reports whether a network access is one that another machine began.
func cameIn(access any) bool {
	fields, _ := access.(map[string]any)
	switch direction := fields["ConnectionDirection"].(type) {
	case json.Number:
		return direction == "1"
	case string:
		return strings.TrimSpace(direction) == "1"
	}
	return false
}

// checkShape refuses what is in none of the shapes, and silences events of the stream that
// are no detections.
func checkShape(r *alerts.Reader) {
	f := alertFields()
	kind, stream := r.Text(f.Of("event type")...).Get()
	summary := strings.HasSuffix(kind, "DetectionSummaryEvent")
	switch {
	case stream && !summary:
		r.Silence(incident.NotAlerting, "the event %s is no detection of a device", alerts.Quote(kind))
	case stream, r.Lookup("composite_id") != nil, r.Lookup("incident_id") != nil && (r.Lookup("host") != nil || r.Lookup("host_id") != nil):
	default:
		r.Fail("", "is no detection of Falcon; in a workflow of Falcon Fusion post this template: %s", template)
	}
}

// readContained reads whether Falcon has the device contained already.
func readContained(r *alerts.Reader) incident.Value[bool] {
	f := alertFields()
	flag := r.Flag(f.Of("contained")...)
	status, told := r.Text(f.Of("contained, by status")...).Get()
	said, _ := flag.Get()
	switch {
	case said || strings.EqualFold(status, "contained"):
		return incident.Known(true, incident.FromAlert)
	case told && !strings.EqualFold(status, "normal"):
		return incident.NotKnown[bool]("the device's status is " + alerts.Quote(status))
	case told:
		return incident.Known(false, incident.FromAlert)
	}
	return flag
}

// readPath reads the path of the image. The event stream gives the folder alone.
func readPath(r *alerts.Reader) incident.Value[string] {
	f := alertFields()
	path := r.Written(f.Of("process.path")...)
	name := r.Written(f.Of("process.name")...)
	if file, ok := name.Get(); ok && strings.EqualFold(base(path.String()), file) {
		return path
	}
	if folder, ok := path.Get(); ok && !name.IsKnown() {
		return incident.NotKnown[string]("the alert gives the folder " + alerts.Quote(folder) + " and no file")
	}
	return alerts.ImageIn(path, name)
}

// readAlertState reads what people made of the alert.
func readAlertState(r *alerts.Reader, a *incident.Alert) {
	f := alertFields()
	status, _ := r.Text(f.Of("status")...).Get()
	if s, known := alerts.StatusOf(status); known {
		a.Status = s
	}
	if slices.Contains([]string{"false_positive", "ignored"}, strings.ToLower(status)) {
		r.Silence(incident.NotAlerting, "its status is %s", alerts.Quote(status))
	}
	// Who opened it again does not think so any more.
	if word, _ := r.Text(f.Of("resolution")...).Get(); slices.Contains([]string{"false_positive", "ignored"}, strings.ToLower(word)) && !strings.EqualFold(status, "reopened") {
		r.Silence(incident.NotAlerting, "it is resolved as %s", alerts.Quote(word))
	}
	if shown, known := r.Flag(f.Of("shown")...).Get(); known && !shown {
		r.Silence(incident.NotAlerting, "Falcon hides it in its console")
	}
}
