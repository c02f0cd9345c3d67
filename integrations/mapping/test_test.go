package mapping_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/mapping"
	"github.com/stanch-soar/stanch/playbooks"
)

// The mappings that are shipped as examples pass their tests.
func TestExamples(t *testing.T) {
	files, err := filepath.Glob("examples/*_test.yaml")
	if err != nil || len(files) != 3 {
		t.Fatalf("found %q, %v; want three", files, err)
	}
	for _, file := range files {
		report, err := mapping.Test(strings.Replace(file, "_test.yaml", ".yaml", 1))
		if err != nil || report.File != file || len(report.Cases) < 2 {
			t.Errorf("%s: %+v, %v", file, report, err)
		}
		for _, c := range report.Cases {
			for _, f := range c.Failures {
				t.Errorf("%s: %s", c.Name, f)
			}
		}
	}
}

// written puts files into a folder, and returns the path of the first.
func written(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(files); i += 2 {
		if err := os.WriteFile(filepath.Join(dir, files[i]), []byte(files[i+1]), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, files[0])
}

const small = "id: doc.id\nours: doc.ours\nhost: { name: doc.host }\nbytes_out: doc.bytes\nwindow: doc.window\ntime: doc.time\n"

// Each expectation that does not hold is told with its place, and no other is.
func TestFailuresHaveTheirPlace(t *testing.T) {
	for _, c := range []struct{ expects, want string }{
		{"    alerts: [{ id: '7', status: firing, host: { name: ws-7 }, bytes_out: 1000, window: 15m, time: 2026-03-01T04:12:45+01:00 }]\n", ""},
		{"    alerts: [{ id: '8' }]\n", `ndr_test.yaml:7:20: id: want "8", got "7"`},
		{"    alerts: [{ bytes_out: 1KiB }]\n", `ndr_test.yaml:7:27: bytes_out: want 1024, got 1000`},
		{"    alerts: [{ bytes_out: unknown }]\n", `ndr_test.yaml:7:27: bytes_out: want unknown, got 1000`},
		{"    alerts: [{ count: 0 }]\n", `ndr_test.yaml:7:23: count: want 0, got unknown (the alert does not say)`},
		{"    alerts: [{ window: 16m }]\n", `ndr_test.yaml:7:24: window: want 16m, got 15m`},
		{"    alerts: [{ host: { ip: [10.0.0.1] } }]\n", `ndr_test.yaml:7:28: host.ip: want ["10.0.0.1"], got unknown (the alert does not say)`},
		{"    alerts: [{ status_why: target }]\n", `ndr_test.yaml:7:28: status_why: want "target", got ""`},
		{"    alerts: [{ rejected: no id }]\n", `ndr_test.yaml:7:26: want an alert that is rejected with "no id", got one that is taken`},
		{"    alerts: []\n", `ndr_test.yaml:7:13: want 0 alerts, got 1`},
		{"    refused: not JSON\n", `ndr_test.yaml:7:14: want a body that is refused with "not JSON", got 1 alerts`},
	} {
		path := written(t, "ndr.yaml", small, "ndr_test.yaml", `map: ndr.yaml
cases:
  - name: it
    body: |
      {"id": 7, "ours": true, "host": "ws-7", "bytes": "1,000", "window": 900,
       "time": "2026-03-01T03:12:45Z"}
`+c.expects)
		report, err := mapping.Test(path)
		if err != nil || len(report.Cases) != 1 {
			t.Errorf("%s: %+v, %v", c.expects, report, err)
			continue
		}
		var got []string
		for _, f := range report.Cases[0].Failures {
			f.File = filepath.Base(f.File)
			got = append(got, f.String())
		}
		if strings.Join(got, "\n") != c.want || (report.Failed() == 1) != (c.want != "") {
			t.Errorf("%s: got %q, want %q", c.expects, got, c.want)
		}
	}
}

// What is wrong with the file of the tests itself is an error with its places.
func TestTestsAreStrict(t *testing.T) {
	for _, c := range []struct{ tests, want string }{
		{"map: ndr.yaml\n", "ndr_test.yaml:1:1: the file needs cases"},
		{"map: ndr.yaml\ncases: [{ name: it, body: x, alerts: [{ host: { nam: a } }] }]\n", "ndr_test.yaml:2:49: unknown key \"nam\" in host: did you mean 'name'?"},
		{"map: ndr.yaml\ncases: [{ name: it, body: x }]\n", `ndr_test.yaml:2:9: case "it" expects one of alerts and refused`},
		{"map: ndr.yaml\ncases: [{ name: it, alerts: [{}] }]\n", `ndr_test.yaml:2:9: case "it" needs one of body and file`},
		{"map: ndr.yaml\ncases: [{ name: it, body: x, alerts: [{ bytes_out: many }] }]\n", "ndr_test.yaml:2:52: "},
	} {
		path := written(t, "ndr.yaml", small, "ndr_test.yaml", c.tests)
		_, err := mapping.Test(path)
		if issues, ok := errors.AsType[playbooks.Issues](err); !ok || !strings.HasPrefix(strings.ReplaceAll(issues[0].String(), filepath.Dir(path)+"/", ""), c.want) {
			t.Errorf("%s: got %v, want %s", c.tests, err, c.want)
		}
	}
	if _, err := mapping.Test(written(t, "ndr.yaml", small)); err == nil || !strings.Contains(err.Error(), "ndr_test.yaml") {
		t.Errorf("without tests: %v", err)
	}
}
