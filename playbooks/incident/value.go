// Package incident holds the nouns of Stanch: alerts, facts, decisions, plans,
// leases and cases. Every other package speaks in these words. It imports only
// the standard library and does no I/O.
package incident

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"time"
)

// Provenance says where a value came from, so that a policy, a card and the
// evidence can show how sure it is.
type Provenance string

// The closed set of provenances. The zero value is unknown on purpose: a field
// that nobody filled in is never taken for a measured zero.
const (
	Unknown       Provenance = ""
	FromAlert     Provenance = "alert"
	FromEDR       Provenance = "edr"
	FromFlows     Provenance = "flows"
	FromInventory Provenance = "inventory"
	Computed      Provenance = "computed"
	Assumed       Provenance = "assumed"
)

// Value is one value with its provenance. The zero Value is unknown.
//
// In JSON it is {"value": v, "from": "edr"} or {"unknown": "why"}. A bare value
// is read as assumed, so that people can write facts by hand.
type Value[T any] struct {
	v    T
	from Provenance
	why  string
}

// Known returns a value that was obtained from the given source. A source of
// Unknown makes the value unknown.
func Known[T any](v T, from Provenance) Value[T] {
	if from == Unknown {
		return Value[T]{}
	}
	return Value[T]{v: v, from: from}
}

// NotKnown returns an unknown value and the reason that people are shown, such
// as "flows: timed out".
func NotKnown[T any](why string) Value[T] { return Value[T]{why: why} }

// Get returns the value and whether it is known. The value of an unknown is
// T's zero value and must not be used.
func (v Value[T]) Get() (T, bool) { return v.v, v.from != Unknown }

// IsKnown reports whether the value was obtained.
func (v Value[T]) IsKnown() bool { return v.from != Unknown }

// From returns the provenance.
func (v Value[T]) From() Provenance { return v.from }

// Why returns the reason for which the value is unknown, if one was given.
func (v Value[T]) Why() string { return v.why }

// Any returns the value without its type. It lets a reader of facts by
// reflection (policy, evidence) treat every Value alike; see [Field].
func (v Value[T]) Any() (value any, from Provenance, why string) { return v.v, v.from, v.why }

// Type returns the type of the inner value.
func (v Value[T]) Type() reflect.Type { return reflect.TypeFor[T]() }

// String is for people: the value, or "unknown" with the reason.
func (v Value[T]) String() string {
	switch {
	case v.from != Unknown:
		return fmt.Sprint(v.v)
	case v.why != "":
		return "unknown (" + v.why + ")"
	default:
		return "unknown"
	}
}

// explain gives an unknown value a reason where it has none.
func (v *Value[T]) explain(why string) {
	if v.from == Unknown && v.why == "" {
		v.why = why
	}
}

// Field is the interface of every Value, regardless of its inner type.
type Field interface {
	Any() (value any, from Provenance, why string)
	Type() reflect.Type
}

type valueJSON[T any] struct {
	Value   *T         `json:"value,omitempty"`
	From    Provenance `json:"from,omitempty"`
	Unknown *string    `json:"unknown,omitempty"`
}

// MarshalJSON implements [json.Marshaler].
func (v Value[T]) MarshalJSON() ([]byte, error) {
	if v.from == Unknown {
		why, err := json.Marshal(v.why)
		return slices.Concat([]byte(`{"unknown":`), why, []byte(`}`)), err
	}
	value, err := json.Marshal(&v.v)
	if err != nil {
		return nil, err
	}
	from, err := json.Marshal(v.from)
	return slices.Concat([]byte(`{"value":`), value, []byte(`,"from":`), from, []byte(`}`)), err
}

// UnmarshalJSON implements [json.Unmarshaler].
func (v *Value[T]) UnmarshalJSON(data []byte) error {
	*v = Value[T]{}
	if v.readOwn(data) {
		return nil
	}
	*v = Value[T]{}
	return v.read(bytes.TrimSpace(data))
}

// read is the strict way, for values that people write by hand.
func (v *Value[T]) read(data []byte) error {
	if bytes.Equal(data, []byte("null")) {
		return nil
	}
	if bytes.HasPrefix(data, []byte("{")) {
		dec := json.NewDecoder(bytes.NewReader(data))
		dec.DisallowUnknownFields()
		var w valueJSON[T]
		if err := dec.Decode(&w); err != nil {
			return fmt.Errorf("read a value: %w", err)
		}
		switch {
		case w.Unknown != nil:
			v.why = *w.Unknown
		case w.Value != nil && w.From != Unknown:
			v.v, v.from = *w.Value, w.From
		default:
			return fmt.Errorf("read a value: %s has neither value and from, nor unknown", data)
		}
		return nil
	}
	if err := json.Unmarshal(data, &v.v); err != nil {
		return fmt.Errorf("read a value: %w", err)
	}
	v.from = Assumed
	return nil
}

// readOwn reads exactly what [Value.MarshalJSON] writes of a value without
// fields of its own, and reports whether it did. A case carries thousands of
// values and nearly all are of this form; the strict way takes a decoder for each.
func (v *Value[T]) readOwn(data []byte) bool {
	switch any(v.v).(type) {
	case string, bool, int64, float64, []string, time.Time, time.Duration:
	default:
		return false
	}
	if why, ok := between(data, `{"unknown":`, `}`); ok && bytes.HasPrefix(why, []byte(`"`)) {
		return json.Unmarshal(why, &v.why) == nil
	}
	for _, from := range [...]Provenance{FromAlert, FromEDR, FromFlows, FromInventory, Computed, Assumed} {
		value, ok := between(data, `{"value":`, `,"from":"`+string(from)+`"}`)
		if ok && !bytes.Equal(value, []byte("null")) && json.Unmarshal(value, &v.v) == nil {
			v.from = from
			return true
		}
	}
	return false
}

// between returns the text between a prefix and a suffix.
func between(data []byte, prefix, suffix string) ([]byte, bool) {
	if len(data) < len(prefix)+len(suffix) || string(data[:len(prefix)]) != prefix || string(data[len(data)-len(suffix):]) != suffix {
		return nil, false
	}
	return data[len(prefix) : len(data)-len(suffix)], true
}

// assume makes a known value an assumed one.
func (v *Value[T]) assume() {
	if v.from != Unknown {
		v.from = Assumed
	}
}

// Assume makes every known value of the struct that fact points to an assumed
// one: it is what is known of a device that may be another.
func Assume(fact any) {
	s := reflect.ValueOf(fact).Elem()
	for i := range s.NumField() {
		if value, ok := s.Field(i).Addr().Interface().(interface{ assume() }); ok {
			value.assume()
		}
	}
}

// Explain gives every unknown value below the struct that fact points to the
// reason why, where it has none of its own.
func Explain(fact any, why string) {
	explain(reflect.ValueOf(fact).Elem(), why)
}

func explain(s reflect.Value, why string) {
	for i := range s.NumField() {
		f := s.Field(i)
		if !f.CanSet() {
			continue
		}
		if value, ok := f.Addr().Interface().(interface{ explain(why string) }); ok {
			value.explain(why)
		} else if f.Kind() == reflect.Struct {
			explain(f, why)
		}
	}
}
