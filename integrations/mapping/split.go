package mapping

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/policy"
)

const (
	// maxAround bounds what stands around the alerts of a body: each of them that waits
	// to be tried again is kept with it.
	maxAround = 16 << 10
	// maxMade bounds what documents makes of a body, which may name a part of it for
	// each alert.
	maxMade = 8 << 20
	// enveloped is the key of a body that we made of documents.
	enveloped = "stanch/mapping"
)

// envelope is a body that holds documents where the mapping need not look for them.
type envelope struct {
	Documents []json.RawMessage `json:"documents"`
	Body      json.RawMessage   `json:"body,omitempty"`
}

// around is what stands around the alerts of a body; its raw form is empty where there is
// nothing, or too much.
type around struct {
	raw   json.RawMessage
	value any
	// wrong is why a body among others holds no alerts.
	wrong *alerts.FieldError
}

// split finds the alerts of a body, or of several that follow one another.
func (m *Mapping) split(body json.RawMessage) ([]alerts.Document, *alerts.FieldError) {
	if m.broken != nil {
		return nil, alerts.Wrong("", "cannot be read: %v", m.broken)
	}
	v, bad := alerts.DecodeAny("", body)
	if bad != nil {
		return m.each(body)
	}
	return m.splitOne(v, body)
}

func (m *Mapping) splitOne(v any, body json.RawMessage) ([]alerts.Document, *alerts.FieldError) {
	if kept, ok := opened(v, body); ok {
		return m.unfold(kept)
	}
	if len(m.values["documents"]) == 0 {
		return plain(v, body)
	}
	return m.find(v, len(body))
}

// each finds the alerts of bodies that follow one another, as shippers of logs write a line
// for each. One that holds none is a document that says so, and takes nothing from the others.
func (m *Mapping) each(body json.RawMessage) ([]alerts.Document, *alerts.FieldError) {
	bodies, bad := alerts.Stream(body)
	if bad != nil || len(m.values["documents"]) == 0 {
		return bodies, bad
	}
	var all []alerts.Document
	for _, one := range bodies {
		var found []alerts.Document
		v, bad := alerts.DecodeAny("", one.Raw)
		if bad == nil {
			found, bad = m.splitOne(v, one.Raw)
		}
		if bad != nil {
			one.Around = &around{wrong: bad}
			all = append(all, one)
			continue
		}
		for _, d := range found {
			d.Path = alerts.Join(one.Path, d.Path)
			all = append(all, d)
		}
	}
	return all, nil
}

// plain takes the elements of a list, or the one object.
func plain(v any, body json.RawMessage) ([]alerts.Document, *alerts.FieldError) {
	switch v := v.(type) {
	case []any:
		documents, bad := alerts.List("", body, "")
		for i := range documents {
			documents[i].Fields, _ = v[i].(map[string]any)
		}
		return documents, bad
	case map[string]any:
		return []alerts.Document{{Raw: body, Fields: v}}, nil
	default:
		return nil, alerts.Wrong("", "is %s, not an object or a list of them", alerts.KindOf(v))
	}
}

// opened reports whether a body is one that join made.
func opened(v any, body json.RawMessage) (envelope, bool) {
	fields, _ := v.(map[string]any)
	if _, ok := fields[enveloped].(map[string]any); !ok || len(fields) != 1 {
		return envelope{}, false
	}
	var kept map[string]envelope
	err := json.Unmarshal(body, &kept)
	return kept[enveloped], err == nil
}

func (m *Mapping) unfold(kept envelope) ([]alerts.Document, *alerts.FieldError) {
	a := &around{raw: kept.Body}
	if len(kept.Body) > 0 {
		var bad *alerts.FieldError
		if a.value, bad = alerts.DecodeAny(enveloped+".body", kept.Body); bad != nil {
			return nil, bad
		}
	}
	documents := make([]alerts.Document, 0, len(kept.Documents))
	for i, raw := range kept.Documents {
		documents = append(documents, alerts.Document{Path: fmt.Sprintf("%s.documents[%d]", enveloped, i), Raw: raw, Around: a})
	}
	return documents, nil
}

// find takes what the expression of the mapping gives.
func (m *Mapping) find(body any, size int) ([]alerts.Document, *alerts.FieldError) {
	in, err := policy.NewInputs([]string{bodyName}, map[string]any{bodyName: body}, size)
	if err != nil {
		return nil, alerts.Wrong("", "%v", err)
	}
	var found []any
	why := ""
	for _, e := range m.values["documents"] {
		v, reason := e.Value(in)
		switch v := v.(type) {
		case []any:
			found, reason = v, ""
		case map[string]any:
			found, reason = []any{v}, ""
		default:
			if reason == "" {
				reason = "they are " + alerts.KindOf(v)
			}
		}
		if reason == "" {
			return documents(found, m.places(body), m.rest(body))
		}
		if why == "" {
			why = fmt.Sprintf("holds no alerts: %s (%s)", reason, e.place)
		}
	}
	return nil, alerts.Wrong("", "%s", why)
}

func documents(found []any, places map[uintptr]string, a *around) ([]alerts.Document, *alerts.FieldError) {
	documents := make([]alerts.Document, 0, len(found))
	made := 0
	for i, v := range found {
		raw := encoded(v)
		if made += len(raw); made > maxMade {
			return nil, alerts.Wrong("", "documents makes more than %d bytes of it", maxMade)
		}
		fields, _ := v.(map[string]any)
		path, ok := places[reflect.ValueOf(fields).Pointer()]
		if !ok {
			path = fmt.Sprintf("documents[%d]", i)
		}
		documents = append(documents, alerts.Document{Path: path, Raw: raw, Fields: fields, Around: a})
	}
	return documents, nil
}

// places says where the objects stand in a body that documents may give: those that it
// reads, and the elements of the lists. What it makes itself, or takes out of their inside,
// has no place.
func (m *Mapping) places(body any) map[uintptr]string {
	places := map[uintptr]string{}
	add := func(v any, path string) {
		if fields, ok := v.(map[string]any); ok {
			places[reflect.ValueOf(fields).Pointer()] = path
		}
	}
	for _, names := range m.apart {
		v, path := body, ""
		for _, name := range names {
			fields, _ := v.(map[string]any)
			v, path = fields[name], alerts.Join(path, name)
		}
		add(v, path)
		items, _ := v.([]any)
		for i, item := range items {
			add(item, fmt.Sprintf("%s[%d]", path, i))
		}
	}
	return places
}

// encoded writes a value that was decoded from JSON, every character as itself.
func encoded(v any) json.RawMessage {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	// What was decoded from JSON encodes.
	_ = enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// rest is the body without what documents reads, where an expression asks for it.
func (m *Mapping) rest(body any) *around {
	if !m.around {
		return nil
	}
	for _, path := range m.apart {
		body = without(body, path)
	}
	raw := encoded(body)
	if body == nil || len(raw) > maxAround {
		return &around{}
	}
	return &around{raw: raw, value: body}
}

// without is a value without what stands at a path below it. The value is not changed.
func without(v any, path []string) any {
	fields, ok := v.(map[string]any)
	switch {
	case len(path) == 0:
		return nil
	case !ok || fields[path[0]] == nil:
		return v
	}
	less := maps.Clone(fields)
	if inner := without(fields[path[0]], path[1:]); inner != nil {
		less[path[0]] = inner
	} else {
		delete(less, path[0])
	}
	return less
}

// join makes a body of documents alone: a line for those of one body.
func (m *Mapping) join(documents []alerts.Document) []byte {
	if len(m.values["documents"]) == 0 {
		return alerts.JoinStream(documents)
	}
	var lines [][]byte
	for len(documents) > 0 {
		n := slices.IndexFunc(documents, func(d alerts.Document) bool { return d.Around != documents[0].Around })
		if n < 0 {
			n = len(documents)
		}
		lines = append(lines, joinOne(documents[:n]))
		documents = documents[n:]
	}
	return bytes.Join(lines, []byte("\n"))
}

// joinOne makes a body of documents of one body.
func joinOne(documents []alerts.Document) []byte {
	var kept envelope
	a, _ := documents[0].Around.(*around)
	if a != nil {
		kept.Body = a.raw
	}
	for _, d := range documents {
		kept.Documents = append(kept.Documents, d.Raw)
	}
	data, err := json.Marshal(map[string]envelope{enveloped: kept})
	if err != nil || a != nil && a.wrong != nil {
		// It is kept to be looked at.
		return []byte(strings.ToValidUTF8(string(documents[0].Raw), "?"))
	}
	return data
}
