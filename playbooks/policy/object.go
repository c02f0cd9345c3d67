package policy

import (
	"fmt"
	"reflect"
	"time"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// object is a struct of the facts as a CEL value. It implements [ref.Val].
type object struct {
	shape *shape
	v     reflect.Value
	path  string // as expressions write it
}

// ConvertToNative always fails: no function converts an object.
func (o *object) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("%s does not convert to %v", o.shape.name, t)
}

// ConvertToType always fails: an object has no other type.
func (o *object) ConvertToType(t ref.Type) ref.Val {
	return types.NewErr("%s does not convert to %s", o.shape.name, t.TypeName())
}

// Equal compares field by field.
func (o *object) Equal(other ref.Val) ref.Val {
	p, ok := other.(*object)
	return types.Bool(ok && o.shape == p.shape && reflect.DeepEqual(o.v.Interface(), p.v.Interface()))
}

// Type returns the CEL type.
func (o *object) Type() ref.Type { return o.shape.typ }

// Value returns the object itself, from which fields are read.
func (o *object) Value() any { return o }

// provider adds the shapes of the facts to CEL's own types.
type provider struct {
	types.Provider
	facts *facts
}

// FindStructType implements [types.Provider].
func (p provider) FindStructType(name string) (*types.Type, bool) {
	if s, ok := p.facts.shapes[name]; ok {
		return types.NewTypeTypeWithParam(s.typ), true
	}
	return p.Provider.FindStructType(name)
}

// FindStructFieldNames implements [types.Provider].
func (p provider) FindStructFieldNames(name string) ([]string, bool) {
	s, ok := p.facts.shapes[name]
	if !ok {
		return p.Provider.FindStructFieldNames(name)
	}
	return s.names(), true
}

func (s *shape) names() []string {
	names := make([]string, len(s.members))
	for i, m := range s.members {
		names[i] = m.name
	}
	return names
}

// FindStructFieldType implements [types.Provider].
func (p provider) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	s, ok := p.facts.shapes[name]
	if !ok {
		return p.Provider.FindStructFieldType(name, field)
	}
	m, ok := s.byName[field]
	if !ok {
		return nil, false
	}
	return &types.FieldType{
		Type:  m.typ,
		IsSet: func(any) bool { return true },
		GetFrom: func(target any) (any, error) {
			o, ok := target.(*object)
			if !ok || o.shape != s {
				return nil, fmt.Errorf("%T has no field %q", target, field)
			}
			return m.get(o), nil
		},
	}, true
}

// NewValue always fails: policies read facts and do not create them.
func (p provider) NewValue(name string, fields map[string]ref.Val) ref.Val {
	if _, ok := p.facts.shapes[name]; ok {
		return types.NewErr("a policy cannot make a %s", name)
	}
	return p.Provider.NewValue(name, fields)
}

// get reads a member of a struct. Unknown fields of facts are not read through
// it, they are attribute patterns; those of a function's result, and of an
// element of a list, become unknown here.
func (m *member) get(o *object) ref.Val {
	f, path := o.v.Field(m.index), o.path+"."+m.name
	if part, ok := o.v.Interface().(interface{ Says(field string) bool }); ok && !part.Says(m.name) {
		return types.NewUnknown(0, types.NewAttributeTrail(path))
	}
	if !m.value {
		return m.toCEL(f, path)
	}
	// Members with value set are found by this interface; see describe.
	field, ok := f.Interface().(incident.Field)
	if !ok {
		return types.NewErr("%s is not a value", path)
	}
	v, from, _ := field.Any()
	if from == incident.Unknown {
		return types.NewUnknown(0, types.NewAttributeTrail(path))
	}
	return m.toCEL(reflect.ValueOf(v), path)
}

func (m *member) toCEL(v reflect.Value, path string) ref.Val {
	switch x := v.Interface().(type) {
	case time.Time:
		return types.Timestamp{Time: x.UTC()}
	case time.Duration:
		return types.Duration{Duration: x}
	case []string:
		return types.NewStringList(types.DefaultTypeAdapter, x)
	}
	switch v.Kind() {
	case reflect.String:
		return types.String(v.String())
	case reflect.Int64:
		return types.Int(v.Int())
	case reflect.Float64:
		return types.Double(v.Float())
	case reflect.Bool:
		return types.Bool(v.Bool())
	case reflect.Struct:
		return &object{shape: m.shape, v: v, path: path}
	default: // a list of objects: describe accepts nothing else
		elements := make([]ref.Val, v.Len())
		for i := range elements {
			elements[i] = &object{shape: m.shape, v: v.Index(i), path: path}
		}
		return types.NewRefValList(types.DefaultTypeAdapter, elements)
	}
}
