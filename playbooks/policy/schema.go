package policy

import (
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/google/cel-go/cel"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Variable is one path that an expression can read, for the reference manual and
// for suggestions on misspelt names.
type Variable struct {
	Path string // such as traffic.bytes_out, or traffic.top[].ip within a list
	Type string // in CEL's words
	Doc  string
}

// Variables returns every path that expressions can read: the fields of the facts
// in the order of display, and now.
func Variables() []Variable {
	var out []Variable
	s := schema()
	for _, m := range s.root.members {
		out = appendVariables(out, m.name, m)
	}
	return append(out, Variable{Path: nowName, Type: "timestamp", Doc: "The time of the decision."})
}

func appendVariables(out []Variable, path string, m *member) []Variable {
	if m.shape == nil || m.list {
		out = append(out, Variable{Path: path, Type: cel.FormatCELType(m.typ), Doc: m.doc})
	}
	if m.shape == nil {
		return out
	}
	if m.list {
		path += "[]"
	}
	for _, sub := range m.shape.members {
		out = appendVariables(out, path+"."+sub.name, sub)
	}
	return out
}

// shape is a struct as CEL sees it: an object type with the fields that
// policies may read.
type shape struct {
	name    string // of the CEL type
	typ     *cel.Type
	members []*member
	byName  map[string]*member
}

// member is one field of a shape.
type member struct {
	name, doc string
	index     int
	typ       *cel.Type
	shape     *shape // of the object, or of the elements of a list of objects
	list      bool   // a list of objects
	value     bool   // an incident.Value, which can be unknown
}

// leaf is one field of the facts without fields of its own, known or unknown as a
// whole.
type leaf struct {
	path    string
	index   []int
	value   bool // an incident.Value; other fields are always known
	pattern *cel.AttributePatternType
}

// facts is the structure of incident.Facts, found by reflection. It is immutable.
type facts struct {
	root   *shape
	shapes map[string]*shape // by CEL type name
	leaves []*leaf
}

// The types are compiled in, so they are reflected on once.
var schema = sync.OnceValue(func() *facts {
	f := &facts{shapes: map[string]*shape{}}
	f.root = f.shapeOf(reflect.TypeFor[incident.Facts]())
	f.shapeOf(reflect.TypeFor[amplification]())
	for _, m := range f.root.members {
		f.addLeaves(m, m.name, cel.AttributePattern(m.name), []int{m.index})
	}
	return f
})

func (f *facts) addLeaves(m *member, path string, pattern *cel.AttributePatternType, index []int) {
	if m.value || m.shape == nil {
		f.leaves = append(f.leaves, &leaf{path: path, index: index, value: m.value, pattern: pattern})
		return
	}
	for _, sub := range m.shape.members {
		subPath := path + "." + sub.name
		names := strings.Split(subPath, ".")
		subPattern := cel.AttributePattern(names[0])
		for _, name := range names[1:] {
			subPattern.QualString(name)
		}
		subIndex := append(append([]int{}, index...), sub.index)
		f.addLeaves(sub, subPath, subPattern, subIndex)
	}
}

// shapeOf describes a type of the facts. What is tagged policy:"-" is for the engine and for
// people, and no policy sees it.
func (f *facts) shapeOf(t reflect.Type) *shape {
	if s, ok := f.shapes[t.Name()]; ok {
		return s
	}
	s := &shape{name: t.Name(), typ: cel.ObjectType(t.Name()), byName: map[string]*member{}}
	f.shapes[t.Name()] = s
	for i := range t.NumField() {
		field := t.Field(i)
		m := &member{name: jsonName(field), doc: field.Tag.Get("doc"), index: i}
		if m.name == "" || field.Tag.Get("policy") == "-" || !f.describe(m, field.Type) {
			continue
		}
		s.members = append(s.members, m)
		s.byName[m.name] = m
	}
	return s
}

// describe fills in the CEL type of a field and reports whether policies see it.
// Apart from Values these are objects and plain scalars: lists, times and durations
// without provenance are the engine's own bookkeeping.
func (f *facts) describe(m *member, t reflect.Type) bool {
	if v, ok := reflect.Zero(t).Interface().(incident.Field); ok {
		m.value = true
		return f.describeInner(m, v.Type())
	}
	if t.Kind() == reflect.Slice || t == reflect.TypeFor[time.Time]() || t == reflect.TypeFor[time.Duration]() {
		return false
	}
	return f.describeInner(m, t)
}

func (f *facts) describeInner(m *member, t reflect.Type) bool {
	switch t {
	case reflect.TypeFor[time.Time]():
		m.typ = cel.TimestampType
		return true
	case reflect.TypeFor[time.Duration]():
		m.typ = cel.DurationType
		return true
	case reflect.TypeFor[[]string]():
		m.typ = cel.ListType(cel.StringType)
		return true
	}
	switch t.Kind() {
	case reflect.String:
		m.typ = cel.StringType
	case reflect.Int64:
		m.typ = cel.IntType
	case reflect.Float64:
		m.typ = cel.DoubleType
	case reflect.Bool:
		m.typ = cel.BoolType
	case reflect.Struct:
		m.shape = f.shapeOf(t)
		m.typ = m.shape.typ
	case reflect.Slice:
		if t.Elem().Kind() != reflect.Struct {
			return false
		}
		m.list = true
		m.shape = f.shapeOf(t.Elem())
		m.typ = cel.ListType(m.shape.typ)
	default:
		return false
	}
	return true
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}

// leavesUnder returns the leaves at a path or below it.
func (f *facts) leavesUnder(path string) []*leaf {
	var out []*leaf
	for _, l := range f.leaves {
		if l.path == path || strings.HasPrefix(l.path, path+".") {
			out = append(out, l)
		}
	}
	return out
}

// read returns the value at a leaf, or the reason for which it is unknown.
func (l *leaf) read(facts reflect.Value) (value any, isKnown bool, why string) {
	f := facts.FieldByIndex(l.index)
	if !l.value {
		return f.Interface(), true, ""
	}
	// Leaves with value set are found by this interface; see describe.
	field, ok := f.Interface().(incident.Field)
	if !ok {
		return nil, false, "it is not a value"
	}
	value, from, why := field.Any()
	return value, from != incident.Unknown, why
}
