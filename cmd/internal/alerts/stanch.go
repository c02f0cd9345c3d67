package alerts

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// list reads the elements of a JSON list as documents.
func list(path string, data json.RawMessage, status string) ([]document, *FieldError) {
	var items []json.RawMessage
	if err := json.Unmarshal(data, &items); err != nil {
		return nil, wrong(path, "is not a list of alerts")
	}
	documents := make([]document, 0, len(items))
	for i, item := range items {
		documents = append(documents, document{path: path + "[" + strconv.Itoa(i) + "]", raw: item, status: status})
	}
	return documents, nil
}

// object reads the members of the body, which must be one JSON object.
func object(path string, data json.RawMessage) (map[string]json.RawMessage, *FieldError) {
	if _, bad := decode(path, data); bad != nil {
		return nil, bad
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil {
		return nil, wrong(path, "is not an object")
	}
	return members, nil
}

func isList(data json.RawMessage) bool { return bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) }

// splitStanch takes one alert, or {"alerts": [...]} and nothing beside it.
func splitStanch(body json.RawMessage) ([]document, *FieldError) {
	fields, bad := decode("", body)
	if bad != nil {
		return nil, bad
	}
	if _, several := fields["alerts"]; !several {
		return []document{{raw: body, fields: fields}}, nil
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if name != "alerts" {
			return nil, wrong(foreign(name), "stands beside alerts: put it into each alert")
		}
	}
	var members struct {
		Alerts json.RawMessage `json:"alerts"`
	}
	if err := json.Unmarshal(body, &members); err != nil {
		return nil, wrong("", "is not an object")
	}
	return list("alerts", members.Alerts, "")
}

// readStanch reads an alert in the product's own form: the fields of
// [incident.Alert], written as bare values; see [Reference].
func readStanch(r *reader, d document) incident.Alert {
	r.strict = true
	r.refuseUnknown(d.fields, "")
	id, _ := r.identity("id").Get()
	host := r.host("host.id", "host.name", "host.ip")
	host.OS = r.os("host.os")
	a := incident.Alert{
		ID:       id,
		Status:   incident.Firing,
		Category: incident.Categories().Of(r.identity("category")),
		Rule:     r.text("rule"),
		Severity: r.text("severity"),
		Time:     r.instant("time"),
		Window:   r.duration("window"),
		BytesOut: r.size("bytes_out"),
		Count:    r.integer("count"),
		RaisedBy: r.text("raised_by"),
		Host:     host,
		Process: incident.AlertProcess{
			Name:        r.written("process.name"),
			Path:        r.written("process.path"),
			PID:         r.pid("process.pid"),
			CommandLine: r.written("process.command_line"),
			User:        r.written("process.user"),
		},
		Destination: incident.AlertDestination{
			IP:        r.address("destination.ip"),
			Port:      r.port("destination.port"),
			Transport: r.transport("destination.transport"),
		},
	}
	r.misplaced("process", &a.Process)
	r.misplaced("destination", &a.Destination)
	if word, known := r.text("status").Get(); known {
		// A word that is none must not lose the alert: it is decided.
		if status, ok := statusOf(word); ok {
			a.Status = status
		}
	}
	if !hostID(a.Host).IsKnown() {
		r.fail("host", "names no host: give host.id, host.name or host.ip")
	}
	return a
}

// refuseUnknown refuses a field that the reference does not list: a misspelt
// one would otherwise be lost without a word.
func (r *reader) refuseUnknown(fields map[string]any, at string) {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		path := join(at, name)
		inner, isObject := fields[name].(map[string]any)
		if slices.ContainsFunc(ownFields(), func(f Field) bool { return f.Path == path }) {
			continue
		}
		below := path + "."
		isGroup := slices.ContainsFunc(ownFields(), func(f Field) bool { return strings.HasPrefix(f.Path, below) })
		switch {
		case isGroup && (isObject || fields[name] == nil):
			r.refuseUnknown(inner, path)
		case isGroup && path == "host":
			r.fail(path, "is %s, not an object", kindOf(fields[name]))
		case !isGroup:
			r.fail(join(at, foreign(name)), "is not a field of an alert")
		}
	}
}

// foreign shows a name that the sender made up, quoted unless it is plain.
func foreign(name string) string {
	if quoted := quote(name); quoted != `"`+name+`"` || strings.ContainsAny(name, " .") {
		return quoted
	}
	return name
}

// statusOf reads the words that products use for the state of an alert.
func statusOf(word string) (incident.AlertStatus, bool) {
	switch strings.ToLower(word) {
	case "firing", "active", "open", "alerting", "new", "ongoing", "acknowledged", "in-progress", "in_progress":
		return incident.Firing, true
	case "resolved", "recovered", "closed":
		return incident.Resolved, true
	case "not_alerting", "untracked", "suppressed":
		return incident.NotAlerting, true
	case "sample", "test":
		return incident.Sample, true
	}
	name, ok := incident.Statuses().Word(word)
	return incident.AlertStatus(name), ok
}

// Field is one field of an alert in the product's own form.
type Field struct{ Path, Type, Doc string }

// Fields lists the fields that a source of kind stanch may send, in the order
// of [incident.Alert], from which their names and texts are taken.
func Fields() []Field { return slices.Clone(ownFields()) }

// ownFields is asked for every key of every alert; the types never change.
var ownFields = sync.OnceValue(func() []Field {
	own := []Field{
		{"id", "text", "The sender's own id of the alert. With `time` it names one occurrence: sent again it changes nothing, with other content it is an update, and with another time it is the next occurrence. Without an id it is computed from the content."},
		{"updated", "RFC 3339 time, or seconds since 1970", "When the sender changed the alert last. What is older than what came before changes nothing."},
		{"status", "text", "firing (when it is not given), resolved, not_alerting or sample. Only a firing alert opens a case; resolved never lifts a containment."},
	}
	return append(own, valueFields(reflect.TypeFor[incident.Alert](), "")...)
})

func valueFields(t reflect.Type, at string) []Field {
	var fields []Field
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		path := join(at, name)
		if v, ok := reflect.Zero(f.Type).Interface().(incident.Field); ok {
			fields = append(fields, Field{path, typeName(v.Type()), f.Tag.Get("doc")})
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
	case "[]string":
		return "list of addresses"
	default:
		return "text"
	}
}
