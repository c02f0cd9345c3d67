package apispec

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// operations returns the operations of a document.
func operations(doc object) []object {
	var all []object
	for _, item := range each(asObject(doc["paths"])) {
		for method, op := range item {
			if slices.Contains([]string{"get", "put", "post", "delete", "patch", "head", "options"}, method) {
				all = append(all, asObject(op))
			}
		}
	}
	return all
}

// asObject returns a value that is an object, else an empty one.
func asObject(value any) object {
	if v, ok := value.(object); ok {
		return v
	}
	return object{}
}

// within follows keys into an object.
func within(value object, keys ...string) object {
	for _, key := range keys {
		value = asObject(value[key])
	}
	return value
}

// each returns the objects among an object's values, in the order of its keys.
func each(value object) []object {
	var all []object
	for _, key := range slices.Sorted(maps.Keys(value)) {
		if v, ok := value[key].(object); ok {
			all = append(all, v)
		}
	}
	return all
}

// listed returns the objects in a list.
func listed(value any) []object {
	list, _ := value.([]any)
	var all []object
	for _, e := range list {
		if v, ok := e.(object); ok {
			all = append(all, v)
		}
	}
	return all
}

// copied returns a copy of a JSON value that shares nothing with it.
func copied(value any) any {
	switch v := value.(type) {
	case object:
		out := object{}
		for k, e := range v {
			out[k] = copied(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = copied(e)
		}
		return out
	}
	return value
}

// wellFormed reports what is wrong with a text that should be one JSON value:
// decoders accept a key that occurs twice, and text after the value.
func wellFormed(text []byte) error {
	d := json.NewDecoder(bytes.NewReader(text))
	if err := uniqueKeys(d, ""); err != nil {
		return err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more than one JSON value")
	}
	return nil
}

func uniqueKeys(d *json.Decoder, at string) error {
	token, err := d.Token()
	if err != nil {
		return fmt.Errorf("not JSON: %w", err)
	}
	delim, _ := token.(json.Delim)
	seen := map[string]bool{}
	for i := 0; (delim == '{' || delim == '[') && d.More(); i++ {
		key := fmt.Sprint(i)
		if delim == '{' {
			name, err := d.Token()
			if err != nil {
				return fmt.Errorf("not JSON: %w", err)
			}
			key = strings.NewReplacer("~", "~0", "/", "~1").Replace(fmt.Sprint(name))
			if seen[key] {
				return fmt.Errorf("%s/%s occurs twice", at, key)
			}
			seen[key] = true
		}
		if err := uniqueKeys(d, at+"/"+key); err != nil {
			return err
		}
	}
	if delim == '{' || delim == '[' {
		if _, err := d.Token(); err != nil {
			return fmt.Errorf("not JSON: %w", err)
		}
	}
	return nil
}
