package playbooks

import (
	"encoding"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
	"go.yaml.in/yaml/v4"
)

// shaped is a type with a YAML form of its own.
type shaped interface {
	// decodeYAML fills the value and reports faults through d.
	decodeYAML(d *document, n *yaml.Node, f field)
	// shape is the JSON Schema of the YAML form.
	shape(s *schemas) map[string]any
}

// field is the description of one key, from a struct's tags.
type field struct {
	name     string
	index    []int
	required bool
	enum     []string
	unit     string // size or rate
	cel      bool   // an expression
	in       string // the value is written as {in: value}
	word     string // a bool that is written as this one word
	private  bool   // messages never show the value
	doc      string
	standard string // the default, for people
	as       string // how the value is written, for people
	typ      reflect.Type
}

// fields returns the keys of a struct in the order of its fields. A key is the
// yaml tag, else the json tag, of an exported field.
func fields(t reflect.Type) []field {
	var out []field
	for i := range t.NumField() {
		sf := t.Field(i)
		if sf.Anonymous && sf.Type.Kind() == reflect.Struct {
			for _, inner := range fields(sf.Type) {
				inner.index = append([]int{i}, inner.index...)
				out = append(out, inner)
			}
			continue
		}
		tag, ok := sf.Tag.Lookup("yaml")
		if !ok {
			tag, ok = sf.Tag.Lookup("json")
		}
		name, rest, _ := strings.Cut(tag, ",")
		if !ok || !sf.IsExported() || name == "-" || name == "" || sf.Type == reflect.TypeFor[json.RawMessage]() {
			continue
		}
		f := field{
			name: name, index: []int{i}, unit: sf.Tag.Get("unit"), doc: docOf(name, sf.Tag.Get("doc")), standard: sf.Tag.Get("default"),
			in: sf.Tag.Get("in"), word: sf.Tag.Get("word"), as: sf.Tag.Get("as"), typ: sf.Type,
			required: slices.Contains(strings.Split(rest, ","), "required"),
		}
		_, f.cel = sf.Tag.Lookup("cel")
		_, f.private = sf.Tag.Lookup("private")
		if list := sf.Tag.Get("enum"); list != "" {
			f.enum = strings.Split(list, ",")
		}
		if sf.Type == reflect.TypeFor[incident.Action]() || sf.Type == reflect.TypeFor[[]incident.Action]() {
			f.enum = append(f.enum, texts(incident.Actions())...)
		}
		out = append(out, f)
	}
	return out
}

// value decodes a node into v.
func (d *document) value(n *yaml.Node, v reflect.Value, f field) {
	if d.bad[n] || n.Kind == yaml.AliasNode {
		return
	}
	if node, ok := v.Addr().Interface().(*Node); ok {
		*node = Node{doc: d, node: n}
		return
	}
	if s, ok := v.Addr().Interface().(shaped); ok {
		s.decodeYAML(d, n, f)
		return
	}
	if known, ok := v.Interface().(incident.Field); ok {
		d.fact(n, v, known, f)
		return
	}
	switch {
	case f.in != "":
		d.within(n, v, f)
	case f.word != "":
		d.theWord(n, v, f)
	case v.Kind() == reflect.Pointer:
		target := reflect.New(v.Type().Elem())
		d.value(n, target.Elem(), f)
		v.Set(target)
	case scalarType(v.Type()):
		if text, ok := d.scalar(n, f, v.Type()); ok && !d.misplacedSecret(n, text, f) {
			d.text(n, text, v, f)
			d.noteInline(n, text, v)
		}
	case v.Kind() == reflect.Struct:
		d.mapping(n, v, f)
	case v.Kind() == reflect.Map:
		d.dict(n, v, f)
	case v.Kind() == reflect.Slice:
		d.list(n, v, f)
	default:
		d.blame(n, "%s cannot be set in a file", f.name)
	}
}

// scalarType reports whether values of the type are written as one text.
func scalarType(t reflect.Type) bool {
	if t == reflect.TypeFor[time.Time]() || reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()) {
		return true
	}
	switch t.Kind() {
	case reflect.String, reflect.Bool, reflect.Int, reflect.Int64, reflect.Float64:
		return true
	default:
		return false
	}
}

// mapping decodes a mapping into a struct.
func (d *document) mapping(n *yaml.Node, v reflect.Value, f field) {
	if !d.isMapping(n, f) {
		return
	}
	known := fields(v.Type())
	twins := map[string]field{}
	names := make([]string, 0, len(known))
	for _, k := range known {
		names = append(names, k.name)
		if d.twin != nil && k.typ == d.twin {
			twins[k.name+"_file"] = k
			names = append(names, k.name+"_file")
		}
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if d.bad[key] {
			continue
		}
		at := slices.IndexFunc(known, func(k field) bool { return k.name == key.Value })
		if at >= 0 {
			d.value(value, v.FieldByIndex(known[at].index), known[at])
			continue
		}
		if secret, ok := twins[key.Value]; ok {
			if first, _ := lookup(n, secret.name); first != nil {
				d.blame(key, "%s and %s both stand here; one of them is enough", secret.name, key.Value)
				continue
			}
			d.fromFile(value, v.FieldByIndex(secret.index), secret)
			continue
		}
		d.unknownKey(n, key, f.name, names)
	}
	for _, k := range known {
		_, twin := twins[k.name+"_file"]
		if k.required && !d.holds(n, k.name) && !(twin && d.holds(n, k.name+"_file")) {
			d.issue(n.Line, n.Column, "%s needs %s", f.name, k.name)
		}
	}
}

// holds reports whether a mapping has a key, or one that was meant to be it.
func (d *document) holds(n *yaml.Node, key string) bool {
	k, _ := lookup(n, key)
	return k != nil || slices.Contains(d.misspelt[n], key)
}

// isMapping reports whether a node is a mapping, and reports a fault if it is
// not. An empty value has no keys; missing required ones are then reported by
// name.
func (d *document) isMapping(n *yaml.Node, f field) bool {
	if n.Kind == yaml.MappingNode {
		return true
	}
	d.blame(n, "%s must be a mapping of keys to values, not %s", f.name, d.kindOf(n, field{}))
	return false
}

// dict decodes a mapping with free keys.
func (d *document) dict(n *yaml.Node, v reflect.Value, f field) {
	if !d.isMapping(n, f) {
		return
	}
	out := reflect.MakeMap(v.Type())
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if d.bad[key] {
			continue
		}
		if d.misplacedSecret(key, key.Value, field{name: "a key of " + f.name}) {
			continue
		}
		item := reflect.New(v.Type().Elem()).Elem()
		d.value(value, item, field{name: d.nameOf(key, value, f.name), typ: item.Type()})
		out.SetMapIndex(reflect.ValueOf(key.Value).Convert(v.Type().Key()), item)
	}
	v.Set(out)
}

func (d *document) list(n *yaml.Node, v reflect.Value, f field) {
	if n.Kind != yaml.SequenceNode {
		d.blame(n, "%s must be a list, not %s", f.name, d.kindOf(n, field{}))
		return
	}
	out := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, c := range n.Content {
		item := f
		item.name, item.typ = d.entryName(c, f.name), v.Type().Elem()
		d.value(c, out.Index(i), item)
	}
	v.Set(out)
}

// nameOf names an entry of a mapping with free keys. In a file with secrets a key
// without a value may be a secret in the wrong place.
func (d *document) nameOf(key, value *yaml.Node, mapping string) string {
	if d.private() && (value.Kind != yaml.MappingNode || !oneWord.MatchString(key.Value)) {
		return "an entry of " + mapping
	}
	return key.Value
}

// entryName names an entry of a list for people: by its own name where it has
// one.
func (d *document) entryName(n *yaml.Node, list string) string {
	if d.private() {
		return "an entry of " + list
	}
	for _, key := range []string{"rule", "name"} {
		if _, name := lookup(n, key); name != nil && name.Kind == yaml.ScalarNode && name.Value != "" {
			return strconv.Quote(shorten(name.Value, 80)) + " in " + list
		}
	}
	return "an entry of " + list
}

// within decodes a value that is written as {key: value}.
func (d *document) within(n *yaml.Node, v reflect.Value, f field) {
	if !d.isMapping(n, f) {
		return
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if key.Value == f.in {
			inner := f
			inner.name, inner.in = f.in, ""
			d.value(value, v, inner)
		} else {
			d.unknownKey(n, key, f.name, []string{f.in})
		}
	}
	if !d.holds(n, f.in) {
		d.issue(n.Line, n.Column, "%s needs %s", f.name, f.in)
	}
}

// theWord decodes a bool that is true when the one word is written.
func (d *document) theWord(n *yaml.Node, v reflect.Value, f field) {
	if n.Kind != yaml.ScalarNode || n.Value != f.word {
		d.blame(n, "%s can only be %s", f.name, f.word)
		return
	}
	v.SetBool(true)
}

// fact decodes a handwritten value into a value with provenance: it is assumed.
// The plain word unknown makes it unknown; in quotes it is text.
func (d *document) fact(n *yaml.Node, v reflect.Value, known incident.Field, f field) {
	if isUnknown(n) {
		v.SetZero()
		return
	}
	inner := reflect.New(known.Type())
	before := len(d.issues)
	d.value(n, inner.Elem(), f)
	if len(d.issues) > before || d.bad[n] {
		return
	}
	data, err := json.Marshal(inner.Interface())
	if err == nil {
		err = json.Unmarshal(data, v.Addr().Interface())
	}
	if err != nil {
		d.blame(n, "%s: %v", f.name, err)
	}
}

func isUnknown(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.Style == 0 && n.Value == "unknown"
}
