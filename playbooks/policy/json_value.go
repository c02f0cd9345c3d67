package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
)

// jsonAdapter makes CEL values of decoded JSON. It knows where they stand, so that what is
// missing below them can be named.
type jsonAdapter struct{ path string }

// NativeToValue implements [types.Adapter].
func (a jsonAdapter) NativeToValue(v any) ref.Val {
	switch v := v.(type) {
	case ref.Val:
		return v
	case nil:
		return types.NullValue
	case string:
		return types.String(v)
	case bool:
		return types.Bool(v)
	case json.Number:
		return jsonNumber(v)
	case map[string]any:
		return &jsonObject{fields: v, path: a.path}
	case Asked:
		return &asked{&jsonObject{path: a.path}, v}
	case []any:
		return types.NewDynamicList(jsonAdapter{elements(a.path)}, v)
	default:
		return types.NewErr("%T is no value of JSON", v)
	}
}

// jsonObject is an object of JSON as a CEL map. It implements [traits.Mapper].
type jsonObject struct {
	fields map[string]any
	path   string // as expressions write it
}

// ConvertToNative always fails: no function converts an object.
func (o *jsonObject) ConvertToNative(t reflect.Type) (any, error) {
	return nil, fmt.Errorf("an object does not convert to %v", t)
}

// ConvertToType always fails: an object has no other type.
func (o *jsonObject) ConvertToType(t ref.Type) ref.Val {
	return types.NewErr("an object does not convert to %s", t.TypeName())
}

// Equal compares key by key.
func (o *jsonObject) Equal(other ref.Val) ref.Val {
	m, ok := other.(traits.Mapper)
	if !ok || m.Size() != o.Size() {
		return types.False
	}
	for name, v := range o.fields {
		theirs, found := m.Find(types.String(name))
		if v == nil && found && (types.IsUnknown(theirs) || theirs == types.NullValue) {
			continue
		}
		if !found || types.IsUnknownOrError(theirs) || types.Equal(o.child(name, v), theirs) != types.True {
			return types.False
		}
	}
	return types.True
}

// Type returns the CEL type.
func (o *jsonObject) Type() ref.Type { return types.MapType }

// Value returns the decoded object.
func (o *jsonObject) Value() any { return o.fields }

// Contains reports whether the object has a key whose value is not null.
func (o *jsonObject) Contains(key ref.Val) ref.Val {
	name, ok := key.(types.String)
	return types.Bool(ok && o.fields[string(name)] != nil)
}

// Get returns the value of a key, which is unknown where there is none.
func (o *jsonObject) Get(key ref.Val) ref.Val {
	v, _ := o.Find(key)
	return v
}

// Find finds a value for each key: one that is missing, or null, is unknown.
func (o *jsonObject) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok {
		return types.MaybeNoSuchOverloadErr(key), true
	}
	v := o.fields[string(name)]
	if v == nil {
		return missingAt(below(o.path, string(name))), true
	}
	return o.child(string(name), v), true
}

func (o *jsonObject) child(name string, v any) ref.Val {
	switch v.(type) {
	case map[string]any, []any:
		return jsonAdapter{below(o.path, name)}.NativeToValue(v)
	}
	return jsonAdapter{}.NativeToValue(v)
}

// Iterator goes over the keys in their order, so that a result never changes.
func (o *jsonObject) Iterator() traits.Iterator {
	return types.NewStringList(types.DefaultTypeAdapter, slices.Sorted(maps.Keys(o.fields))).Iterator()
}

// Size is the number of keys.
func (o *jsonObject) Size() ref.Val { return types.Int(len(o.fields)) }

func missingAt(path string) ref.Val { return types.NewUnknown(0, types.NewAttributeTrail(path)) }

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// maxPath bounds the path that a message names, in bytes: JSON may be deep.
const maxPath = 200

// below is the path of a key, as an expression writes it.
func below(path, name string) string {
	if len(path) > maxPath {
		return path
	}
	if plainName.MatchString(name) {
		return path + "." + bounded(name)
	}
	return path + "['" + bounded(name) + "']"
}

// elements is the path of the elements of a list.
func elements(path string) string {
	if len(path) > maxPath {
		return path
	}
	return path + "[]"
}

// native makes a value as decoded from JSON of the result of an expression.
func native(v ref.Val) (any, error) {
	switch v := v.(type) {
	case types.Null:
		return nil, nil
	case types.String:
		return string(v), nil
	case types.Bool:
		return bool(v), nil
	case types.Int:
		return json.Number(strconv.FormatInt(int64(v), 10)), nil
	case types.Uint:
		return json.Number(strconv.FormatUint(uint64(v), 10)), nil
	case types.Double:
		return nativeDouble(float64(v))
	case types.Timestamp:
		return v.UTC().Format(time.RFC3339Nano), nil
	case types.Duration:
		return v.Duration.String(), nil
	case *types.Optional:
		if !v.HasValue() {
			return nil, nil
		}
		return native(v.GetValue())
	case *jsonObject:
		return v.fields, nil
	case traits.Mapper:
		return nativeMap(v)
	case traits.Lister:
		return nativeList(v)
	default:
		return nil, fmt.Errorf("its value is %s, which JSON does not have", v.Type().TypeName())
	}
}

func nativeDouble(f float64) (any, error) {
	format := byte('f')
	switch a := math.Abs(f); {
	case math.IsNaN(f) || math.IsInf(f, 0):
		return nil, fmt.Errorf("its value is %v, which is no number", f)
	case a >= 1e21:
		format = 'e'
	}
	return json.Number(strconv.FormatFloat(f, format, -1, 64)), nil
}

func nativeMap(m traits.Mapper) (any, error) {
	out := map[string]any{}
	for it := m.Iterator(); it.HasNext() == types.True; {
		key := it.Next()
		name, ok := key.(types.String)
		if !ok {
			return nil, fmt.Errorf("a key of its value is %s, not text", key.Type().TypeName())
		}
		value, err := nativeOr(m.Get(key))
		if err != nil {
			return nil, err
		}
		out[string(name)] = value
	}
	return out, nil
}

func nativeList(l traits.Lister) (any, error) {
	out := []any{}
	for it := l.Iterator(); it.HasNext() == types.True; {
		value, err := nativeOr(it.Next())
		if err != nil {
			return nil, err
		}
		out = append(out, value)
	}
	return out, nil
}

// nativeOr is a part of a value: what is unknown in it is missing.
func nativeOr(v ref.Val) (any, error) {
	switch v := v.(type) {
	case *types.Unknown:
		return nil, nil
	case *types.Err:
		return nil, v
	}
	return native(v)
}
