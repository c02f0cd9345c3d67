package alerts

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// List reads the elements of a JSON list as documents.
func List(path string, data json.RawMessage, status string) ([]Document, *FieldError) {
	var items []json.RawMessage
	if err := json.Unmarshal(data, &items); err != nil || !IsList(data) {
		return nil, Wrong(path, "is not a list of alerts")
	}
	documents := make([]Document, 0, len(items))
	for i, item := range items {
		documents = append(documents, Document{Path: path + "[" + strconv.Itoa(i) + "]", Raw: item, Status: status})
	}
	return documents, nil
}

// Object reads the members of the body, which must be one JSON object.
func Object(path string, data json.RawMessage) (map[string]json.RawMessage, *FieldError) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err == nil && members != nil {
		return members, nil
	}
	if _, bad := Decode(path, data); bad != nil {
		return nil, bad
	}
	return nil, Wrong(path, "is not an object")
}

// IsList reports whether a JSON text is a list, by its first character.
func IsList(data json.RawMessage) bool { return bytes.HasPrefix(bytes.TrimSpace(data), []byte("[")) }

// StatusOf reads the words that products use for the state of an alert.
func StatusOf(word string) (incident.AlertStatus, bool) {
	switch strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(word), " ", "_"), "-", "_") {
	case "firing", "active", "open", "alerting", "new", "ongoing", "acknowledged", "in_progress", "inprogress",
		"reopened", "re_opened", "triggered", "assigned", "investigating", "under_investigation", "escalated":
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
