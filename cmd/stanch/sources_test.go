package main_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/stanch-soar/stanch/cmd/internal/api"
	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/all"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const (
	// saidWindow is the window of the detection that all examples tell of, and assumedWindow
	// what the configuration gives those that do not say it.
	saidWindow    = 15 * time.Minute
	assumedWindow = 17 * time.Minute
)

// exampleHosts are what a person reads in the examples as the machine that sends: its name,
// its id in the product, or its address.
func exampleHosts() []string {
	return []string{"ws-042", "ws-042.corp.example", "10.20.0.42", "i-99999999", "a0000000000000000000000000000042", "73e7e2de709dff64ef64b1d0c30e67fab63279db", "198.51.100.7"}
}

// everySource is the configuration with a source of every kind, named as its kind.
func everySource(slow string) string {
	var b strings.Builder
	for _, spec := range all.Catalog().Sources {
		more := ""
		if spec.Map != nil {
			more = ", map: mapping.yaml"
		}
		fmt.Fprintf(&b, "  every-%s: { kind: %s, auth: { bearer: %s }, category: high_egress, os: windows, window: %s%s }\n", spec.Kind, spec.Kind, sourceToken, incident.FormatDuration(assumedWindow), more)
	}
	return strings.Replace(configuration(slow), "sources:\n", "sources:\n"+b.String(), 1)
}

// TestEverySourceEndToEnd posts the example of every kind of source to the built binary, and
// all that its vendor's folder has of alerts that ask for no response.
func TestEverySourceEndToEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t, "mode: enforce", "mode: shadow")
	s.settings = everySource
	s.write("mapping.yaml", read(t, "../../integrations/mapping/examples/vectra.yaml"))
	s.start("")
	cases := 0
	for _, spec := range all.Catalog().Sources {
		s.startsNothing(spec)
		s.opensItsCase(spec)
		cases++
		var list api.CaseList
		if status := s.get("/v1/cases?limit=200", &list); status != http.StatusOK {
			t.Fatalf("list the cases: %d", status)
		}
		if len(list.Cases) != cases {
			t.Fatalf("after kind %s there are %d cases, want %d", spec.Kind, len(list.Cases), cases)
		}
	}
}

// opensItsCase posts the example of a kind, twice, and waits for the one case to end.
func (s *site) opensItsCase(spec alerts.Spec) {
	s.t.Helper()
	var first, again api.Accepted
	for _, into := range []*api.Accepted{&first, &again} {
		if status := s.do(http.MethodPost, "/v1/alerts/every-"+spec.Kind, sourceToken, []byte(spec.Example), into); status != http.StatusAccepted || len(into.Cases) != 1 || into.Cases[0].Alerts != 1 {
			s.t.Fatalf("the example of kind %s is answered %d, %+v; want one alert in one case", spec.Kind, status, *into)
		}
	}
	ref := first.Cases[0]
	if got := again.Cases[0]; got.ID != ref.ID || got.Run != ref.Run {
		s.t.Errorf("the example of kind %s sent again is in case %+v, want %+v", spec.Kind, got, ref)
	}
	playbook, subject, _ := strings.Cut(ref.ID, "/")
	if playbook != "high-egress-windows" || !slices.Contains(exampleHosts(), subject) {
		s.t.Errorf("the example of kind %s opens case %s; want one of high-egress-windows about the machine that sends", spec.Kind, ref.ID)
	}
	var c incident.Case
	s.until("the case of kind "+spec.Kind+" to end", func() bool {
		return s.get("/v1/cases/"+ref.ID+"?run="+ref.Run, &c) == http.StatusOK && c.EvidenceDir != ""
	})
	s.last = c
	if c.AlertCount != 1 || len(c.Alerts) != 1 || c.Alerts[0].Source != "every-"+spec.Kind || c.Decision == nil {
		s.t.Fatalf("the case of kind %s has %d alerts and the decision %v, want its one alert, decided", spec.Kind, c.AlertCount, c.Decision)
	}
	window, ok := c.Facts.Alert.Window.Get()
	assumed := c.Facts.Alert.Window.From() == incident.Assumed
	if !ok || assumed && window != assumedWindow || !assumed && window != saidWindow {
		s.t.Errorf("the window of kind %s is %v (%s), want %v of the example, or %v assumed", spec.Kind, c.Facts.Alert.Window, c.Facts.Alert.Window.From(), saidWindow, assumedWindow)
	}
	s.hasDocument(spec, read(s.t, filepath.Join(c.EvidenceDir, "alerts", "0001.json")))
}

// hasDocument wants the evidence to hold the example, or the part of it that is the alert.
func (s *site) hasDocument(spec alerts.Spec, kept string) {
	s.t.Helper()
	var document, example any
	if err := json.Unmarshal([]byte(kept), &document); err != nil {
		s.t.Errorf("the evidence of kind %s holds %.200q: %v", spec.Kind, kept, err)
		return
	}
	if json.Unmarshal([]byte(spec.Example), &example) == nil {
		if !holds(example, document) {
			s.t.Errorf("the evidence of kind %s holds %s, which is not in its example %s", spec.Kind, kept, spec.Example)
		}
		return
	}
	// The example is a table: each of its cells is a text of the document.
	for cell := range strings.FieldsFuncSeq(spec.Example, func(r rune) bool { return strings.ContainsRune(",\"\r\n", r) }) {
		if !strings.Contains(kept, cell) {
			s.t.Errorf("the evidence of kind %s lacks %q of its example", spec.Kind, cell)
		}
	}
}

// holds reports whether an object is a JSON value, or stands somewhere below it.
func holds(value, object any) bool {
	if _, ok := object.(map[string]any); !ok {
		return false
	}
	if reflect.DeepEqual(value, object) {
		return true
	}
	switch value := value.(type) {
	case map[string]any:
		return slices.ContainsFunc(slices.Collect(maps.Values(value)), func(below any) bool { return holds(below, object) })
	case []any:
		return slices.ContainsFunc(value, func(below any) bool { return holds(below, object) })
	}
	return false
}

// startsNothing posts every body of the vendor's folder in which all alerts are resolved, not
// alerting or samples.
func (s *site) startsNothing(spec alerts.Spec) {
	s.t.Helper()
	id := regexp.MustCompile(`(?m)^id .* (\w+)$`)
	files, err := filepath.Glob(filepath.Join(folderOf(spec), "testdata", "*", "*.txtar"))
	if err != nil {
		s.t.Fatal(err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			s.t.Fatal(err)
		}
		part := map[string]string{}
		for _, f := range archive.Files {
			part[f.Name] = string(f.Data)
		}
		states := id.FindAllStringSubmatch(part["want"], -1)
		quiet := len(states) > 0 && !slices.ContainsFunc(states, func(m []string) bool { return m[1] == string(incident.Firing) })
		if !quiet {
			continue
		}
		var got api.Accepted
		if status := s.do(http.MethodPost, "/v1/alerts/every-"+spec.Kind, sourceToken, []byte(part["body.json"]), &got); status != http.StatusAccepted || len(got.Cases) != 0 || len(got.Recorded) != len(states) {
			s.t.Errorf("%s is answered %d, %+v; want its %d alerts recorded, and no case", file, status, got, len(states))
		}
	}
}

// folderOf is the folder of the vendor whose function reads the alerts of a kind.
func folderOf(spec alerts.Spec) string {
	name := runtime.FuncForPC(reflect.ValueOf(spec.Read).Pointer()).Name()
	_, path, _ := strings.Cut(name, "/integrations/")
	folder, _, _ := strings.Cut(path, ".")
	return filepath.Join("..", "..", "integrations", filepath.FromSlash(folder))
}
