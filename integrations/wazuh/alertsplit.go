package wazuh

import (
	"bytes"
	"encoding/json"
	"slices"

	"github.com/stanch-soar/stanch/integrations/alerts"
)

// mostContainers bounds the containers within one another: those of a monitor's context, its
// results, the answer of a search, and its hits.
const mostContainers = 5

// splitAlerts takes an alert, a list or a stream of them, and the indexer's containers.
func splitAlerts(body json.RawMessage) ([]alerts.Document, *alerts.FieldError) {
	read := alerts.Stream
	if alerts.IsList(body) {
		read = func(list json.RawMessage) ([]alerts.Document, *alerts.FieldError) { return alerts.List("", list, "") }
	}
	posts, bad := read(body)
	switch {
	case bad != nil:
		return nil, bad
	case len(posts) < 2 && !alerts.IsList(body):
		// What is wrong with it is wrong with the body.
		if _, bad := alerts.Object("", body); bad != nil {
			return nil, bad
		}
		posts = []alerts.Document{{Raw: body}}
	}
	all := make([]alerts.Document, 0, len(posts))
	for _, post := range posts {
		all = append(all, unpacked(post, mostContainers)...)
	}
	return all, nil
}

// unpacked are the alerts in the answer of a search, or in what a monitor of OpenSearch's
// alerting posts. What is none is one document, which says so when it is read.
func unpacked(d alerts.Document, most int) []alerts.Document {
	isOne := func(name string) bool { return bytes.Contains(d.Raw, []byte(`"`+name+`"`)) }
	if most == 0 || !slices.ContainsFunc(containers(), isOne) {
		return []alerts.Document{d}
	}
	members, _ := alerts.Object(d.Path, d.Raw)
	for _, name := range containers() {
		if members[name] == nil || members["rule"] != nil || members["_source"] != nil {
			continue
		}
		list, bad := alerts.List(alerts.Join(d.Path, name), members[name], "")
		if bad != nil {
			break
		}
		var all []alerts.Document
		for _, one := range list {
			all = append(all, unpacked(one, most-1)...)
		}
		return all
	}
	return []alerts.Document{d}
}

func containers() []string { return []string{"ctx", "results", "hits", "alerts"} }
