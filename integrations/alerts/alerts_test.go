package alerts_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/all"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

func now() time.Time { return time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC) }

func source(kind string) alerts.Source {
	spec, _ := all.Catalog().Source(kind)
	return alerts.Source{Spec: spec, Name: "siem", Category: "high_egress", OS: "windows"}
}

// read returns the alerts of a body, or what is wrong with it or with the first
// that is wrong.
func read(s alerts.Source, body string, at time.Time) ([]incident.Alert, error) {
	parsed, err := s.Parse([]byte(body), at)
	if err != nil {
		return nil, err
	}
	found := make([]incident.Alert, 0, len(parsed))
	for _, p := range parsed {
		if p.Wrong != nil {
			return nil, p.Wrong
		}
		found = append(found, p.Alert)
	}
	return found, nil
}

// One alert that is wrong takes nothing from the others, and is by itself a
// request that can be read again.
func TestEachAlertStandsAlone(t *testing.T) {
	good := func(id string) string {
		return `{"_id":"` + id + `","@timestamp":"2026-03-01T03:00:00Z","host":{"id":"a"}}`
	}
	for _, c := range []struct{ kind, body, path string }{
		{"stanch", `{"alerts":[{"host":{"id":"a"}},{"host":{"ip":"b"},"bytes_out":1},{"host":{"id":"c"}}]}`, "alerts[1]"},
		{"stanch", `{"alerts":[{"host":{"id":"a"}},{"host":{"id":"b"},"rule":"` + strings.Repeat("x", alerts.MaxAlertBytes) + `"},{"host":{"id":"c"}}]}`, "alerts[1]"},
		{"stanch", `{"alerts":[{"host":{"id":"a"}},7,{"host":{"id":"c"}}]}`, "alerts[1]"},
		{"elastic", `[` + good("1") + `,{"host":{"id":"a"}},` + good("2") + `]`, "[1]"},
		{"elastic", `{"hits":{"hits":[` + good("1") + `,{"host":{"id":"a"}},` + good("2") + `]}}`, "hits.hits[1]"},
		{"elastic", `{"alerts":{"new":{"data":[` + good("1") + `,{"host":{"id":"a"}}]},"recovered":{"data":[` + good("2") + `]}}}`, "alerts.new.data[1]"},
		{"splunk", `[{"sid":"1","result":{"src":"10.0.0.1"}},{"sid":"1"},{"sid":"1","result":{"src":"10.0.0.2"}}]`, "[1]"},
	} {
		parsed, err := source(c.kind).Parse([]byte(c.body), now())
		if err != nil || len(parsed) != 3 {
			t.Fatalf("%.100s: %d, %v", c.body, len(parsed), err)
		}
		for i, p := range parsed {
			if p.Index != i || (p.Wrong != nil) != (i == 1) {
				t.Errorf("%.100s: alert %d has index %d and %v", c.body, i, p.Index, p.Wrong)
			}
			again, err := source(c.kind).Parse(p.Body, now())
			if i == 1 {
				if err == nil && again[0].Wrong == nil {
					t.Errorf("%.100s: alert %d alone is taken", c.body, i)
				}
				continue
			}
			if err != nil || len(again) != 1 || again[0].Wrong != nil {
				t.Fatalf("%.100s: alert %d alone is read as %+v, %v", c.body, i, again, err)
			}
			if diff := cmp.Diff(contract.AlertLines(p.Alert), contract.AlertLines(again[0].Alert)); diff != "" {
				t.Errorf("%.100s: alert %d alone is another: %s", c.body, i, diff)
			}
		}
		if !strings.HasPrefix(parsed[1].Wrong.Path, c.path) {
			t.Errorf("%.100s: the path is %q, want %s", c.body, parsed[1].Wrong.Path, c.path)
		}
	}
}

// An alert over the bound of a request is one that can be sent by itself.
func TestWhatIsBeyondTheBoundStaysTogether(t *testing.T) {
	one := map[string]string{
		"stanch": `{"host":{"id":"a"}}`, "splunk": `{"result":{"src":"10.0.0.1"}}`, "elastic": `{"@timestamp":"2026-03-01T03:00:00Z"}`,
	}
	for kind, before := range map[string]string{"stanch": `{"alerts":[`, "splunk": `[`, "elastic": `{"alerts":{"recovered":{"data":[`} {
		after := map[byte]string{'[': "]", '{': "}"}
		body := before + strings.Repeat(one[kind]+",", alerts.MaxAlerts+2) + one[kind]
		for i := range len(before) {
			body += after[before[len(before)-1-i]]
		}
		parsed, err := source(kind).Parse([]byte(body), now())
		if err != nil || len(parsed) != alerts.MaxAlerts+1 || parsed[alerts.MaxAlerts].Wrong == nil {
			t.Fatalf("%s: read as %d: %v", kind, len(parsed), err)
		}
		rest, err := read(source(kind), string(parsed[alerts.MaxAlerts].Body), now())
		if err != nil || len(rest) != 3 || rest[0].Status != parsed[0].Alert.Status {
			t.Errorf("%s: the rest is read as %d: %v", kind, len(rest), err)
		}
	}
}

// The attacker writes the command line: whatever its length, it loses no alert.
func TestALongCommandLineIsCut(t *testing.T) {
	for kind, body := range map[string]string{
		"stanch":  `{"host":{"id":"a"},"process":{"command_line":"LINE"}}`,
		"splunk":  `{"sid":"1","result":{"src":"10.0.0.1","process":" LINE ","user":" LINE","parent_process":["LINE"]}}`,
		"elastic": `{"_id":"1","host.id":"a","process":{"command_line":"LINE"}}`,
	} {
		for _, line := range []string{strings.Repeat("x", 3<<20), strings.Repeat("é", alerts.MaxCommandLine), strings.Repeat("<", alerts.MaxAlertBytes)} {
			found, err := read(source(kind), strings.Replace(body, "LINE", line, 1), now())
			if err != nil {
				t.Errorf("%s: lost: %.200v", kind, err)
				continue
			}
			got, _ := found[0].Process.CommandLine.Get()
			want := fmt.Sprintf("… (cut: it is %d bytes)", len(line))
			if !strings.HasSuffix(got, want) || !strings.HasPrefix(line, strings.TrimSuffix(got, want)) || len(got) > alerts.MaxCommandLine+len(want) {
				t.Errorf("%s: the command line is %d bytes and ends %q", kind, len(got), got[len(got)-min(len(got), 60):])
			}
			if len(found[0].Raw) > 7*alerts.MaxCommandLine || !json.Valid(found[0].Raw) || !strings.Contains(string(found[0].Raw), want) {
				t.Errorf("%s: the document is %d bytes, and does not say that it was cut", kind, len(found[0].Raw))
			}
		}
	}
}

func TestRawIsWhatCame(t *testing.T) {
	const second = `{ "host" : {"id":"b"}, "bytes_out": 12345678901234567 }`
	found, err := read(source("stanch"), `{"alerts":[{"host":{"id":"a"}},`+second+`]}`, now())
	if err != nil {
		t.Fatal(err)
	}
	if got := string(found[1].Raw); got != second {
		t.Errorf("raw %s, want %s", got, second)
	}
	if found[1].Source != "siem" || !found[1].ReceivedAt.Equal(now()) {
		t.Errorf("source %q at %s", found[1].Source, found[1].ReceivedAt)
	}
}

func TestBounds(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"long alert", `{"host":{"id":"a"},"rule":"` + strings.Repeat("x", alerts.MaxAlertBytes) + `"}`, "is 262173 bytes, more than 262144"},
		{"many alerts", `{"alerts":[` + strings.Repeat(`{"host":{"id":"a"}},`, alerts.MaxAlerts) + `{"host":{"id":"a"}}]}`, "alerts[1000]: is one of 1 beyond the 1000 alerts that a request may hold"},
		{"long name", `{"host":{"name":"` + strings.Repeat("x", 256) + `"}}`, "host.id: is 256 bytes, more than 255"},
		{"deep", strings.Repeat(`{"host":`, 20_000), "is not JSON: byte 80001 does not belong there"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := read(source("stanch"), c.body, now())
			if _, ok := errors.AsType[*alerts.FieldError](err); !ok || err.Error() != c.want {
				t.Errorf("error %.200v, want %s", err, c.want)
			}
		})
	}
}

// An alert without an id keeps its computed one when it is sent again with its
// keys in another order, or as resolved, and has another when it is another.
func TestComputedID(t *testing.T) {
	id := func(body string) string {
		found, err := read(source("stanch"), body, now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		return found[0].ID
	}
	first := id(`{"host":{"id":"a"},"time":"2026-03-01T03:00:00Z"}`)
	for body, same := range map[string]bool{
		`{"time":"2026-03-01T03:00:00Z", "host":{"id":"a"}}`:                    true,
		`{"time":"2026-03-01T03:00:00Z","status":"resolved","host":{"id":"a"}}`: true,
		`{"time":"2026-03-01T03:00:01Z","host":{"id":"a"}}`:                     false,
		`{"time":"2026-03-01T03:00:00Z","host":{"id":"b"}}`:                     false,
	} {
		if got := id(body) == first; got != same {
			t.Errorf("%s: the same id %t, want %t", body, got, same)
		}
	}
}

// Each product has its own words for when an alert began and when it was changed.
func TestOccurrences(t *testing.T) {
	one := func(kind, body string) incident.Alert {
		found, err := read(source(kind), body, now())
		if err != nil {
			t.Fatal(err)
		}
		return found[0]
	}
	for _, c := range []struct {
		kind, first, second string
		occurrence, content bool
	}{
		{"stanch", `{"id":"a","time":"2026-03-01T03:00:00Z","host":{"id":"a"}}`, `{"host":{"id":"a"},"id":"a","time":1772334000}`, true, true},
		{"stanch", `{"id":"a","time":"2026-03-01T03:00:00Z","host":{"id":"a"}}`, `{"id":"a","time":"2026-03-01T03:00:01Z","host":{"id":"a"}}`, false, true},
		{"stanch", `{"id":"a","time":"2026-03-01T03:00:00Z","host":{"id":"a"}}`, `{"id":"a","time":"2026-03-01T03:00:00Z","host":{"id":"a"},"count":2,"updated":"2026-03-01T03:01:00Z"}`, true, false},
		{"stanch", `{"id":"a","host":{"id":"a"}}`, `{"id":"b","host":{"id":"a"}}`, false, false},
		{
			"elastic", `{"kibana.alert.uuid":"u","kibana.alert.start":"2026-03-01T03:00:00Z","@timestamp":"2026-03-01T03:00:00Z","host.id":"a"}`,
			`{"kibana.alert.uuid":"u","kibana.alert.start":"2026-03-01T03:00:00Z","@timestamp":"2026-03-01T03:05:00Z","host.id":"a","kibana.alert.duration.us":300}`, true, true,
		},
		{"elastic", `{"kibana.alert.uuid":"u","kibana.alert.start":"2026-03-01T03:00:00Z","host.id":"a"}`, `{"kibana.alert.uuid":"u","kibana.alert.start":"2026-03-01T04:00:00Z","host.id":"a"}`, false, true},
		{"splunk", `{"sid":"1","result":{"src":"10.0.0.1","count":"1"}}`, `{"sid":"1","result":{"src":"10.0.0.1","count":"2"}}`, false, false},
	} {
		a, b := one(c.kind, c.first), one(c.kind, c.second)
		if (a.Prints[0] == b.Prints[0]) != c.occurrence || (a.Prints[1] == b.Prints[1]) != c.content {
			t.Errorf("%s and %s have the fingerprints %v and %v", c.first, c.second, a.Prints, b.Prints)
		}
		if c.occurrence && !c.content && !b.UpdatedAt.After(a.UpdatedAt) {
			t.Errorf("%s is not newer than %s", c.second, c.first)
		}
	}
	if a := one("stanch", `{"id":"a","host":{"id":"a"}}`); a.Prints[0] != a.Fingerprint() {
		t.Errorf("without a time the occurrence is %s, and the key %s", a.Prints[0], a.Fingerprint())
	}
}
