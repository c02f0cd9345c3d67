package contract

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// variant is a body with one value replaced, at a place.
type variant struct {
	place string
	body  []byte
}

// variants replaces each value of a body, the inner ones too, by what others
// returns for it.
func variants(t testing.TB, body string, others func(v any) []any) []variant {
	t.Helper()
	dec := json.NewDecoder(strings.NewReader(body))
	dec.UseNumber()
	var root any
	if err := dec.Decode(&root); err != nil {
		t.Fatalf("the example is not JSON: %v", err)
	}
	var all []variant
	var walk func(v any, place string, set func(any))
	walk = func(v any, place string, set func(any)) {
		for _, other := range others(v) {
			set(other)
			data, err := json.Marshal(root)
			if err != nil {
				t.Fatalf("encode a variant: %v", err)
			}
			all = append(all, variant{place, data})
		}
		set(v)
		switch v := v.(type) {
		case map[string]any:
			for _, key := range slices.Sorted(maps.Keys(v)) {
				walk(v[key], alerts.Join(place, key), func(other any) { v[key] = other })
			}
		case []any:
			for i := range v {
				walk(v[i], place+"[]", func(other any) { v[i] = other })
			}
		}
	}
	walk(root, "", func(other any) { root = other })
	return all
}

// reversed writes a value with its keys from the last to the first, and blanks
// between everything.
func reversed(v any) []byte {
	var b bytes.Buffer
	switch v := v.(type) {
	case map[string]any:
		b.WriteString("{ ")
		keys := slices.Sorted(maps.Keys(v))
		slices.Reverse(keys)
		for i, key := range keys {
			if i > 0 {
				b.WriteString(" ,\n\t")
			}
			b.Write(reversed(key))
			b.WriteString(" : ")
			b.Write(reversed(v[key]))
		}
		b.WriteString(" }")
	case []any:
		b.WriteString("[ ")
		for i, item := range v {
			if i > 0 {
				b.WriteString(" , ")
			}
			b.Write(reversed(item))
		}
		b.WriteString(" ]")
	default:
		data, _ := json.Marshal(v)
		b.Write(data)
	}
	return b.Bytes()
}

// alertFields calls f with every value of an alert.
func alertFields(v reflect.Value, at string, f func(path string, field incident.Field)) {
	for sf, fv := range v.Fields() {
		if !sf.IsExported() {
			continue
		}
		name, _, _ := strings.Cut(sf.Tag.Get("json"), ",")
		if field, ok := fv.Interface().(incident.Field); ok {
			f(alerts.Join(at, name), field)
		} else if fv.Kind() == reflect.Struct {
			alertFields(fv, alerts.Join(at, name), f)
		}
	}
}

// checkAlertUnknown removes every value of the example: nothing may become a
// zero by it, and what is unknown has its reason.
func checkAlertUnknown(t testing.TB, h AlertsHarness) {
	absent := func(v any) []any {
		switch v.(type) {
		case map[string]any:
			return []any{nil, map[string]any{}}
		case []any:
			return []any{nil, []any{}}
		}
		return []any{nil, "", "-", "unknown"}
	}
	for _, c := range variants(t, h.Spec.Example, absent) {
		parsed, _ := h.parse(t, c.body, alertNow())
		for _, p := range parsed {
			if p.Wrong != nil {
				continue
			}
			alertFields(reflect.ValueOf(p.Alert), "", func(path string, field incident.Field) {
				value, from, why := field.Any()
				known := from != incident.Unknown
				// A false of the example is still said where none of them was removed.
				said := value == false && bytes.Count(c.body, []byte("false")) == strings.Count(h.Spec.Example, "false") && strings.Contains(h.Spec.Example, "false")
				if empty := reflect.ValueOf(value); known && !said && (!empty.IsValid() || empty.IsZero() || empty.Kind() == reflect.Slice && empty.Len() == 0) {
					t.Errorf("without %s, %s is known as %v", c.place, path, value)
				}
				if !known && why == "" {
					t.Errorf("without %s, %s is unknown without a reason", c.place, path)
				}
			})
		}
	}
}

func checkAlertIdentity(t testing.TB, h AlertsHarness) {
	first := h.only(t, "the example", []byte(h.Spec.Example))
	var v any
	dec := json.NewDecoder(strings.NewReader(h.Spec.Example))
	dec.UseNumber()
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("the example is not JSON: %v", err)
	}
	later, err := h.parse(t, reversed(v), alertNow().Add(time.Hour))
	if err != nil || len(later) != 1 || later[0].Wrong != nil {
		t.Fatalf("the example with its keys in another order is read as %+v, %v", later, err)
	}
	if again := later[0].Alert; again.ID != first.ID || !slices.Equal(again.Prints, first.Prints) {
		t.Errorf("sent again an hour later, with its keys in another order, the id is %q with %v; want %q with %v", again.ID, again.Prints, first.ID, first.Prints)
	}
	if next := h.only(t, "the next occurrence", []byte(h.Next)); next.Prints[0] == first.Prints[0] {
		t.Errorf("the next occurrence is %v, which is the first one", next.Prints[0])
	}
	if h.Newer != "" {
		if newer := h.only(t, "the newer content", []byte(h.Newer)); newer.Prints[0] != first.Prints[0] || newer.Prints[1] == first.Prints[1] || newer.UpdatedAt.Before(first.UpdatedAt) {
			t.Errorf("newer content of %v is %v, changed at %v; want the same occurrence with other content, changed no earlier than %v", first.Prints, newer.Prints, newer.UpdatedAt, first.UpdatedAt)
		}
	}
	parsed, err := h.parse(t, []byte(h.Several), alertNow())
	if err != nil || len(parsed) != 3 {
		t.Fatalf("%.200s: %d alerts, %v", h.Several, len(parsed), err)
	}
	if a, b := parsed[0].Alert, parsed[2].Alert; a.Prints[0] == b.Prints[0] {
		t.Errorf("two alerts of one request are the same occurrence: ids %q and %q", a.ID, b.ID)
	}
}

func checkAlertResolved(t testing.TB, h AlertsHarness) {
	first := h.only(t, "the example", []byte(h.Spec.Example))
	if h.NeverResolved == "" {
		if a := h.only(t, "the resolved alert", []byte(h.Resolved)); a.Status != incident.Resolved || a.ID != first.ID && h.ResolvedAnew == "" {
			t.Errorf("resolved, the alert is %q and %s; want %q and %s", a.ID, a.Status, first.ID, incident.Resolved)
		}
	}
	// No other value of the example is a state. A word that makes it a detection
	// of another kind may silence it, with the reason.
	text := func(v any) []any {
		if _, ok := v.(string); ok {
			return []any{"resolved"}
		}
		return nil
	}
	for _, c := range variants(t, h.Spec.Example, text) {
		parsed, _ := h.parse(t, c.body, alertNow())
		for _, p := range parsed {
			silent := p.Alert.Status == incident.NotAlerting && p.Alert.StatusWhy != ""
			if c.place != h.State && p.Wrong == nil && p.Alert.Status != incident.Firing && !silent {
				t.Errorf("%s with the text resolved makes the alert %s", c.place, p.Alert.Status)
			}
		}
	}
}

// checkAlertBodies sends what a sender must not be able to break anything with:
// torn, deep, and with each value of another type.
func checkAlertBodies(t testing.TB, h AlertsHarness) {
	bodies := [][]byte{
		nil, []byte("null"), []byte("0"), []byte(`""`), []byte("[]"), []byte("{}"), []byte("[null]"), []byte("[[]]"), []byte(`{"alerts":null}`), []byte(`{"alerts":{}}`),
		[]byte(strings.Repeat(`{"a":`, 20_000)), []byte(strings.Repeat("[", 20_000)), []byte("\xff\xfe{\x00}\x00"),
	}
	for i := range len(h.Spec.Example) {
		bodies = append(bodies, []byte(h.Spec.Example[:i]))
	}
	odd := func(any) []any {
		return []any{
			nil, true, false, json.Number("0"), json.Number("-1"), json.Number("1e400"), json.Number("18446744073709551616"), "", "\x00\ufffd", "\u202e", "0",
			[]any{},
			[]any{nil},
			[]any{[]any{"a"}, map[string]any{"b": "c"}, json.Number("7")},
			map[string]any{},
			map[string]any{"a": map[string]any{"b": []any{"c"}}},
			strings.Repeat("x", 70_000),
		}
	}
	for _, c := range slices.Concat(variants(t, h.Spec.Example, odd), variants(t, h.Several, odd)) {
		bodies = append(bodies, c.body)
	}
	for _, body := range bodies {
		h.holds(t, body)
	}
}

// holds checks the invariants of every body: a field is named, or the alert taken
// has an id and a state, can be stored, and is the same when it is sent again.
func (h AlertsHarness) holds(t testing.TB, body []byte) {
	t.Helper()
	parsed, err := h.parse(t, bytes.Clone(body), alertNow())
	again, errAgain := h.parse(t, bytes.Clone(body), alertNow().Add(time.Hour))
	if (err == nil) != (errAgain == nil) || len(parsed) != len(again) {
		t.Fatalf("%.200s: %d alerts and %v, and the second time %d and %v", body, len(parsed), err, len(again), errAgain)
	}
	for i, p := range parsed {
		if p.Wrong != nil {
			continue
		}
		a := p.Alert
		if a.ID == "" || a.Status == "" || a.ID != again[i].Alert.ID || !slices.Equal(a.Prints, again[i].Alert.Prints) {
			t.Fatalf("%.200s: id %q and %q, status %q", body, a.ID, again[i].Alert.ID, a.Status)
		}
		data, err := json.Marshal(a)
		if err != nil {
			t.Fatalf("%.200s: store the alert: %v", body, err)
		}
		var stored incident.Alert
		if err := json.Unmarshal(data, &stored); err != nil {
			t.Fatalf("%.200s: read the stored alert: %v", body, err)
		}
		if diff := cmp.Diff(AlertLines(a), AlertLines(stored)); diff != "" {
			t.Fatalf("%.200s: stored and read back: -before +after\n%s", body, diff)
		}
	}
}

// checkAlertText puts what an attacker may write into every text.
func checkAlertText(t testing.TB, h AlertsHarness) {
	hostile := func(v any) []any {
		if _, ok := v.(string); !ok {
			return nil
		}
		return []any{"\x1b[31m{{.Raw}} ${env:HOME} <!channel> *b* `c` </script>\x00", strings.Repeat("A", 4096), "ws-1'; DROP TABLE hosts; --"}
	}
	for _, c := range variants(t, h.Spec.Example, hostile) {
		parsed, err := h.parse(t, c.body, alertNow())
		if err != nil {
			h.plain(t, c.place, err.Error())
		}
		for _, p := range parsed {
			if p.Wrong != nil {
				h.plain(t, c.place, p.Wrong.Error())
				continue
			}
			for _, line := range AlertLines(p.Alert) {
				if strings.ContainsFunc(line, func(r rune) bool { return unicode.IsControl(r) && !unicode.IsSpace(r) }) {
					t.Errorf("hostile text at %s is read with its control characters: %q", c.place, line)
				}
			}
		}
	}
}

// plain checks that a complaint can be shown in a terminal.
func (h AlertsHarness) plain(t testing.TB, place, text string) {
	t.Helper()
	if len(text) > 1000 || strings.ContainsFunc(text, unicode.IsControl) {
		t.Errorf("hostile text at %s is shown in the complaint: %.200q", place, text)
	}
}

func checkAlertBody(t testing.TB, h AlertsHarness) {
	for _, text := range h.bodies() {
		body := []byte(text)
		// What could not be read is kept, so it must be what was sent.
		if _, err := h.parse(t, body, alertNow()); err != nil {
			t.Errorf("%.200s: %v", text, err)
		}
		if string(body) != text {
			t.Errorf("the body was changed to %.200s", body)
		}
	}
}

// checkAlertTimes writes every time of the example with another offset.
func checkAlertTimes(t testing.TB, h AlertsHarness) {
	first := h.only(t, "the example", []byte(h.Spec.Example))
	elsewhere := func(v any) []any {
		text, _ := v.(string)
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return nil
		}
		return []any{at.In(time.FixedZone("", 5*3600+1800)).Format(time.RFC3339Nano)}
	}
	bodies := append(variants(t, h.Spec.Example, elsewhere), variant{"", []byte(h.Spec.Example)})
	for _, c := range bodies {
		a := h.only(t, "the example with another offset", c.body)
		alertFields(reflect.ValueOf(a), "", func(path string, field incident.Field) {
			value, _, _ := field.Any()
			if at, ok := value.(time.Time); ok && !at.IsZero() && at.Location() != time.UTC {
				t.Errorf("%s is in %s, want UTC", path, at.Location())
			}
		})
		if one, two := first.Time, a.Time; one.String() != two.String() || a.Prints[0] != first.Prints[0] {
			t.Errorf("with another offset at %s the time is %v, want %v", c.place, two, one)
		}
	}
}

// FuzzAlerts checks the invariants of every body.
func FuzzAlerts(f *testing.F, h AlertsHarness) {
	for _, body := range append(h.bodies(), h.caseBodies(f)...) {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) { h.holds(t, body) })
}
