package playbooks

import "go.yaml.in/yaml/v4"

// find returns the node at a path of keys and indices, or nil.
func (d *document) find(path ...any) *yaml.Node {
	n, rest := d.walkTo(path)
	if len(rest) > 0 {
		return nil
	}
	return n
}

// has reports whether there is a value at a path, or a misspelt key for one.
func (d *document) has(path ...any) bool {
	n, rest := d.walkTo(path)
	if len(rest) == 1 {
		key, ok := rest[0].(string)
		return ok && d.holds(n, key)
	}
	return n != nil && len(rest) == 0
}

// walkTo follows a path as far as the file goes.
func (d *document) walkTo(path []any) (*yaml.Node, []any) {
	n := d.root
	for len(path) > 0 && n != nil {
		var next *yaml.Node
		switch at := path[0].(type) {
		case string:
			_, next = lookup(n, at)
		case int:
			if n.Kind == yaml.SequenceNode && at < len(n.Content) {
				next = n.Content[at]
			}
		}
		if next == nil {
			break
		}
		n, path = next, path[1:]
	}
	return n, path
}

// place returns the node at which a fault of a path is reported: the value, or
// the node that should contain it.
func (d *document) place(path []any) *yaml.Node {
	n, _ := d.walkTo(path)
	return n
}

// keyPlace returns the key of the last element of a path, else its place.
func (d *document) keyPlace(path []any) *yaml.Node {
	if name, ok := path[len(path)-1].(string); ok {
		if parent := d.find(path[:len(path)-1]...); parent != nil {
			if key, _ := lookup(parent, name); key != nil {
				return key
			}
		}
	}
	return d.place(path)
}
