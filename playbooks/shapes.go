package playbooks

import (
	"reflect"
	"slices"

	"github.com/stanch-soar/stanch/playbooks/incident"
	"go.yaml.in/yaml/v4"
)

// Lets are named expressions in the order of the file.
type Lets []Let

// decodeYAML reads a mapping whose order counts.
func (l *Lets) decodeYAML(d *document, n *yaml.Node, f field) {
	if !d.isMapping(n, f) {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if d.bad[key] || d.bad[value] {
			continue
		}
		let := Let{Name: key.Value}
		ok := false
		if let.Expr, ok = d.scalar(value, field{name: "let " + key.Value, cel: true}, reflect.TypeFor[string]()); ok {
			*l = append(*l, let)
		}
	}
}

func (*Lets) shape(*schemas) map[string]any {
	return map[string]any{"type": "object", "additionalProperties": map[string]any{"$ref": expressionRef}}
}

// Doings are a rule's steps and approvals in order.
type Doings []incident.Doing

// gate is how an approval is written in a do list.
type gate struct {
	Approve   string   `yaml:"approve,required" doc:"The approval that gates the steps after it."`
	IfDenied  []string `yaml:"if_denied" doc:"Steps to run when people say no; release undoes what this case holds."`
	IfExpired []string `yaml:"if_expired" doc:"Steps to run when nobody answers; release undoes what this case holds."`
}

// decodeYAML reads a list of step names and of approvals.
func (doings *Doings) decodeYAML(d *document, n *yaml.Node, f field) {
	if n.Kind != yaml.SequenceNode {
		d.blame(n, "%s must be a list of steps, not %s", f.name, d.kindOf(n, field{}))
		return
	}
	*doings = make(Doings, len(n.Content))
	for i, entry := range n.Content {
		doing := &(*doings)[i]
		if entry.Kind != yaml.MappingNode {
			doing.Step, _ = d.named(entry, "an entry of do")
			continue
		}
		var g gate
		d.value(entry, reflect.ValueOf(&g).Elem(), field{name: "an approval in do"})
		doing.Approve, doing.IfDenied, doing.IfExpired = g.Approve, g.IfDenied, g.IfExpired
	}
}

func (*Doings) shape(s *schemas) map[string]any {
	return map[string]any{"type": "array", "items": map[string]any{"anyOf": []any{
		map[string]any{"type": "string", "description": "The name of a step."},
		s.of(reflect.TypeFor[gate]()),
	}}}
}

// Uses are the names of integrations, the preferred one first.
type Uses []string

// First is the preferred integration; empty where none is named.
func (u Uses) First() string {
	if len(u) == 0 {
		return ""
	}
	return u[0]
}

// decodeYAML reads a name, or a list of them.
func (u *Uses) decodeYAML(d *document, n *yaml.Node, f field) {
	if n.Kind != yaml.SequenceNode {
		if name, ok := d.named(n, f.name); ok {
			*u = Uses{name}
		}
		return
	}
	if len(n.Content) == 0 {
		d.blame(n, "%s is an empty list: it needs the name of an integration", f.name)
	}
	for _, entry := range n.Content {
		name, ok := d.named(entry, "an entry of "+f.name)
		switch {
		case !ok:
		case slices.Contains(*u, name):
			d.blame(entry, "%s names %q twice", f.name, name)
		default:
			*u = append(*u, name)
		}
	}
}

func (*Uses) shape(*schemas) map[string]any {
	name := map[string]any{"type": "string", "minLength": 1}
	return map[string]any{"anyOf": []any{name, map[string]any{"type": "array", "items": name, "minItems": 1, "maxItems": maxUses, "uniqueItems": true}}}
}

const mention = "mention"

// decodeYAML reads {slack: '#channel', mention: '@group'}: the one key besides
// mention is the name of a messenger integration.
func (a *Ask) decodeYAML(d *document, n *yaml.Node, f field) {
	if !d.isMapping(n, f) {
		return
	}
	faulty := false
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case d.bad[key] || d.bad[value]:
			faulty = true
		case key.Value == mention:
			a.Mention, _ = d.named(value, mention)
		case a.Use != "":
			d.blame(key, "%s names two messengers, %s and %s; it can be one", f.name, a.Use, key.Value)
		default:
			a.Use = key.Value
			a.Channel, _ = d.named(value, "the channel of "+a.Use)
		}
	}
	if a.Use == "" && !faulty {
		d.blame(n, "%s needs the name of a messenger integration with the channel, such as slack: '#sec-oncall'", f.name)
	}
}

func (*Ask) shape(*schemas) map[string]any {
	text := map[string]any{"type": "string"}
	return map[string]any{
		"type": "object", "minProperties": 1, "maxProperties": 2, "additionalProperties": text,
		"properties": map[string]any{mention: map[string]any{"type": "string", "description": "Whom to call, in the messenger's own form."}},
	}
}

// named reads text that must not be empty.
func (d *document) named(n *yaml.Node, name string) (string, bool) {
	if d.bad[n] {
		return "", false
	}
	text, ok := d.scalar(n, field{name: name}, reflect.TypeFor[string]())
	if ok && text == "" {
		d.blame(n, "%s is empty", name)
		return "", false
	}
	return text, ok
}
