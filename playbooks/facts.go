package playbooks

import (
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

// facts decodes facts over existing ones, field by field.
func (d *document) facts(n *yaml.Node, into *incident.Facts, what string) {
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
	lint{document: d}.onlyKeys(n, what, names)
}

// NotGiven is why a value is unknown that people left out of facts that they wrote.
const NotGiven = "not given"

// explain gives every unknown value its reason.
func explain(facts *incident.Facts) { incident.Explain(facts, NotGiven) }

// Given are facts of a test and the state of the simulated estate, over those of
// the level above.
type Given struct{ node Node }

func (g *Given) decodeYAML(d *document, n *yaml.Node, f field) {
	g.node = Node{doc: d, node: n}
	var scratch incident.Facts
	d.facts(n, &scratch, f.name)
}

func (*Given) shape(s *schemas) map[string]any { return s.facts() }

// over applies the given to facts.
func (g Given) over(facts *incident.Facts) {
	if !g.node.IsZero() {
		g.node.doc.facts(g.node.node, facts, "given")
	}
}
