package playbooks

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Reference returns the reference of the language as Markdown, from the tags
// that the decoder reads.
func Reference() string {
	var b strings.Builder
	b.WriteString("# The playbook language\n\nGenerated from the code; `stanch docs` writes it. Expressions are described in [policy.md](policy.md).\n")
	section(&b, "Playbook", reflect.ValueOf(Playbook{}), map[reflect.Type]bool{})
	registered(&b)
	b.WriteString("\n# The test file\n\nIt is next to the playbook as `playbook_test.yaml` and runs with `stanch playbook test`.\n")
	section(&b, "Test file", reflect.ValueOf(TestFile{}), map[reflect.Type]bool{})
	return b.String()
}

// ReferenceOf returns the tables of a struct that [DecodeStrict] fills and of
// those inside it, as Markdown. Into points to it, with the defaults set.
func ReferenceOf(title string, into any) string {
	var b strings.Builder
	section(&b, title, reflect.ValueOf(into).Elem(), map[reflect.Type]bool{})
	return b.String()
}

// section writes one table per struct, and after it those of its fields.
func section(b *strings.Builder, title string, v reflect.Value, seen map[reflect.Type]bool) {
	t := v.Type()
	if seen[t] {
		return
	}
	seen[t] = true
	fmt.Fprintf(b, "\n## %s\n\n| key | value | required | default | meaning |\n|---|---|---|---|---|\n", title)
	known := fields(t)
	for _, f := range known {
		required := ""
		if f.required {
			required = "yes"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s |\n", f.name, written(f), required, standard(f, v), strings.ReplaceAll(f.doc, "|", "\\|"))
	}
	for _, f := range known {
		inner, ok := nested(f.typ)
		if !ok {
			continue
		}
		value := v.FieldByIndex(f.index)
		if value.Type() != inner {
			value = reflect.Zero(inner)
		}
		section(b, inner.Name(), value, seen)
	}
}

// standard is the default of a key: from its tag, else the value before the file
// was read.
func standard(f field, in reflect.Value) string {
	v := in.FieldByIndex(f.index)
	if f.standard != "" || v.IsZero() {
		return f.standard
	}
	switch value := v.Interface().(type) {
	case time.Duration:
		return incident.FormatDuration(value)
	case int64:
		switch f.unit {
		case "rate":
			return incident.FormatRate(value)
		case "size":
			return incident.FormatSize(value)
		}
	}
	if !scalarType(f.typ) {
		return ""
	}
	return fmt.Sprintf("`%v`", v.Interface())
}

// nested returns the struct that a field has, directly or in a container.
func nested(t reflect.Type) (reflect.Type, bool) {
	if t == reflect.TypeFor[Doings]() {
		return reflect.TypeFor[gate](), true
	}
	if _, own := reflect.New(t).Interface().(shaped); own || scalarType(t) || t == reflect.TypeFor[Node]() {
		return nil, false
	}
	switch t.Kind() {
	case reflect.Struct:
		return t, true
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return nested(t.Elem())
	default:
		return nil, false
	}
}

// written describes how a value is written, for people.
func written(f field) string {
	inner := f
	switch t := f.typ; {
	case f.in != "":
		return "`{ " + f.in + ": … }`"
	case f.word != "":
		return "`" + f.word + "`"
	case f.cel:
		return "expression"
	case t == reflect.TypeFor[Doings]():
		return "list of step names and [gate](#gate)s"
	case t == reflect.TypeFor[Lets]():
		return "mapping of names to expressions"
	case t == reflect.TypeFor[Ask]():
		return "`{ <messenger>: <channel>, mention: <whom> }`"
	case t == reflect.TypeFor[Given]():
		return "facts: " + strings.Join(append([]string{"alert"}, incident.FactNames()...), ", ") + "; " + cannot
	case f.as != "":
		return f.as
	case len(f.enum) > 0 && t.Kind() == reflect.String:
		return "`" + strings.Join(f.enum, "`, `") + "`"
	case t == reflect.TypeFor[time.Duration](), f.unit != "":
		return strings.TrimPrefix(wants(t, f), "a ")
	case t.Kind() != reflect.Struct && reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return "text"
	case scalarType(t):
		return strings.TrimPrefix(wants(t, f), "a ")
	case t.Kind() == reflect.Pointer:
		inner.typ = t.Elem()
		return written(inner)
	case t.Kind() == reflect.Slice:
		inner.typ = t.Elem()
		return "list of " + written(inner)
	case t.Kind() == reflect.Map:
		inner.typ = t.Elem()
		return "mapping of names to " + written(inner)
	default:
		return fmt.Sprintf("[%s](#%s)", t.Name(), strings.ToLower(t.Name()))
	}
}
