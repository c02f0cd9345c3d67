package playbooks

import (
	"encoding"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/playbooks/incident"
	"go.yaml.in/yaml/v4"
)

// kindOf describes the kind of a node, for people, with its text if that may be
// shown.
func kindOf(n *yaml.Node, text bool) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "empty"
	case n.Tag == "!!bool":
		return n.Value
	case n.Tag == "!!int", n.Tag == "!!float":
		if !text {
			return "a number"
		}
		return "the number " + n.Value
	case !text:
		return "text"
	default:
		return strconv.Quote(n.Value)
	}
}

// wants describes the text that a type accepts, for people.
func wants(t reflect.Type, f field) string {
	switch {
	case f.cel:
		return "an expression"
	case t == reflect.TypeFor[time.Duration]():
		return "a duration such as 90s, 15m, 4h or 14d"
	case t == reflect.TypeFor[time.Time]():
		return "a time such as 2026-01-02T15:04:05Z"
	case f.unit == "rate":
		return "a rate such as 2Mbit"
	case f.unit == "size":
		return "a size such as 10MiB"
	case len(f.enum) > 0:
		return "one of " + strings.Join(f.enum, ", ")
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Int, t.Kind() == reflect.Int64:
		return "a whole number"
	case t.Kind() == reflect.Float64:
		return "a number"
	default:
		return "text"
	}
}

// scalar returns the text of a scalar that can be read as the type. Text that
// YAML reads as a number or as true is refused where text is wanted, and vice
// versa, because a reviewer reads it as YAML does.
func (d *document) scalar(n *yaml.Node, f field, t reflect.Type) (string, bool) {
	wrong := func() (string, bool) {
		hint := ""
		if n.Kind == yaml.ScalarNode && wants(t, f) == "text" && n.Tag != "!!null" {
			hint = "; quote it"
		}
		hint += d.commented(n)
		d.blame(n, "%s must be %s, not %s%s", f.name, wants(t, f), d.kindOf(n, f), hint)
		return "", false
	}
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return wrong()
	}
	if f.cel {
		return d.expression(n, f)
	}
	text, expanded := n.Value, false
	if d.expand != nil {
		var err error
		if text, err = d.expand(n.Value); err != nil {
			d.blame(n, "%s: %v", f.name, err)
			return "", false
		}
		expanded = text != n.Value
	}
	switch tag := n.Tag; {
	case expanded:
	case t.Kind() == reflect.Bool && t.PkgPath() == "" && tag != "!!bool",
		number(t) && f.unit == "" && tag != "!!int" && tag != "!!float",
		textual(t) && tag != "!!str":
		return wrong()
	}
	return text, true
}

// number and textual distinguish plain numbers and plain text from types that
// read their own text, such as durations.
func number(t reflect.Type) bool {
	return t.Kind() != reflect.String && t.PkgPath() == "" && t.Kind() != reflect.Bool
}

func textual(t reflect.Type) bool { return t.Kind() == reflect.String }

// expression returns the text of an expression. YAML must not have dropped any
// part of it.
func (d *document) expression(n *yaml.Node, f field) (string, bool) {
	plain := n.Style&(yaml.SingleQuotedStyle|yaml.DoubleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0
	if plain && eaten(n.Value, n.LineComment) {
		d.blame(n, "YAML reads %s as a comment, not as part of %s; quote the whole expression or write it in a | block",
			strconv.Quote(shorten(n.LineComment, 40)), f.name)
		return "", false
	}
	text := strings.TrimSpace(n.Value)
	if text == "" {
		d.blame(n, "%s is empty", f.name)
		return "", false
	}
	return text, true
}

// eaten reports whether a comment after a plain expression was meant to be part
// of it: the expression ends within a string, or the comment looks like a
// condition. A remark in words is ignored.
func eaten(text, comment string) bool {
	if comment == "" {
		return false
	}
	words := strings.TrimSpace(strings.TrimLeft(comment, "#"))
	return strings.Count(text, "'")%2 != 0 || strings.Count(text, `"`)%2 != 0 ||
		strings.IndexAny(words, "&|=!<>?:+*/%)]") == 0 ||
		slices.ContainsFunc([]string{"&&", "||", "==", "!="}, func(op string) bool { return strings.Contains(words, op) })
}

func shorten(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// text reads the text of a scalar into v.
func (d *document) text(n *yaml.Node, text string, v reflect.Value, f field) {
	if len(f.enum) > 0 && v.Kind() == reflect.String && !slices.Contains(f.enum, text) {
		d.blame(n, "%s cannot be %s%s", f.name, d.quote(n, text, f), meant(text, f.enum))
		return
	}
	if f.required && strings.TrimSpace(text) == "" {
		d.blame(n, "%s is empty", f.name)
		return
	}
	if err := d.set(text, v, f); err != nil {
		d.blame(n, "%s: %s", f.name, d.withoutValue(n, text, f, err))
	}
}

func (d *document) set(text string, v reflect.Value, f field) error {
	switch target := v.Addr().Interface().(type) {
	case *time.Duration:
		parsed, err := incident.ParseDuration(text)
		*target = parsed
		return err
	case *time.Time:
		parsed, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return fmt.Errorf("%q is not a time: write 2026-01-02T15:04:05Z", text)
		}
		*target = parsed
		return nil
	case encoding.TextUnmarshaler:
		return target.UnmarshalText([]byte(text))
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		parsed, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is not true or false", text)
		}
		v.SetBool(parsed)
	case reflect.Float64:
		parsed, err := strconv.ParseFloat(text, 64)
		if err != nil || parsed != parsed || parsed-parsed != 0 {
			return fmt.Errorf("%q is not a number", text)
		}
		v.SetFloat(parsed)
	default:
		parsed, err := d.integer(text, f)
		if err != nil {
			return err
		}
		v.SetInt(parsed)
	}
	return nil
}

// integer excludes ambiguous spellings: 010, 0x1f, 1_000, 1e3.
func (d *document) integer(text string, f field) (int64, error) {
	parsed, err := strconv.ParseInt(text, 10, 64)
	plain := err == nil && strconv.FormatInt(parsed, 10) == text
	switch {
	case f.unit == "size" && !(plain && d.bareUnits):
		return incident.ParseSize(text)
	case f.unit == "rate" && !(plain && d.bareUnits):
		return incident.ParseRate(text)
	case errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("%s is too large", text)
	case !plain:
		return 0, fmt.Errorf("%q is not a whole number", text)
	}
	return parsed, nil
}

// fromFile reads a secret from the file that its twin names.
func (d *document) fromFile(n *yaml.Node, v reflect.Value, f field) {
	f.name += "_file"
	path, ok := d.scalar(n, f, reflect.TypeFor[string]())
	if !ok {
		return
	}
	text, err := d.readTwin(path)
	if err != nil {
		d.blame(n, "%s: %v", f.name, err)
		return
	}
	v.SetString(text)
}
