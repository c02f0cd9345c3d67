package alerts

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// List reads the elements of a JSON list as documents. An object in place of a list is the
// one that it would hold: many a relay writes a list of one so.
func List(path string, data json.RawMessage, status string) ([]Document, *FieldError) {
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return []Document{{Path: path, Raw: data, Status: status}}, nil
	}
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

// Object reads the members of the body, which must be one JSON object. Two lists of one name
// are one list: what the first of them holds must not be lost.
func Object(path string, data json.RawMessage) (map[string]json.RawMessage, *FieldError) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil || members == nil {
		if _, bad := Decode(path, data); bad != nil {
			return nil, bad
		}
		return nil, Wrong(path, "is not an object")
	}
	if countMembers(data) == len(members) {
		return members, nil
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	// What was decoded is an object.
	_, _ = dec.Token()
	lists := map[string][]json.RawMessage{}
	for dec.More() {
		var value json.RawMessage
		token, err := dec.Token()
		name, ok := token.(string)
		if err != nil || !ok || dec.Decode(&value) != nil {
			return nil, Wrong(path, "is not an object")
		}
		if IsList(value) {
			lists[name] = append(lists[name], value)
		}
	}
	for name, parts := range lists {
		if len(parts) > 1 && IsList(members[name]) {
			members[name] = inOne(parts)
		}
	}
	return members, nil
}

// countMembers is how many members an object has in valid JSON, also where some have one name.
func countMembers(data []byte) (members int) {
	depth := 0
	for at := 0; at < len(data); at++ {
		switch data[at] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ':':
			if depth == 1 {
				members++
			}
		case '"':
			for at++; at < len(data) && data[at] != '"'; at++ {
				if data[at] == '\\' {
					at++
				}
			}
		}
	}
	return members
}

// inOne is the list with the elements of all these lists.
func inOne(parts []json.RawMessage) json.RawMessage {
	all := []json.RawMessage{}
	for _, part := range parts {
		var some []json.RawMessage
		// What was decoded is a list.
		_ = json.Unmarshal(part, &some)
		all = append(all, some...)
	}
	// And it encodes.
	data, _ := json.Marshal(all)
	return data
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
