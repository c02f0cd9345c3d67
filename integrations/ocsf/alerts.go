// Package ocsf reads detection findings of the Open Cybersecurity Schema Framework.
package ocsf

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Vendor is what this folder registers.
func Vendor() integrations.Vendor { return integrations.Vendor{Sources: []alerts.Spec{Alerts()}} }

// detectionFinding is the class whose events are read.
const detectionFinding = 2004

// Alerts describes events of OCSF.
func Alerts() alerts.Spec {
	return alerts.Spec{
		Kind:    "ocsf",
		Summary: "detection findings of OCSF, class 2004, from whichever product writes them",
		Doc: "An event of OCSF, a list of such, several that follow one another, or the event of EventBridge by which AWS Security Hub sends them (`detail.findings`). Only\n" +
			"detection findings are read: events of other classes and results about a product's settings, which some products write\n" +
			"as detection findings, are recorded and start nothing. So are findings that are closed, suppressed, archived, benign or a test,\n" +
			"and those whose connections came in.\n\n" +
			"The host is the `device`, unless the connections of the `evidences` are those of another machine. With several sources the host is\n" +
			"in doubt. A detection finding has no number of bytes. What the product did about it, its `disposition`, is about a file, a\n" +
			"connection or a session, and never means that the host is contained.",
		Identity:   "`finding_info.uid`",
		Occurrence: "`finding_info.created_time`, else `finding_info.first_seen_time` or `start_time`, else the time of an event that is no update. All updates without any of these are one; the same content after ten minutes is another",
		Example: `{
  "class_uid": 2004, "type_uid": 200401, "activity_id": 1, "severity_id": 4, "severity": "High", "time": 1772334765123,
  "metadata": { "version": "1.5.0", "product": { "name": "NDR" } },
  "finding_info": { "uid": "f-4711", "title": "UDP egress above 1 GiB in 15 minutes", "created_time": 1772334765123 },
  "device": { "hostname": "ws-042", "ip": "10.20.0.42", "os": { "type": "Windows" } },
  "evidences": [{
    "src_endpoint": { "ip": "10.20.0.42" }, "dst_endpoint": { "ip": "203.0.113.7", "port": 123 },
    "connection_info": { "protocol_num": 17, "direction_id": 2 }
  }]
}
`,
		Varies: []string{"f-4711", "f-{n}", "ws-042", "{host}", "10.20.0.42", "{ip}"},
		Fields: fields(),
		Split:  splitEvents, Join: alerts.JoinStream, Read: readEvent,
		Began:   fields().Of("began"),
		Updated: []string{"finding_info.modified_time", "finding_info.modified_time_dt", "time", "time_dt"},
	}
}

// splitEvents takes an event, a list of them, several that follow one another, and in place of
// each what EventBridge puts around a list.
func splitEvents(body json.RawMessage) ([]alerts.Document, *alerts.FieldError) {
	documents, bad := []alerts.Document{{Raw: body}}, (*alerts.FieldError)(nil)
	switch {
	case alerts.IsList(body):
		documents, bad = alerts.List("", body, "")
	case !json.Valid(body):
		documents, bad = alerts.Stream(body)
	}
	if bad != nil {
		return nil, bad
	}
	var all []alerts.Document
	for _, d := range documents {
		all = append(all, enveloped(d)...)
	}
	return all, nil
}

// enveloped are the events in what EventBridge sends, or the document itself.
func enveloped(d alerts.Document) []alerts.Document {
	// Maps, as names differ by their case. What is no object is refused where it is read.
	var envelope, detail map[string]json.RawMessage
	_ = json.Unmarshal(d.Raw, &envelope)
	_ = json.Unmarshal(envelope["detail"], &detail)
	if envelope["class_uid"] != nil || !alerts.IsList(detail["findings"]) {
		return []alerts.Document{d}
	}
	// It was decoded as a part of the document.
	inner, _ := alerts.List(alerts.Join(d.Path, "detail.findings"), detail["findings"], "")
	return inner
}

// readEvent reads an event. Lists, such as evidences, are read as columns.
func readEvent(r *alerts.Reader, d alerts.Document) incident.Alert {
	f := fields()
	r.Fields = alerts.Columns(d.Fields)
	id, _ := r.Identity(f.Of("id")...).Get()
	a := incident.Alert{
		ID:       id,
		Status:   incident.Firing,
		Rule:     r.Text(f.Of("rule")...),
		Severity: r.Text(f.Of("severity")...),
		Time:     r.Instant(f.Of("time")...),
		Window:   alerts.Between(r.Instant(f.Of("window, from")...), r.Instant(f.Of("window, to")...)),
		BytesOut: incident.NotKnown[int64]("a detection finding of OCSF has no number of bytes"),
		Count:    r.Integer(f.Of("count")...),
		Process:  readProcess(r, d),
	}
	if disposition, ok := r.Text(f.Of("disposition")...).Get(); ok {
		a.Contained = incident.NotKnown[bool]("the disposition is " + alerts.Quote(disposition) + ", which is not about the host")
	}
	if began := r.Instant(f.Of("began")...); !began.IsKnown() && activity(r) == updates {
		a.Time = incident.NotKnown[time.Time]("the event updates a finding, and does not say when that began")
	}
	readHost(r, &a)
	readClass(r)
	readState(r, &a)
	return a
}

// readClass reads whether the event is a detection.
func readClass(r *alerts.Reader) {
	f := fields()
	class, ok := r.Integer(f.Of("class")...).Get()
	if kind, known := r.Integer(f.Of("type")...).Get(); !ok && known {
		class, ok = kind/100, true
	}
	code, _ := r.Text(f.Of("status code")...).Get()
	switch {
	case !ok:
		r.Fail(f.Of("class")[0], "is missing: it is no event of OCSF")
	case class != detectionFinding:
		r.Silence(incident.NotAlerting, "class %d is no detection finding, which is %d", class, detectionFinding)
	case r.Lookup(f.Of("compliance")[0]) != nil, isResult(code):
		r.Silence(incident.NotAlerting, "it is a result about settings, not about traffic")
	}
}

// isResult reports whether a status code is that of a check of settings, as Prowler writes
// it in detection findings.
func isResult(code string) bool {
	switch strings.ToUpper(code) {
	case "PASS", "FAIL", "MANUAL":
		return true
	}
	return false
}
