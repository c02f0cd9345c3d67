package reference

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/cmd/internal/httpapi"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// object is a part of the document. Its keys are sorted when it is written.
type object = map[string]any

// OpenAPI describes the HTTP API in OpenAPI 3.0: every route, and the types of
// what it takes and answers.
func OpenAPI() ([]byte, error) {
	r := httpapi.New(httpapi.Options{Log: slog.New(slog.DiscardHandler), Now: time.Now})
	// Its path names an integration.
	r.Interactions("{integration}", http.NotFoundHandler())
	s := schemas{components: object{}, names: map[string]reflect.Type{}}
	paths := object{}
	for _, route := range r.Routes() {
		method, path, _ := strings.Cut(route.Pattern, " ")
		methods, ok := paths[path].(object)
		if !ok {
			methods = object{}
			paths[path] = methods
		}
		methods[strings.ToLower(method)] = s.operation(path, route)
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(object{
		"openapi": "3.0.3",
		"info": object{
			"title": "Stanch", "version": "v1",
			"description": "Generated from the code; stanch docs writes it. Durations are nanoseconds, sizes bytes, rates bits per second. " +
				"Who may use which route stands in security.md, what alerts look like in alerts.md.",
		},
		"paths": paths,
		"components": object{
			"schemas": s.components,
			"securitySchemes": object{
				"person":   object{"type": "http", "scheme": "bearer", "description": "A person's token."},
				"bearer":   object{"type": "http", "scheme": "bearer", "description": "The source's token."},
				"basic":    object{"type": "http", "scheme": "basic"},
				"urlToken": object{"type": "apiKey", "in": "query", "name": "token"},
				"signed":   object{"type": "apiKey", "in": "header", "name": "Stanch-Signature"},
			},
		},
	})
	if err != nil {
		return nil, fmt.Errorf("write the API's description: %w", err)
	}
	return out.Bytes(), nil
}

func (s *schemas) operation(path string, route httpapi.Route) object {
	o := object{"summary": route.Summary, "responses": s.responses(route), "security": security(path, route.Door)}
	var parameters []object
	for _, name := range regexp.MustCompile(`\{(\w+)\}`).FindAllStringSubmatch(path, -1) {
		parameters = append(parameters, object{"name": name[1], "in": "path", "required": true, "schema": object{"type": "string"}})
	}
	for _, q := range route.Query {
		parameters = append(parameters, object{"name": q.Name, "in": "query", "description": q.Meaning, "schema": object{"type": "string"}})
	}
	if parameters != nil {
		o["parameters"] = parameters
	}
	if route.Body != nil {
		o["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": s.of(reflect.TypeOf(route.Body))}}}
	}
	return o
}

func (s *schemas) responses(route httpapi.Route) object {
	answers := object{}
	for _, a := range route.Answers {
		answer := object{"description": http.StatusText(a.Status)}
		if !a.Text {
			answer["content"] = object{"application/json": object{"schema": s.of(reflect.TypeOf(a.Body))}}
		}
		answers[strconv.Itoa(a.Status)] = answer
	}
	if route.Door != httpapi.DoorOpen {
		answers["default"] = object{
			"description": "Nothing was done, or not all of it; the answer says why.",
			"content":     object{"application/json": object{"schema": s.of(reflect.TypeFor[api.Problem]())}},
		}
	}
	return answers
}

// security is who may use a route.
func security(path string, door httpapi.Door) []object {
	if door == httpapi.DoorOpen || strings.HasPrefix(path, "/v1/interactions/") {
		return []object{} // A messenger signs in its own way.
	}
	if door == httpapi.DoorSender {
		return []object{{"bearer": []string{}}, {"basic": []string{}}, {"urlToken": []string{}}, {"signed": []string{}}}
	}
	return []object{{"person": []string{}}}
}

// schemas describes types of Go as encoding/json writes them. A named struct is
// described once, as a component.
type schemas struct {
	components object
	names      map[string]reflect.Type
}

func (s *schemas) of(t reflect.Type) object {
	switch t {
	case reflect.TypeFor[time.Time]():
		return object{"type": "string", "format": "date-time"}
	case reflect.TypeFor[time.Duration]():
		return object{"type": "integer", "format": "int64", "description": "Nanoseconds."}
	case reflect.TypeFor[json.RawMessage]():
		return object{}
	case reflect.TypeFor[incident.Target]():
		text := object{"type": "string"}
		return s.component("Target", t, func() object {
			return closed(object{"id": text, "name": text, "only_by": text}, []string{"id", "name"})
		})
	}
	if field, ok := reflect.Zero(t).Interface().(incident.Field); ok {
		of := field.Type()
		return s.component("Value_"+strings.TrimLeft(strings.NewReplacer("[]", "List_", "incident.", "", "time.", "").Replace(of.String()), "*"), t, func() object {
			return closed(object{
				"value": s.of(of), "from": object{"type": "string", "description": "Where it is from."},
				"unknown": object{"type": "string", "description": "Why it is unknown; then it has no value."},
			}, nil)
		})
	}
	switch t.Kind() {
	case reflect.Pointer:
		return s.of(t.Elem())
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return object{"type": "integer", "format": "int64"}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return object{"type": "string", "format": "byte"}
		}
		return object{"type": "array", "items": s.of(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": s.of(t.Elem())}
	case reflect.Struct:
		return s.component(t.Name(), t, func() object {
			properties, required := object{}, []string{}
			s.fields(t, properties, &required)
			return closed(properties, required)
		})
	default:
		return object{}
	}
}

// component refers to the description of a named type, and makes it the first time.
func (s *schemas) component(name string, t reflect.Type, describe func() object) object {
	if other, ok := s.names[name]; ok && other != t {
		name = strings.ReplaceAll(t.String(), ".", "_")
	}
	ref := object{"$ref": "#/components/schemas/" + name}
	if _, ok := s.names[name]; ok {
		return ref
	}
	s.names[name] = t
	s.components[name] = describe()
	return ref
}

// closed is an object that has no other properties.
func closed(properties object, required []string) object {
	o := object{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		o["required"] = required
	}
	return o
}

// fields adds the fields of a struct; those of an embedded one are its own.
func (s *schemas) fields(t reflect.Type, properties object, required *[]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" {
			continue
		}
		if f.Anonymous && name == "" {
			s.fields(f.Type, properties, required)
			continue
		}
		name = cmp.Or(name, f.Name)
		schema := s.of(f.Type)
		if strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero") {
			properties[name] = schema
			continue
		}
		*required = append(*required, name)
		if k := f.Type.Kind(); k == reflect.Pointer || k == reflect.Slice || k == reflect.Map {
			// Nothing of it is written as null.
			schema = object{"nullable": true, "allOf": []object{schema}}
		}
		properties[name] = schema
	}
}
