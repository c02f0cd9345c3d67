package playbooks

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v4"
)

// Node is a part of a file that is decoded later, when its type is known: the
// configuration of an integration, once its kind was read. Its issues have the
// positions in the file.
type Node struct {
	doc  *document
	node *yaml.Node
	// above is the nearest part that is there, where this one is missing: an
	// issue about what is missing has its position.
	above *yaml.Node
	// without are keys that the caller reads.
	without []string
}

// IsZero reports whether the file has no such part.
func (n Node) IsZero() bool { return n.node == nil }

// Get returns the value of a key.
func (n Node) Get(key string) Node {
	_, value := lookup(n.node, key)
	return n.below(value)
}

// At returns an entry of a list.
func (n Node) At(i int) Node {
	if n.node == nil || n.node.Kind != yaml.SequenceNode || i >= len(n.node.Content) {
		return n.below(nil)
	}
	return n.below(n.node.Content[i])
}

// below is a part of this one; nil is one that is missing.
func (n Node) below(node *yaml.Node) Node {
	return Node{doc: n.doc, node: node, above: cmp.Or(n.node, n.above)}
}

// Keys returns the keys of a mapping, in the order of the file.
func (n Node) Keys() []string {
	if n.node == nil || n.node.Kind != yaml.MappingNode {
		return nil
	}
	var keys []string
	for i := 0; i < len(n.node.Content); i += 2 {
		if key := n.node.Content[i].Value; !slices.Contains(n.without, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// Items returns the entries of a list, in the order of the file.
func (n Node) Items() []Node {
	if n.node == nil || n.node.Kind != yaml.SequenceNode {
		return nil
	}
	items := make([]Node, 0, len(n.node.Content))
	for _, item := range n.node.Content {
		items = append(items, n.below(item))
	}
	return items
}

// Without returns the same part without the given keys.
func (n Node) Without(keys ...string) Node {
	n.without = append(slices.Clone(n.without), keys...)
	return n
}

// Decode decodes the part as [DecodeStrict] does, with the same options.
func (n Node) Decode(into any) Issues {
	if n.node == nil {
		return nil
	}
	d := *n.doc
	d.issues = nil
	node := n.node
	if node.Kind == yaml.MappingNode && len(n.without) > 0 {
		trimmed := *node
		trimmed.Content = nil
		for i := 0; i+1 < len(node.Content); i += 2 {
			if !slices.Contains(n.without, node.Content[i].Value) {
				trimmed.Content = append(trimmed.Content, node.Content[i], node.Content[i+1])
			}
		}
		node = &trimmed
	}
	d.value(node, reflect.ValueOf(into).Elem(), field{name: "the value"})
	return d.sorted()
}

// Issue returns an issue at the position of the part, or of the part in which it
// is missing.
func (n Node) Issue(format string, args ...any) Issue {
	at := cmp.Or(n.node, n.above)
	if at == nil {
		return Issue{Message: fmt.Sprintf(format, args...)}
	}
	line, column := at.Line, at.Column
	return Issue{
		File: n.doc.file, Line: line, Column: column, Message: fmt.Sprintf(format, args...), Snippet: n.doc.snippet(line, column),
	}
}

// Quoted is the text of the part for a message: in quotes where it can be shown,
// else the words "the value". It is the text of the file, not the value of an
// environment variable.
func (n Node) Quoted() string {
	if n.node == nil || n.node.Kind != yaml.ScalarNode || n.doc.private() && (!oneWord.MatchString(n.node.Value) || mayBeSecret(n.node.Value)) {
		return "the value"
	}
	return strconv.Quote(n.node.Value)
}

// KeyIssue returns an issue at the position of a key of a mapping.
func (n Node) KeyIssue(key, format string, args ...any) Issue {
	at, _ := lookup(n.node, key)
	return n.below(at).Issue(format, args...)
}

// lookup returns the key and the value nodes of a key in a mapping.
func lookup(n *yaml.Node, key string) (*yaml.Node, *yaml.Node) {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i], n.Content[i+1]
		}
	}
	return nil, nil
}
