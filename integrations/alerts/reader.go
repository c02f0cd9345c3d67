package alerts

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Reader takes values out of one decoded alert. What cannot be read is unknown,
// and its reason quotes the value. Each method takes paths with dots between
// the names, and reads the first that has a value. Only fields that name the host,
// the id and the category can refuse an alert, and only where Strict is set: then
// bad is the first such field, and the caller throws the alert away.
//
// A field that is absent, null, empty or a filler word has no value.
type Reader struct {
	// Fields are the alert's own; a source may replace them.
	Fields map[string]any
	// Strict says that the sender writes our own form and can correct it.
	Strict bool
	// Asked, where it is set, is told of every path that is looked up.
	Asked func(path string)

	at     string
	bad    *FieldError
	silent *silence
	odd    *[]string
	home   []netip.Prefix
}

// silence is why an alert asks for no response.
type silence struct {
	status incident.AlertStatus
	why    string
}

// Of returns a reader of other fields of the same alert.
func (r *Reader) Of(fields map[string]any) *Reader {
	return &Reader{Fields: fields, Asked: r.Asked, at: r.at, silent: r.silence(), odd: r.apart(), home: r.home}
}

// Lookup finds a path as [Lookup] does, in the fields of the alert.
func (r *Reader) Lookup(path string) any {
	if r.Asked != nil {
		r.Asked(path)
	}
	return Lookup(r.Fields, path)
}

// Fail refuses the alert for what is wrong with a field.
func (r *Reader) Fail(path, format string, args ...any) {
	if r.bad == nil {
		r.bad = Wrong(Join(r.at, path), format, args...)
	}
}

// Silence has the alert recorded and start nothing, whatever its state is: our host is the
// target of the traffic, say, or the kind of detection is not known. The reason is for
// people; the first one counts. Status is the one that it gets, unless the sender's own word
// says already that it does not fire.
func (r *Reader) Silence(status incident.AlertStatus, format string, args ...any) {
	if s := r.silence(); *s == (silence{}) {
		*s = silence{status, fmt.Sprintf(format, args...)}
	}
}

// Silenced reports whether the alert was said to start nothing.
func (r *Reader) Silenced() bool { return r.silence().why != "" }

// silence is shared by all readers of one alert.
func (r *Reader) silence() *silence {
	if r.silent == nil {
		r.silent = &silence{}
	}
	return r.silent
}

// Join is the path of a field below another.
func Join(at, path string) string {
	if at == "" || path == "" {
		return at + path
	}
	return at + "." + path
}

// Decode reads one JSON object. Numbers stay text, so that no id is rounded.
func Decode(path string, data []byte) (map[string]any, *FieldError) {
	v, bad := DecodeAny(path, data)
	if bad != nil {
		return nil, bad
	}
	fields, ok := v.(map[string]any)
	if !ok {
		return nil, Wrong(path, "is %s, not an object", KindOf(v))
	}
	return fields, nil
}

// DecodeAny reads one JSON value as [Decode] reads an object.
func DecodeAny(path string, data []byte) (any, *FieldError) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var v any
	if err := dec.Decode(&v); err != nil {
		return nil, Wrong(path, "is not JSON: %s", jsonProblem(err))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, Wrong(path, "has text after the JSON value")
	}
	return v, nil
}

// jsonProblem says what is wrong without quoting the body.
func jsonProblem(err error) string {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Sprintf("byte %d does not belong there", syntax.Offset)
	}
	return "it ends too early"
}

// KindOf is the word that messages have for the type of a decoded JSON value.
func KindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "text"
	case json.Number:
		return "a number"
	case bool:
		return "true or false"
	case []any:
		return "a list"
	default:
		return "an object"
	}
}

// Lookup finds a dotted path in fields that are nested, flattened, or both.
func Lookup(fields map[string]any, path string) any {
	if v, ok := fields[path]; ok && !empty(v) {
		return v
	}
	for i := range len(path) {
		if path[i] != '.' {
			continue
		}
		if inner, ok := fields[path[:i]].(map[string]any); ok {
			if v := Lookup(inner, path[i+1:]); !empty(v) {
				return v
			}
		}
	}
	return nil
}

// empty reports whether a field has no value.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return incident.Filler(v)
	case []any:
		for _, item := range v {
			if !empty(item) {
				return false
			}
		}
		return true
	case map[string]any:
		return len(v) == 0
	default:
		return false
	}
}

// firstOf returns the value of the first of the paths that can be read, else why the first that
// has a value cannot.
func firstOf[T any](r *Reader, parse func(v any) (value incident.Value[T], why string), paths ...string) incident.Value[T] {
	reason := ""
	for _, path := range paths {
		v := r.Lookup(path)
		if v == nil {
			continue
		}
		value, why := parse(v)
		if value.IsKnown() {
			return value
		}
		if reason == "" {
			reason = why
		}
	}
	return incident.NotKnown[T](reason)
}

// words are the different texts of a field: one, those of a list, or
// those of a text that split takes apart. Fillers are left out. What is neither
// text nor a number nor a list of such is refused in why.
func words(v any, split func(string) []string) (texts []string, why string) {
	add := func(text string) {
		text = strings.TrimSpace(text)
		if incident.Filler(text) {
			return
		}
		for _, t := range texts {
			if t == text {
				return
			}
		}
		texts = append(texts, text)
	}
	switch v := v.(type) {
	case string:
		for _, text := range split(v) {
			add(text)
		}
	case json.Number:
		add(v.String())
	case bool:
		add(strconv.FormatBool(v))
	case []any:
		for _, item := range v {
			inner, reason := words(item, split)
			if reason != "" {
				return nil, reason
			}
			for _, text := range inner {
				add(text)
			}
		}
	case nil:
	default:
		return nil, fmt.Sprintf("is %s%s: %s", KindOf(v), notText, Quote(asJSON(v)))
	}
	return texts, ""
}

const notText = ", not text"

// asJSON is a decoded value as text.
func asJSON(v any) string {
	// What was decoded from JSON encodes.
	data, _ := json.Marshal(v)
	return string(data)
}

func whole(text string) []string { return []string{text} }

// lines splits the values that Splunk joins with line breaks.
func lines(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' })
}

// one is the only text of a field, else why there is none.
func one(v any, split func(string) []string) (text, why string) {
	texts, why := words(v, split)
	switch {
	case why != "":
		return "", "it " + why
	case len(texts) > 1:
		return "", fmt.Sprintf("the alert names %d values: %s", len(texts), quoteAll(texts))
	case len(texts) == 0:
		return "", ""
	}
	return texts[0], ""
}

// Texts are the different texts of a field that may hold several; of another
// field there are none.
func (r *Reader) Texts(path string) []string {
	texts, _ := words(r.Lookup(path), whole)
	return texts
}

// Text reads a text that is data for people and policy, with what cannot be
// shown escaped.
func (r *Reader) Text(paths ...string) incident.Value[string] {
	return firstOf(r, func(v any) (incident.Value[string], string) { return shown(v, lines) }, paths...)
}

// Written reads a text that the owner of a process writes: it may have several
// lines, and is cut.
func (r *Reader) Written(paths ...string) incident.Value[string] {
	return firstOf(r, func(v any) (incident.Value[string], string) {
		value, why := shown(v, whole)
		if text, ok := value.Get(); ok {
			value = incident.Known(cut(text, MaxCommandLine), incident.FromAlert)
		}
		return value, why
	}, paths...)
}

func shown(v any, split func(string) []string) (incident.Value[string], string) {
	text, why := one(v, split)
	if text == "" {
		return incident.Value[string]{}, why
	}
	return incident.Known(printable(text), incident.FromAlert), ""
}

// Identity reads a text that names the alert, the host or the category.
func (r *Reader) Identity(paths ...string) incident.Value[string] {
	return firstOf(r, func(v any) (incident.Value[string], string) {
		text, why := one(v, whole)
		if text == "" {
			r.refuse(why, paths)
			return incident.Value[string]{}, why
		}
		return incident.Known(plain(text), incident.FromAlert), ""
	}, paths...)
}

// Misplaced gives the fields of a group the reason that another value is in
// its place.
func (r *Reader) Misplaced(group string, fields any) {
	v := Lookup(r.Fields, group)
	if _, ok := v.(map[string]any); !ok && v != nil {
		incident.Explain(fields, fmt.Sprintf("%s is %s, not an object: %s", group, KindOf(v), Quote(asJSON(v))))
	}
}

// refuse makes what is wrong with a field that names something a refusal where
// the sender can correct it.
func (r *Reader) refuse(why string, paths []string) {
	if r.Strict && why != "" {
		path := paths[0]
		for _, p := range paths {
			if Lookup(r.Fields, p) != nil {
				path = p
				break
			}
		}
		if before, _, odd := strings.Cut(why, notText); odd {
			why = before + notText
		}
		r.Fail(path, "%s", strings.TrimPrefix(why, "it "))
	}
}
