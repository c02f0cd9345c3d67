package playbooks

import (
	"reflect"

	"github.com/stanch-soar/stanch/playbooks/policy"
	"go.yaml.in/yaml/v4"
)

// Expressions are one value of a file: an expression, or a list of them of which the
// first that gives a value counts.
type Expressions []policy.Expr

// decodeYAML reads one expression, or a list of them.
func (e *Expressions) decodeYAML(d *document, n *yaml.Node, f field) {
	nodes := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		if nodes = n.Content; len(nodes) == 0 {
			d.blame(n, "%s is an empty list: it needs an expression", f.name)
		}
	}
	for _, node := range nodes {
		if d.bad[node] {
			continue
		}
		if _, ok := d.scalar(node, field{name: f.name, cel: true}, reflect.TypeFor[string]()); ok {
			*e = append(*e, d.exprAt(node))
		}
	}
}

func (*Expressions) shape(*schemas) map[string]any {
	one := map[string]any{"$ref": expressionRef}
	return map[string]any{"anyOf": []any{one, map[string]any{"type": "array", "items": one, "minItems": 1}}}
}

// ExpressionIssues are the compiler's faults as issues of the file that holds the
// expressions.
func ExpressionIssues(file string, data []byte, faults []policy.Issue) Issues {
	d := parse(file, data)
	d.issues = nil
	d.expressionFaults(faults)
	return d.sorted()
}

// BareUnits lets sizes and rates be plain numbers too: bytes, and bits per second.
func BareUnits() Option { return func(d *document) { d.bareUnits = true } }
