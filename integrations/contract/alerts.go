package contract

import (
	"bytes"
	"errors"
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// AlertsHarness is a kind of alert source and bodies of it. All are synthetic.
type AlertsHarness struct {
	Spec alerts.Spec
	// Cases is a folder of txtar archives, each with a body.json and the first error
	// or the lines that it gives, as [AlertLines] writes them, or both; lines may be
	// left out.
	Cases string
	// Several is a body with three alerts, of which the second cannot be taken.
	Several string
	// Resolved is a body in which the alert of the Spec's Example is resolved,
	// and Next one of its next occurrence.
	Resolved, Next string
	// Newer is the alert of the Example with newer content, of the same occurrence; empty
	// where the sender never says more of one.
	Newer string
	// ResolvedAnew is the reason for which Resolved has an id of its own.
	ResolvedAnew string
	// NeverResolved is the reason for which there is no Resolved: the product has no word
	// for the end of an alert.
	NeverResolved string
	// State is where the Spec's Example says its state, such as alerts[].status; empty
	// where it says none.
	State string
	// Doubtful is the reason for which the host is in doubt in every alert of the kind.
	Doubtful string
}

// Alerts checks an [alerts.Spec].
func Alerts(t *testing.T, h AlertsHarness) { t.Helper(); run(t, "Alerts", h, alertsChecks()) }

func alertsChecks() []check[AlertsHarness] {
	return []check[AlertsHarness]{
		{"the example is one alert that fires and names its host", checkAlertExample},
		{"the cases are read as they say", checkAlertCases},
		{"what is read is documented, and the reverse", checkAlertFields},
		{"an alert that is wrong takes nothing from the others", checkAlertsAlone},
		{"what is beyond the bound of a request stays together", checkAlertsBound},
		{"what is not known is not zero", checkAlertUnknown},
		{"the same alert is known again, another is another", checkAlertIdentity},
		{"the example makes many alerts of many hosts", checkAlertAnother},
		{"resolved never fires, and no other text resolves", checkAlertResolved},
		{"no body panics, and what is taken can be stored", checkAlertBodies},
		{"hostile text is data", checkAlertText},
		{"the body is not changed", checkAlertBody},
		{"times are in UTC", checkAlertTimes},
	}
}

func (h AlertsHarness) knobs() Knobs { return Knobs{Kind: h.Spec.Kind} }

func alertNow() time.Time { return time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC) }

// parse reads a body as of one source. A panic fails the check with the body.
func (h AlertsHarness) parse(t testing.TB, body []byte, now time.Time) (parsed []alerts.Parsed, err error) {
	t.Helper()
	defer func() {
		if p := recover(); p != nil {
			t.Fatalf("%.200s: panic: %v", body, p)
		}
	}()
	s := alerts.Source{Spec: h.Spec, Name: "siem", Category: "high_egress", OS: "windows"}
	parsed, err = s.Parse(body, now)
	if _, ok := errors.AsType[*alerts.FieldError](err); err != nil && !ok {
		t.Errorf("%.200s: error %v names no field", body, err)
	}
	return parsed, err
}

// only reads the one alert of a body that must be taken.
func (h AlertsHarness) only(t testing.TB, what string, body []byte) incident.Alert {
	t.Helper()
	parsed, err := h.parse(t, body, alertNow())
	if err != nil || len(parsed) != 1 || parsed[0].Wrong != nil {
		t.Fatalf("%s is read as %+v, %v; want one alert", what, parsed, err)
	}
	return parsed[0].Alert
}

// AlertLines writes what an alert holds, a line per field: "host.os = linux (alert)".
func AlertLines(a incident.Alert) []string {
	lines := []string{fmt.Sprintf("id %s %s", a.ID, a.Status)}
	return append(lines, structLines(reflect.ValueOf(a), "")...)
}

func structLines(s reflect.Value, at string) []string {
	var lines []string
	for f, v := range s.Fields() {
		if !f.IsExported() {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		path := alerts.Join(at, name)
		if field, ok := v.Interface().(incident.Field); ok {
			line := fmt.Sprintf("%s = %v", path, v.Interface())
			if _, from, _ := field.Any(); from != incident.Unknown {
				line += fmt.Sprintf(" (%s)", from)
			}
			lines = append(lines, line)
		} else if v.Kind() == reflect.Struct {
			lines = append(lines, structLines(v, path)...)
		}
		if doubts, ok := v.Interface().([]string); ok && name == "doubts" {
			for _, doubt := range doubts {
				lines = append(lines, "doubt: "+doubt)
			}
		}
	}
	return lines
}

func checkAlertExample(t testing.TB, h AlertsHarness) {
	a := h.only(t, "the example", []byte(h.Spec.Example))
	if a.ID == "" || a.Status != incident.Firing || !a.Host.Named() || (len(a.Host.Doubts) > 0) != (h.Doubtful != "") || !a.Time.IsKnown() {
		t.Errorf("the example is read as %s; want a firing alert with an id, a time and a host, in doubt only where all are", strings.Join(AlertLines(a), "\n"))
	}
	if h.Spec.Summary == "" || h.Spec.Doc == "" || h.Spec.Identity == "" || h.Spec.Occurrence == "" {
		t.Errorf("the Spec lacks its Summary, Doc, Identity or Occurrence")
	}
}

func checkAlertCases(t testing.TB, h AlertsHarness) {
	files, err := filepath.Glob(filepath.Join(h.Cases, "*.txtar"))
	if err != nil || len(files) == 0 {
		t.Fatalf("found %d cases in %q, %v", len(files), h.Cases, err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatalf("%v", err)
		}
		if !strings.HasPrefix(string(archive.Comment), "Synthetic") {
			t.Errorf("%s does not say that it is synthetic", file)
		}
		part := map[string]string{}
		for _, f := range archive.Files {
			part[f.Name] = strings.TrimSpace(string(f.Data))
		}
		h.checkCase(t, file, part)
	}
}

func (h AlertsHarness) checkCase(t testing.TB, file string, part map[string]string) {
	t.Helper()
	parsed, err := h.parse(t, []byte(part["body.json"]), alertNow())
	wrong := err
	for _, p := range parsed {
		if p.Wrong != nil && wrong == nil {
			wrong = p.Wrong
		}
	}
	if want := part["error"]; want != "" || wrong != nil {
		if wrong == nil || wrong.Error() != want {
			t.Errorf("%s: error %v, want %s", file, wrong, want)
		}
		if part["want"] == "" {
			return
		}
	}
	want := strings.Split(part["want"], "\n")
	var got []string
	for _, p := range slices.DeleteFunc(parsed, func(p alerts.Parsed) bool { return p.Wrong != nil }) {
		for _, line := range AlertLines(p.Alert) {
			name, _, _ := strings.Cut(line, " ")
			// A doubt is never left out.
			if name == "doubt:" || slices.ContainsFunc(want, func(w string) bool { return strings.HasPrefix(w, name+" ") }) {
				got = append(got, line)
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: -want +got\n%s", file, diff)
	}
}

func checkAlertsAlone(t testing.TB, h AlertsHarness) {
	parsed, err := h.parse(t, []byte(h.Several), alertNow())
	if err != nil || len(parsed) != 3 {
		t.Fatalf("%.200s is read as %d alerts, %v; want 3", h.Several, len(parsed), err)
	}
	for i, p := range parsed {
		if p.Index != i || (p.Wrong != nil) != (i == 1) {
			t.Errorf("alert %d has index %d and %v", i, p.Index, p.Wrong)
		}
		again, err := h.parse(t, p.Body, alertNow())
		if i == 1 {
			if err == nil && (len(again) != 1 || again[0].Wrong == nil) {
				t.Errorf("alert %d alone is taken", i)
			}
			continue
		}
		if err != nil || len(again) != 1 || again[0].Wrong != nil {
			t.Fatalf("alert %d alone is read as %+v, %v", i, again, err)
		}
		if diff := cmp.Diff(AlertLines(p.Alert), AlertLines(again[0].Alert)); diff != "" || !slices.Equal(p.Alert.Prints, again[0].Alert.Prints) {
			t.Errorf("alert %d alone is another: %s", i, diff)
		}
	}
}

func checkAlertsBound(t testing.TB, h AlertsHarness) {
	alone, err := h.parse(t, []byte(h.Several), alertNow())
	if err != nil || len(alone) == 0 {
		t.Fatalf("%.200s: %v", h.Several, err)
	}
	documents, bad := h.Spec.Split(bytes.Clone(alone[0].Body))
	if bad != nil || len(documents) != 1 {
		t.Fatalf("%.200s holds %d documents, %v; want 1", alone[0].Body, len(documents), bad)
	}
	many := slices.Repeat(documents, alerts.MaxAlerts+3)
	parsed, err := h.parse(t, h.Spec.Together(many), alertNow())
	if err != nil || len(parsed) != alerts.MaxAlerts+1 || parsed[alerts.MaxAlerts].Wrong == nil {
		t.Fatalf("a request with %d alerts is read as %d, %v", len(many), len(parsed), err)
	}
	rest, err := h.parse(t, parsed[alerts.MaxAlerts].Body, alertNow())
	if err != nil || len(rest) != 3 || rest[2].Wrong != nil || rest[2].Alert.ID != parsed[0].Alert.ID {
		t.Errorf("the rest is read as %d alerts, %v; want 3", len(rest), err)
	}
}
