package playbooks

import (
	"maps"
	"reflect"

	"github.com/stanch-soar/stanch/playbooks/incident"
	"go.yaml.in/yaml/v4"
)

// DecodeFacts reads handwritten facts: sizes, rates and durations
// in their units, every value assumed. A field that is not there is unknown; so
// is one, or a whole fact, whose value is the plain word unknown. In quotes
// that word is text, as in role: 'unknown'.
func DecodeFacts(file string, data []byte) (incident.Facts, error) {
	d := parse(file, data)
	d.bareUnits = true
	var facts incident.Facts
	if d.root != nil {
		d.facts(d.root, &facts, "the file")
	}
	explain(&facts)
	if err := d.sorted().Err(); err != nil {
		return incident.Facts{}, err
	}
	return facts, nil
}

// facts decodes facts over existing ones, field by field. Besides names keys that are
// none.
func (d *document) facts(n *yaml.Node, into *incident.Facts, what string, besides ...string) {
	if !d.isMapping(n, field{name: what}) {
		return
	}
	v := reflect.ValueOf(into).Elem()
	known := fields(v.Type())
	names := make([]string, 0, len(known))
	for _, f := range known {
		names = append(names, f.name)
		_, value := lookup(n, f.name)
		switch fact := v.FieldByIndex(f.index); {
		case value == nil:
		case isUnknown(value) && f.name != "alert":
			fact.SetZero()
		default:
			d.value(value, fact, f)
		}
	}
	lint{document: d}.onlyKeys(n, what, append(names, besides...))
}

// NotGiven is why a value is unknown that people left out of facts that they wrote.
const NotGiven = "not given"

// explain gives every unknown value its reason.
func explain(facts *incident.Facts) { incident.Explain(facts, NotGiven) }

// Given are facts of a test and the state of the simulated estate, over those of
// the level above.
type Given struct {
	node Node
	// Cannot are integrations that cannot act in the test, by name, each with the reason.
	Cannot map[string]string
}

// cannot is the key of a given that is no fact.
const cannot = "cannot"

func (g *Given) decodeYAML(d *document, n *yaml.Node, f field) {
	g.node = Node{doc: d, node: n}
	var scratch incident.Facts
	d.facts(n, &scratch, f.name, cannot)
	if _, value := lookup(n, cannot); value != nil {
		d.value(value, reflect.ValueOf(&g.Cannot).Elem(), field{name: cannot})
	}
}

func (*Given) shape(s *schemas) map[string]any {
	facts, _ := s.defs["facts"].(map[string]any)
	if facts == nil {
		s.facts()
		facts, _ = s.defs["facts"].(map[string]any)
	}
	return s.define("given", func() map[string]any {
		out := maps.Clone(facts)
		properties, _ := facts["properties"].(map[string]any)
		properties = maps.Clone(properties)
		properties[cannot] = map[string]any{
			"type": "object", "additionalProperties": map[string]any{"type": "string"},
			"description": "Integrations that cannot act, each with the reason, such as { gateway: it is full }.",
		}
		out["properties"] = properties
		return out
	})
}

// over applies the given to facts.
func (g Given) over(facts *incident.Facts) {
	if !g.node.IsZero() {
		g.node.doc.facts(g.node.node, facts, "given", cannot)
	}
}
