package flowlog_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/flowlog"
)

const acme = `lines: separated
columns: [at, client, server, sent, received, verdict]
times: unix
start: at
source: { ip: client, bytes: sent }
destination: { ip: server, bytes: received }
transport_is: tcp
skip: [{ column: verdict, is: [deny], because: denied }]
`

// A mistake in a mapping is told with its place, before any line is read.
func TestMistakesInAMappingAreToldWithTheirPlace(t *testing.T) {
	for want, change := range map[string][2]string{
		`acme.yaml:3:8: invalid layout "yesterday"`:                            {"times: unix", "times: yesterday"},
		`acme.yaml:3:8: the layout has no zone: give zone`:                     {"times: unix", "times: '2006-01-02 15:04:05'"},
		`acme.yaml:3:8: the layout "15:04:05 Z07:00" lacks a part of the time`: {"times: unix", "times: '15:04:05 Z07:00'"},
		`acme.yaml:4:7: zone: time zone "Mars" is not in the zone database`:    {"start: at", "zone: Mars\nstart: at"},
		`acme.yaml:2:10: columns lacks "clint", which is read`:                 {"ip: client", "ip: clint"},
		`acme.yaml:1:8: `:                                             {"lines: separated", "lines: xml"},
		`give start or end: flows have a time`:                        {"start: at\n", ""},
		`give one of transport and transport_is`:                      {"transport_is: tcp\n", ""},
		`neither end has bytes`:                                       {"source: { ip: client, bytes: sent }\ndestination: { ip: server, bytes: received }", "source: { ip: client }\ndestination: { ip: server }"},
		`one_direction leaves no bytes of the destination`:            {"start: at", "start: at\none_direction: true"},
		`invalid separator "::"`:                                      {"times: unix", "times: unix\nseparator: '::'"},
		`give one of is and is_not`:                                   {"is: [deny], ", ""},
		`sauce`:                                                       {"source:", "sauce:"},
		`start, end and duration are one too many`:                    {"start: at", "start: at\nend: at\nduration: sent"},
		`columns are of separated values: lines of pairs name theirs`: {"lines: separated", "lines: pairs"},
	} {
		text := strings.Replace(acme, change[0], change[1], 1)
		if text == acme {
			t.Fatalf("%q changes nothing", change[0])
		}
		if _, err := flowlog.ParseMapping("acme.yaml", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", change[1], err, want)
		}
	}
	if _, err := flowlog.ParseMapping("acme.yaml", []byte(acme)); err != nil {
		t.Error(err)
	}
}

// The tests of a mapping fail where it reads something else, with the place of what was wanted.
func TestAMappingsOwnTestsBite(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const tests = `map: acme.yaml
cases:
  - name: an upload
    log: |
      1795909500,10.20.4.42,198.51.100.7,300,5,allow
      1795909501,10.20.4.42,198.51.100.7,74,0,deny
      nonsense
    flows:
      - { start: '2026-11-28T23:45:00Z', source: 10.20.4.42, destination: '198.51.100.7:0', sent: '300', received: '5', transport: tcp }
    bad: 1
    skipped: 1
`
	write("acme.yaml", acme)
	write("acme_test.yaml", tests)
	report, err := flowlog.TestMapping(filepath.Join(dir, "acme.yaml"))
	if err != nil || report.Failed() != 0 || len(report.Cases) != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	for want, change := range map[string][2]string{
		`sent: got 300, want 301`:         {"sent: '300'", "sent: '301'"},
		`sent: got 300, want unknown`:     {"sent: '300'", "sent: unknown"},
		`source: got 10.20.4.42`:          {"source: 10.20.4.42", "source: 10.20.4.43"},
		`1 bad lines, want 0: line 3: `:   {"    bad: 1\n", ""},
		`skipped lines: got 1, want 2`:    {"skipped: 1", "skipped: 2"},
		`flows: got 1, want 0`:            {"flows:\n      - { start: '2026-11-28T23:45:00Z', source: 10.20.4.42, destination: '198.51.100.7:0', sent: '300', received: '5', transport: tcp }", "flows: []"},
		`start: got 2026-11-28T23:45:00Z`: {"23:45:00", "23:46:00"},
	} {
		text := strings.Replace(tests, change[0], change[1], 1)
		if text == tests {
			t.Fatalf("%q changes nothing", change[0])
		}
		write("acme_test.yaml", text)
		report, err := flowlog.TestMapping(filepath.Join(dir, "acme_test.yaml"))
		if err != nil || report.Failed() != 1 || !strings.Contains(report.Cases[0].Failures.Err().Error(), want) {
			t.Errorf("%q: %+v, %v, want %q", change[1], report, err, want)
		}
	}
}
