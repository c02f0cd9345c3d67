package mapping

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/playbooks"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// testFile holds the tests of one mapping.
type testFile struct {
	Map   string     `yaml:"map,required" doc:"Path of the mapping, from this file."`
	Cases []testCase `yaml:"cases,required" doc:"The cases."`
}

type testCase struct {
	Name    string         `yaml:"name,required" doc:"What the case shows, as a sentence."`
	Body    string         `yaml:"body" doc:"What is posted, in a | block."`
	File    string         `yaml:"file" doc:"The file that holds it instead, from this file."`
	Refused string         `yaml:"refused" doc:"A part of the reason for which the body is refused as a whole."`
	Alerts  playbooks.Node `yaml:"alerts" doc:"The alerts that the body holds, all of them and in their order: of each the values that are looked at, as Stanch writes them, or rejected: with a part of the reason. The word unknown is a value that is not known."`
}

// expected is one alert that a test expects.
type expected struct {
	Rejected string `yaml:"rejected"`
	incident.Alert
}

// Report is the result of the tests of one mapping.
type Report struct {
	// File is the file of the tests, and Map that of the mapping.
	File  string   `json:"file"`
	Map   string   `json:"map"`
	Cases []Result `json:"cases"`
}

// Failed counts the cases that failed.
func (r Report) Failed() int {
	n := 0
	for _, c := range r.Cases {
		if len(c.Failures) > 0 {
			n++
		}
	}
	return n
}

// Result is the result of one case; without failures it has passed.
type Result struct {
	Name     string           `json:"name"`
	Failures playbooks.Issues `json:"failures,omitempty"`
}

// TestsOf is the file that holds the tests of a mapping: ndr_test.yaml beside ndr.yaml.
// The file of the tests itself is its own.
func TestsOf(path string) string {
	ext := filepath.Ext(path)
	bare := strings.TrimSuffix(path, ext)
	if strings.HasSuffix(bare, "_test") {
		return path
	}
	return bare + "_test" + ext
}

// Test runs the tests of a mapping: path is its file, or that of the tests. An error about
// the content of a file is [playbooks.Issues]; a case that fails is none.
func Test(path string) (Report, error) {
	path = TestsOf(path)
	data, err := os.ReadFile(path)
	if err != nil {
		return Report{}, fmt.Errorf("read the tests of a mapping: %w", err)
	}
	var f testFile
	issues := playbooks.DecodeStrict(path, data, &f, playbooks.BareUnits())
	var root playbooks.Node
	// Faults of the form were reported above.
	_ = playbooks.DecodeStrict(path, data, &root)
	for i, c := range f.Cases {
		issues = append(issues, c.check(root.Get("cases").At(i))...)
	}
	if err := issues.Err(); err != nil {
		return Report{}, err
	}
	report := Report{File: path, Map: filepath.Join(filepath.Dir(path), f.Map)}
	m, err := Load(report.Map)
	if err != nil {
		return Report{}, err
	}
	for i, c := range f.Cases {
		failures, err := c.run(m, root.Get("cases").At(i), filepath.Dir(path))
		if err != nil {
			return Report{}, err
		}
		report.Cases = append(report.Cases, Result{Name: c.Name, Failures: failures})
	}
	return report, nil
}

// check finds what types cannot express.
func (c testCase) check(node playbooks.Node) playbooks.Issues {
	var issues playbooks.Issues
	if (c.Body == "") == (c.File == "") {
		issues = append(issues, node.Issue("case %q needs one of body and file", c.Name))
	}
	if (c.Refused == "") == c.Alerts.IsZero() {
		issues = append(issues, node.Issue("case %q expects one of alerts and refused", c.Name))
	}
	var list []playbooks.Node
	issues = append(issues, c.Alerts.Decode(&list)...)
	for _, item := range list {
		var want expected
		bad := item.Decode(&want)
		if issues = append(issues, bad...); len(bad) == 0 && len(item.Keys()) == 0 {
			issues = append(issues, item.Issue("nothing is expected of the alert"))
		}
	}
	return issues
}

func (c testCase) run(m *Mapping, node playbooks.Node, dir string) (playbooks.Issues, error) {
	body := []byte(c.Body)
	if c.File != "" {
		var err error
		if body, err = os.ReadFile(filepath.Join(dir, c.File)); err != nil {
			return playbooks.Issues{node.Get("file").Issue("%v", err)}, nil
		}
	}
	s := alerts.Source{Spec: m.with(Alerts()), Name: "test"}
	parsed, err := s.Parse(body, time.Now().UTC())
	wrong, refused := errors.AsType[*alerts.FieldError](err)
	switch {
	case err != nil && !refused:
		return nil, fmt.Errorf("case %q: %w", c.Name, err)
	case c.Refused != "" && (wrong == nil || !strings.Contains(wrong.Error(), c.Refused)):
		return playbooks.Issues{node.Get("refused").Issue("want a body that is refused with %q, got %s", c.Refused, outcome(parsed, wrong))}, nil
	case c.Refused != "":
		return nil, nil
	case wrong != nil:
		return playbooks.Issues{node.Get("alerts").Issue("the body is refused: %v", wrong)}, nil
	}
	items := c.Alerts.Items()
	if len(parsed) != len(items) {
		return playbooks.Issues{node.Get("alerts").Issue("want %d alerts, got %d", len(items), len(parsed))}, nil
	}
	var failures playbooks.Issues
	for i, p := range parsed {
		failures = append(failures, compareParsed(items[i], p)...)
	}
	return failures, nil
}

func outcome(parsed []alerts.Parsed, wrong *alerts.FieldError) string {
	if wrong != nil {
		return fmt.Sprintf("%q", wrong.Error())
	}
	return fmt.Sprintf("%d alerts", len(parsed))
}

func compareParsed(node playbooks.Node, p alerts.Parsed) playbooks.Issues {
	var want expected
	// It was decoded before.
	_ = node.Decode(&want)
	switch {
	case want.Rejected != "" && (p.Wrong == nil || !strings.Contains(p.Wrong.Error(), want.Rejected)):
		got := "one that is taken"
		if p.Wrong != nil {
			got = fmt.Sprintf("%q", p.Wrong.Error())
		}
		return playbooks.Issues{node.Get("rejected").Issue("want an alert that is rejected with %q, got %s", want.Rejected, got)}
	case want.Rejected != "":
		return compare(node.Without("rejected"), reflect.ValueOf(want.Alert), reflect.ValueOf(p.Alert), "")
	case p.Wrong != nil:
		return playbooks.Issues{node.Issue("the alert is rejected: %v", p.Wrong)}
	}
	return compare(node, reflect.ValueOf(want.Alert), reflect.ValueOf(p.Alert), "")
}

// compare compares the values that a test names.
func compare(node playbooks.Node, want, got reflect.Value, at string) playbooks.Issues {
	var failures playbooks.Issues
	for f, v := range want.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || !slices.Contains(node.Keys(), name) {
			continue
		}
		is, path := got.FieldByIndex(f.Index), alerts.Join(at, name)
		_, field := v.Interface().(incident.Field)
		switch {
		case v.Kind() == reflect.Struct && !field && v.Type() != reflect.TypeFor[time.Time]():
			failures = append(failures, compare(node.Get(name), v, is, path)...)
		case !same(name, v.Interface(), is.Interface()):
			failures = append(failures, node.Get(name).Issue("%s: want %s, got %s", path, shown(v.Interface()), shown(is.Interface())))
		}
	}
	return failures
}

// same reports whether a value is as a test wants it. Of a reason a part is enough, and
// where a value came from is not compared.
func same(name string, want, got any) bool {
	if name == "status_why" {
		return strings.Contains(fmt.Sprint(got), fmt.Sprint(want))
	}
	w, ok := want.(incident.Field)
	g, also := got.(incident.Field)
	if !ok || !also {
		return equal(want, got)
	}
	wanted, from, _ := w.Any()
	value, known, _ := g.Any()
	return (from == incident.Unknown) == (known == incident.Unknown) && equal(wanted, value)
}

func equal(a, b any) bool {
	if at, ok := a.(time.Time); ok {
		other, ok := b.(time.Time)
		return ok && at.Equal(other)
	}
	return reflect.DeepEqual(a, b)
}

// shown is a value for people.
func shown(v any) string {
	if field, ok := v.(incident.Field); ok {
		value, from, why := field.Any()
		if from == incident.Unknown {
			return strings.TrimSuffix("unknown ("+why+")", " ()")
		}
		v = value
	}
	if d, ok := v.(time.Duration); ok {
		return incident.FormatDuration(d)
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Sprint(v)
	}
	return string(data)
}
