package apispec

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// object is a JSON object of a document that is changed before it is loaded, so
// that the strict document can be written out for another validator, too.
type object = map[string]any

// tighten returns an OpenAPI document, as JSON, with an overlay and what holds
// for every description:
//
//   - objects take no unknown keys, in requests and in answers. An answer that
//     may grow says so itself, by additionalProperties.
//   - The formats uuid, ipv4, ipv6 and date-time are checked, by patterns.
//   - The path of each server is part of its paths.
//
// The overlay is merged into the document, key by key. Within a list of
// parameters it addresses them by name; schemas of requests are written out at
// their place before, so that what holds for one request holds for it alone.
func tighten(text, overlay []byte) ([]byte, error) {
	var doc, added object
	if json.Unmarshal(text, &doc) != nil {
		// Of YAML, the loader makes JSON again.
		loaded, err := openapi3.NewLoader().LoadFromData(text)
		if err != nil {
			return nil, fmt.Errorf("read: %w", err)
		}
		if text, err = loaded.MarshalJSON(); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(text, &doc); err != nil {
			return nil, err
		}
	}
	if err := json.Unmarshal(overlay, &added); err != nil {
		return nil, fmt.Errorf("read the overlay: %w", err)
	}
	delete(added, "$comment")
	// New schemas of the overlay are there before requests are written out.
	merge(doc, object{"components": added["components"], "security": added["security"]})
	if paths, ok := added["paths"].(object); ok {
		if err := newOperations(doc, paths); err != nil {
			return nil, err
		}
	}
	t := tightener{doc: doc}
	for _, op := range operations(doc) {
		for _, media := range each(within(op, "requestBody", "content")) {
			if schema, ok := media["schema"].(object); ok {
				media["schema"] = t.writtenOut(schema, nil)
			}
		}
		for _, p := range listed(op["parameters"]) {
			if schema, ok := p["schema"].(object); ok {
				p["schema"] = t.writtenOut(schema, nil)
			}
		}
	}
	merge(doc, added)
	closer{open: inParts(doc, map[string]bool{})}.close(doc, "", false)
	fold(doc)
	return json.Marshal(doc)
}

// newOperations adds the operations of an overlay that the document lacks, so
// that the schemas of their requests are written out as those of the others.
func newOperations(doc, paths object) error {
	have, ok := doc["paths"].(object)
	if !ok {
		return fmt.Errorf("the document has no paths")
	}
	for path, item := range paths {
		if _, there := have[path]; !there {
			have[path] = copied(item)
			continue
		}
		for method, op := range asObject(item) {
			if existing := asObject(have[path]); existing[method] == nil {
				existing[method] = copied(op)
			}
		}
	}
	return nil
}

type tightener struct{ doc object }

// writtenOut returns a copy of a schema with its references resolved. A schema
// that contains itself keeps the reference.
func (t tightener) writtenOut(value any, within []string) any {
	switch v := value.(type) {
	case object:
		if ref, ok := v["$ref"].(string); ok {
			target := t.resolve(ref)
			if target == nil || slices.Contains(within, ref) {
				return copied(v)
			}
			return t.writtenOut(target, append(slices.Clone(within), ref))
		}
		out := object{}
		for k, e := range v {
			out[k] = t.writtenOut(e, within)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = t.writtenOut(e, within)
		}
		return out
	}
	return value
}

func (t tightener) resolve(ref string) any {
	var at any = t.doc
	for key := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		at = asObject(at)[strings.NewReplacer("~1", "/", "~0", "~").Replace(key)]
	}
	return at
}

// merge adds to a JSON object what another says, key by key. A list of objects
// that have names is addressed by an object of these names; another list, and a
// single value, is replaced.
func merge(into, from object) {
	for key, value := range from {
		addition, ok := value.(object)
		if !ok {
			if value != nil {
				into[key] = copied(value)
			}
			continue
		}
		list, isList := into[key].([]any)
		if isList || key == "parameters" && into[key] == nil {
			into[key] = mergeNamed(list, addition)
			continue
		}
		if _, ok := into[key].(object); !ok {
			into[key] = object{}
		}
		merge(asObject(into[key]), addition)
	}
}

func mergeNamed(list []any, by object) []any {
	for _, name := range slices.Sorted(maps.Keys(by)) {
		i := slices.IndexFunc(list, func(e any) bool { return asObject(e)["name"] == name })
		if i < 0 {
			list = append(list, object{"name": name, "in": "query"})
			i = len(list) - 1
		}
		merge(asObject(list[i]), asObject(by[name]))
	}
	return list
}

// patterns are the formats that are checked. A validator may ignore a format,
// but no pattern; these hold in Go's dialect and in JavaScript's.
func patterns() map[string]string {
	return map[string]string{
		"uuid":      `^[0-9a-fA-F]{8}-([0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}$`,
		"ipv4":      `^((25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])(\.|$)){4}$`,
		"ipv6":      `^[0-9a-fA-F]{0,4}:[0-9a-fA-F:.]*(%[0-9A-Za-z]+)?$`,
		"date-time": openapi3.FormatOfStringDateTime,
	}
}

// closer forbids unknown keys and turns formats into patterns. An alternative
// that stands beside the properties of its object only says more of them.
type closer struct {
	// open are the references to schemas that are parts of others.
	open map[string]bool
}

// inParts collects the references in every allOf of several parts. Such parts
// are not closed, whether they are written there or elsewhere: each would refuse
// the keys of the others.
func inParts(value any, found map[string]bool) map[string]bool {
	switch v := value.(type) {
	case object:
		if parts := listed(v["allOf"]); len(parts) > 1 {
			for _, part := range parts {
				if ref, ok := part["$ref"].(string); ok {
					found[ref] = true
				}
			}
		}
		for _, e := range v {
			inParts(e, found)
		}
	case []any:
		for _, e := range v {
			inParts(e, found)
		}
	}
	return found
}

// close changes everything below a value that stands at a place in the document.
func (c closer) close(value any, at string, part bool) {
	switch v := value.(type) {
	case object:
		properties, ok := v["properties"].(object)
		// A property may be called "properties", too: then this is its schema.
		_, schema := properties["type"].(string)
		if ok && !schema && v["additionalProperties"] == nil && !part && !c.open["#"+at] {
			v["additionalProperties"] = false
		}
		if format, ok := v["format"].(string); ok && v["type"] == "string" && v["pattern"] == nil {
			if p := patterns()[format]; p != "" {
				v["pattern"] = p
			}
		}
		for key, e := range v {
			if key != "example" && key != "examples" && key != "enum" {
				c.close(e, at+"/"+key, key == "allOf" || ok && slices.Contains([]string{"oneOf", "anyOf", "not"}, key))
			}
		}
	case []any:
		for _, e := range v {
			c.close(e, at, part)
		}
	}
}

// fold makes the paths of a document those that a server answers: below the path
// of each of its servers.
func fold(doc object) {
	servers := listed(doc["servers"])
	delete(doc, "servers")
	paths := asObject(doc["paths"])
	folded := object{}
	for _, server := range servers {
		address, _ := server["url"].(string)
		prefix := pathOf(address)
		for path, item := range paths {
			below := asObject(copied(item))
			for name := range asObject(server["variables"]) {
				if strings.Contains(prefix, "{"+name+"}") {
					parameters, _ := below["parameters"].([]any)
					below["parameters"] = append(parameters, object{"name": name, "in": "path", "required": true, "schema": object{"type": "string"}})
					unnamed(below)
				}
			}
			folded[prefix+path] = below
		}
	}
	if len(servers) > 0 {
		doc["paths"] = folded
	}
}

// unnamed removes the ids of a path's operations, which hold for one path only.
func unnamed(item object) {
	for _, op := range each(item) {
		delete(op, "operationId")
	}
}

// pathOf returns the path of a server's address, in which a host may be a variable.
func pathOf(address string) string {
	if _, rest, ok := strings.Cut(address, "://"); ok {
		_, path, _ := strings.Cut(rest, "/")
		address = "/" + path
	}
	if path, err := url.PathUnescape(address); err == nil {
		address = path
	}
	return strings.TrimSuffix(address, "/")
}
