package playbooks

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

const expressionRef = "#/$defs/expression"

// Schema returns the JSON Schema of a playbook, for editors. Rules that it cannot
// express are checked by [Load].
func Schema() ([]byte, error) {
	return schemaOf(&schemas{}, reflect.TypeFor[Playbook](), "playbook.schema.json", "Stanch playbook")
}

// TestSchema returns the JSON Schema of a playbook's test file.
func TestSchema() ([]byte, error) {
	return schemaOf(&schemas{bareUnits: true}, reflect.TypeFor[TestFile](), "playbook_test.schema.json", "Stanch playbook test")
}

// SchemaOf returns the JSON Schema of a file that [DecodeStrict] reads into a struct.
func SchemaOf(t reflect.Type, id, title string) ([]byte, error) {
	return schemaOf(&schemas{}, t, id, title)
}

func schemaOf(s *schemas, t reflect.Type, id, title string) ([]byte, error) {
	s.defs = map[string]any{}
	root := s.of(t)
	out := map[string]any{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": id, "title": title,
		"$ref": root["$ref"], "$defs": s.defs,
	}
	data, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode schema %s: %w", id, err)
	}
	return append(data, '\n'), nil
}

// schemas describes the types that the decoder reads, from the same tags.
type schemas struct {
	defs map[string]any
	// bareUnits lets sizes and rates be plain numbers, as in facts.
	bareUnits bool
}

// unit is the schema of a number with a unit.
func (s *schemas) unit(name string, units string, doc string) map[string]any {
	def := s.define(name, func() map[string]any { return pattern("^[0-9]+(\\.[0-9]+)? ?("+units+")$", doc) })
	if s.bareUnits {
		return map[string]any{"anyOf": []any{def, map[string]any{"type": "integer"}}}
	}
	return def
}

func pattern(p, doc string) map[string]any {
	return map[string]any{"type": "string", "pattern": p, "description": doc}
}

// define returns a reference to a definition, which is created once.
func (s *schemas) define(name string, make func() map[string]any) map[string]any {
	if _, ok := s.defs[name]; !ok {
		s.defs[name] = nil // stops recursion
		s.defs[name] = make()
	}
	return map[string]any{"$ref": "#/$defs/" + name}
}

// of is the schema of a type without tags.
func (s *schemas) of(t reflect.Type) map[string]any { return s.field(field{typ: t}) }

// field is the schema of the value of a key.
func (s *schemas) field(f field) map[string]any {
	out := s.bare(f)
	if f.doc == "" && f.standard == "" {
		return out
	}
	doc := f.doc
	if f.standard != "" {
		doc = strings.TrimSpace(doc + " Default: " + f.standard + ".")
	}
	described := map[string]any{"description": doc}
	for k, v := range out {
		described[k] = v
	}
	described["description"] = doc
	return described
}

func (s *schemas) bare(f field) map[string]any {
	t := f.typ
	if sh, ok := reflect.New(t).Interface().(shaped); ok {
		if f.cel {
			return s.expression()
		}
		s.expression()
		return sh.shape(s)
	}
	if known, ok := reflect.New(t).Elem().Interface().(incident.Field); ok {
		inner := f
		inner.typ, inner.doc = known.Type(), ""
		return map[string]any{"anyOf": []any{unknownWord(), s.bare(inner)}}
	}
	switch {
	case f.in != "":
		inner := f
		inner.in, inner.doc = "", ""
		return map[string]any{"type": "object", "additionalProperties": false, "required": []string{f.in}, "properties": map[string]any{f.in: s.field(inner)}}
	case f.word != "":
		return map[string]any{"const": f.word}
	case f.cel:
		return s.expression()
	case t == reflect.TypeFor[Node]():
		return s.of(reflect.TypeFor[incident.Alert]())
	case t.Kind() == reflect.Pointer:
		inner := f
		inner.typ = t.Elem()
		return s.bare(inner)
	case scalarType(t):
		return s.scalar(f)
	case t.Kind() == reflect.Slice:
		inner := f
		inner.typ, inner.doc = t.Elem(), ""
		return map[string]any{"type": "array", "items": s.bare(inner)}
	case t.Kind() == reflect.Map:
		return map[string]any{"type": "object", "additionalProperties": s.of(t.Elem()), "propertyNames": keyNames(t.Elem())}
	default:
		return s.define(t.Name(), func() map[string]any { return s.object(t) })
	}
}

func unknownWord() map[string]any { return map[string]any{"const": "unknown"} }

// keyNames is the schema of the keys of a free mapping.
func keyNames(elem reflect.Type) map[string]any {
	if elem == reflect.TypeFor[Enrichment]() {
		return map[string]any{"enum": incident.FactNames()}
	}
	return map[string]any{"pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"}
}

func (s *schemas) expression() map[string]any {
	return s.define("expression", func() map[string]any {
		return map[string]any{"type": []string{"string", "boolean", "number"}, "description": "A CEL expression; see policy.md."}
	})
}

func (s *schemas) scalar(f field) map[string]any {
	number := `[0-9]+(\.[0-9]+)?`
	switch t := f.typ; {
	case t == reflect.TypeFor[time.Duration]():
		return s.define("duration", func() map[string]any {
			return pattern("^("+number+"(ns|us|µs|ms|s|m|h))+$|^"+number+"d$|^0$", "A duration such as 90s, 15m, 4h or 14d.")
		})
	case t == reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case f.unit == "rate":
		return s.unit("rate", "kbit|Mbit|Gbit", "A rate per second such as 2Mbit.")
	case f.unit == "size":
		return s.unit("size", "KiB|MiB|GiB|KB|MB|GB", "A size such as 10MiB.")
	case len(f.enum) > 0:
		return map[string]any{"enum": f.enum}
	case t.Kind() == reflect.Bool:
		return map[string]any{"type": "boolean"}
	case t.Kind() == reflect.Float64:
		return map[string]any{"type": "number"}
	case t.Kind() == reflect.String, reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return map[string]any{"type": "string"}
	default:
		return map[string]any{"type": "integer"}
	}
}

func (s *schemas) object(t reflect.Type) map[string]any {
	properties, required := map[string]any{}, []string{}
	for _, f := range fields(t) {
		properties[f.name] = s.field(f)
		if f.required {
			required = append(required, f.name)
		}
	}
	out := map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	if len(required) > 0 {
		out["required"] = required
	}
	return out
}

// facts is the schema of handwritten facts: any of them may be unknown.
func (s *schemas) facts() map[string]any {
	return s.define("facts", func() map[string]any {
		properties := map[string]any{}
		for _, f := range fields(reflect.TypeFor[incident.Facts]()) {
			properties[f.name] = s.field(f)
			if f.name != "alert" {
				properties[f.name] = map[string]any{"anyOf": []any{unknownWord(), s.field(f)}}
			}
		}
		return map[string]any{"type": "object", "additionalProperties": false, "properties": properties}
	})
}
