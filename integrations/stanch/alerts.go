// Package stanch reads alerts in the product's own form, for senders that can be
// written to fit.
package stanch

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Vendor is what this folder registers.
func Vendor() integrations.Vendor { return integrations.Vendor{Sources: []alerts.Spec{Alerts()}} }

// Alerts describes the product's own form.
func Alerts() alerts.Spec {
	return alerts.Spec{
		Kind:       "stanch",
		Summary:    "alerts in Stanch's own form, from whoever can write it",
		Doc:        doc(),
		Identity:   "`id`, else the content but for the status",
		Occurrence: "`time`",
		Example:    example,
		Varies:     []string{"siem-4711", "siem-{n}", "ws-042", "{host}", "10.20.0.42", "{ip}"},
		Split:      splitAlerts, Read: readAlert,
		Updated: []string{"updated"},
	}
}

func doc() string {
	var b strings.Builder
	b.WriteString("One alert as a JSON object, or `{\"alerts\": [ … ]}`. Every field may be left out (it is unknown then, never zero),\n" +
		"except that the host must be named in one way. A field that is not listed here is refused.\n\n" +
		"The host is the machine that sends, never the sensor that saw it.\n\n" +
		"| field | type | meaning |\n|---|---|---|\n")
	for _, f := range ownFields() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Path, f.Type, f.Doc)
	}
	b.WriteString("\nNumbers may be written as text, also with commas between groups of three digits. Times may have an offset with or\n" +
		"without colon and any number of fractional digits.")
	return b.String()
}

// splitAlerts takes one alert, or an object with the key "alerts" alone.
func splitAlerts(body json.RawMessage) ([]alerts.Document, *alerts.FieldError) {
	fields, bad := alerts.Decode("", body)
	if bad != nil {
		return nil, bad
	}
	if _, several := fields["alerts"]; !several {
		return []alerts.Document{{Raw: body, Fields: fields}}, nil
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name != "alerts" {
			return nil, alerts.Wrong(foreign(name), "stands beside alerts: put it into each alert")
		}
	}
	var members struct {
		Alerts json.RawMessage `json:"alerts"`
	}
	if err := json.Unmarshal(body, &members); err != nil {
		return nil, alerts.Wrong("", "is not an object")
	}
	return alerts.List("alerts", members.Alerts, "")
}

// readAlert reads an alert in the product's own form: the fields of
// [incident.Alert], written as bare values.
func readAlert(r *alerts.Reader, d alerts.Document) incident.Alert {
	r.Strict = true
	refuseUnknown(r, d.Fields, "")
	id, _ := r.Identity("id").Get()
	host := r.Host([]string{"host.id"}, []string{"host.name"}, []string{"host.ip"})
	host.OS = r.OS("host.os")
	a := incident.Alert{
		ID:        id,
		Status:    incident.Firing,
		Category:  incident.Categories().Of(r.Identity("category")),
		Rule:      r.Text("rule"),
		Severity:  r.Text("severity"),
		Time:      r.Instant("time"),
		Window:    r.Duration("window"),
		BytesOut:  r.Size("bytes_out"),
		Count:     r.Integer("count"),
		RaisedBy:  r.Text("raised_by"),
		Contained: r.Flag("contained"),
		Host:      host,
		Process: incident.AlertProcess{
			Name:        r.Written("process.name"),
			Path:        r.Written("process.path"),
			PID:         r.PID("process.pid"),
			CommandLine: r.Written("process.command_line"),
			User:        r.Written("process.user"),
		},
		Destination: incident.AlertDestination{
			IP:        r.Address("destination.ip"),
			Port:      r.Port("destination.port"),
			Transport: r.Transport("destination.transport"),
		},
	}
	r.Misplaced("process", &a.Process)
	r.Misplaced("destination", &a.Destination)
	if word, known := r.Text("status").Get(); known {
		// An unknown word must not lose the alert: it is decided.
		if status, ok := alerts.StatusOf(word); ok {
			a.Status = status
		}
	}
	if !alerts.HostID(a.Host).IsKnown() {
		r.Fail("host", "names no host: give host.id, host.name or host.ip")
	}
	return a
}

// refuseUnknown refuses a field that the reference does not list: a misspelt
// one would otherwise be lost silently.
func refuseUnknown(r *alerts.Reader, fields map[string]any, at string) {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		path := alerts.Join(at, name)
		inner, isObject := fields[name].(map[string]any)
		if slices.ContainsFunc(ownFields(), func(f field) bool { return f.Path == path }) {
			group, key, _ := strings.Cut(name, ".")
			if nested, _ := fields[group].(map[string]any); nested[key] != nil {
				r.Fail(path, "is given twice: with a dot in its name, and in %s", group)
			}
			continue
		}
		below := path + "."
		isGroup := slices.ContainsFunc(ownFields(), func(f field) bool { return strings.HasPrefix(f.Path, below) })
		switch {
		case isGroup && (isObject || fields[name] == nil):
			refuseUnknown(r, inner, path)
		case isGroup && path == "host":
			r.Fail(path, "is %s, not an object", alerts.KindOf(fields[name]))
		case !isGroup:
			r.Fail(alerts.Join(at, foreign(name)), "is not a field of an alert")
		}
	}
}

// foreign quotes a name that the sender made up, unless it is plain.
func foreign(name string) string {
	if quoted := alerts.Quote(name); quoted != `"`+name+`"` || strings.ContainsAny(name, " .") {
		return quoted
	}
	return name
}

// field is one field of an alert in the product's own form.
type field struct{ Path, Type, Doc string }

// ownFields is called for every key of every alert; the types never change.
var ownFields = sync.OnceValue(func() []field {
	own := []field{
		{"id", "text", "The sender's own id of the alert. With `time` it names one occurrence: sent again it changes nothing, with other content it is an update, and with another time it is the next occurrence. Without an id it is computed from the content."},
		{"updated", "RFC 3339 time, or seconds since 1970", "When the sender changed the alert last. What is older than what came before changes nothing."},
		{"status", "text", "firing (when it is not given), resolved, not_alerting or sample. Only a firing alert opens a case; resolved never lifts a containment."},
	}
	return append(own, valueFields(reflect.TypeFor[incident.Alert](), "")...)
})

func valueFields(t reflect.Type, at string) []field {
	var fields []field
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		path := alerts.Join(at, name)
		if v, ok := reflect.Zero(f.Type).Interface().(incident.Field); ok {
			fields = append(fields, field{path, typeName(v.Type()), f.Tag.Get("doc")})
		} else if f.Type.Kind() == reflect.Struct {
			fields = append(fields, valueFields(f.Type, path)...)
		}
	}
	return fields
}

func typeName(t reflect.Type) string {
	switch t.String() {
	case "int64":
		return "whole number"
	case "time.Time":
		return "RFC 3339 time, or seconds since 1970"
	case "time.Duration":
		return "duration such as 15m, or seconds"
	case "bool":
		return "true or false"
	case "[]string":
		return "list of addresses"
	default:
		return "text"
	}
}

// example fills in every field, synthetic.
const example = `{
  "id": "siem-4711",
  "category": "high_egress",
  "rule": "UDP egress above 1 GiB in 15 minutes",
  "severity": "high",
  "time": "2026-03-01T03:12:45Z",
  "window": "15m",
  "bytes_out": 4294967296,
  "raised_by": "alice",
  "count": 51234,
  "contained": false,
  "host": { "id": "ws-042", "name": "ws-042.corp.example", "os": "windows", "ip": ["10.20.0.42"] },
  "process": { "name": "updater.exe", "path": "C:\\Users\\Public\\updater.exe", "pid": 4242, "command_line": "updater.exe -q", "user": "CORP\\kim" },
  "destination": { "ip": "203.0.113.7", "port": 123, "transport": "udp" }
}
`
