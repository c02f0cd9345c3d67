package payloads

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"

	commonpb "go.temporal.io/api/common/v1"
)

// Read reads a payload into its type of today, and refuses what that does not
// know. A type that reads itself lets unknown keys pass: so what was
// read is written again, and must have all that was there.
func Read(types map[string]reflect.Type, what string, p *commonpb.Payload) error {
	as, ok := types[what]
	if !ok {
		return errors.New("no type is known for it: name it in Types")
	}
	if string(p.GetMetadata()["encoding"]) == "binary/null" {
		return nil
	}
	value := reflect.New(as)
	d := json.NewDecoder(bytes.NewReader(p.GetData()))
	d.DisallowUnknownFields()
	if err := d.Decode(value.Interface()); err != nil {
		return fmt.Errorf("read it as %s: %w", as, err)
	}
	again, err := json.Marshal(value.Interface())
	if err != nil {
		return fmt.Errorf("write it again: %w", err)
	}
	before, err := tree(p.GetData())
	if err != nil {
		return err
	}
	after, err := tree(again)
	if err != nil {
		return err
	}
	return kept(before, after, as.String())
}

func tree(data []byte) (any, error) {
	var out any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&out); err != nil {
		return nil, fmt.Errorf("read JSON: %w", err)
	}
	return out, nil
}

// kept reports what of before is not in after. What says nothing may be left
// out, and values that are packed are compared by what they hold.
func kept(before, after any, path string) error {
	switch b := before.(type) {
	case map[string]any:
		a, ok := after.(map[string]any)
		if !ok && !empty(b) {
			return fmt.Errorf("%s: an object was lost", path)
		}
		for _, key := range slices.Sorted(maps.Keys(b)) {
			if _, ok := a[key]; !ok && empty(b[key]) {
				continue
			}
			if err := kept(b[key], a[key], path+"."+key); err != nil {
				return err
			}
		}
		return nil
	case []any:
		a, _ := after.([]any)
		if len(a) != len(b) {
			return fmt.Errorf("%s: of %d elements %d are left", path, len(b), len(a))
		}
		for i := range b {
			if err := kept(b[i], a[i], fmt.Sprintf("%s[%d]", path, i)); err != nil {
				return err
			}
		}
		return nil
	case string:
		if unpacked, ok := unpack(b); ok {
			a, _ := after.(string)
			again, _ := unpack(a)
			return kept(unpacked, again, path)
		}
	}
	if before != after && !(empty(before) && after == nil) {
		return fmt.Errorf("%s: %v became %v", path, before, after)
	}
	return nil
}

// empty reports whether a value of JSON is empty: it is left out where its
// field says so.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case bool:
		return !v
	case string:
		return v == "" || v == "0001-01-01T00:00:00Z"
	case json.Number:
		return v == "0"
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// unpack returns what a packed value holds; see activities.Packed.
func unpack(s string) (any, bool) {
	const packed = "H4sI" // how what gzip writes begins in base64
	if !strings.HasPrefix(s, packed) {
		return nil, false
	}
	data, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		return nil, false
	}
	r, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return nil, false
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		return nil, false
	}
	out, err := tree(plain)
	return out, err == nil
}
