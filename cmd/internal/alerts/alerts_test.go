package alerts

import (
	"encoding/json"
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

	"github.com/stanch-soar/stanch/playbooks/incident"
)

func now() time.Time { return time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC) }

func source(kind string) Source {
	return Source{Name: "siem", Kind: kind, Category: "high_egress", OS: "windows"}
}

// read returns the alerts of a body, or what is wrong with it or with the first
// that is wrong.
func read(s Source, body string, at time.Time) ([]incident.Alert, error) {
	parsed, err := s.Parse([]byte(body), at)
	if err != nil {
		return nil, err
	}
	alerts := make([]incident.Alert, 0, len(parsed))
	for _, p := range parsed {
		if p.Wrong != nil {
			return nil, p.Wrong
		}
		alerts = append(alerts, p.Alert)
	}
	return alerts, nil
}

// values writes what an alert holds, a line per field: "host.os = linux (alert)".
func values(a incident.Alert) []string {
	lines := []string{fmt.Sprintf("id %s %s", a.ID, a.Status)}
	return append(lines, structValues(reflect.ValueOf(a), "")...)
}

func structValues(s reflect.Value, at string) []string {
	var lines []string
	for f, v := range s.Fields() {
		if !f.IsExported() {
			continue
		}
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		path := join(at, name)
		if field, ok := v.Interface().(incident.Field); ok {
			line := fmt.Sprintf("%s = %v", path, v.Interface())
			if _, from, _ := field.Any(); from != incident.Unknown {
				line += fmt.Sprintf(" (%s)", from)
			}
			lines = append(lines, line)
		} else if v.Kind() == reflect.Struct {
			lines = append(lines, structValues(v, path)...)
		}
		if doubts, ok := v.Interface().([]string); ok && name == "doubts" {
			for _, doubt := range doubts {
				lines = append(lines, "doubt: "+doubt)
			}
		}
	}
	return lines
}

func TestParse(t *testing.T) {
	files, err := filepath.Glob("testdata/parse/*.txtar")
	if err != nil || len(files) < 15 {
		t.Fatalf("found %d cases, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { testParse(t, file) })
	}
}

// testParse compares the lines that the case names; it may leave fields out.
func testParse(t *testing.T, file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(archive.Comment), "Synthetic") {
		t.Errorf("%s does not say that it is synthetic", file)
	}
	part := map[string]string{}
	for _, f := range archive.Files {
		part[f.Name] = strings.TrimSpace(string(f.Data))
	}
	alerts, err := read(source(part["source"]), part["body.json"], now())
	if want := part["error"]; want != "" {
		if _, ok := errors.AsType[*FieldError](err); !ok || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
		if alerts != nil {
			t.Errorf("took %d alerts of a request that is wrong", len(alerts))
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	want := strings.Split(part["want"], "\n")
	named := func(line string) bool {
		name, _, _ := strings.Cut(line, " ")
		if name == "doubt:" {
			return true // A doubt is never left out.
		}
		return slices.ContainsFunc(want, func(w string) bool { return strings.HasPrefix(w, name+" ") })
	}
	var got []string
	for _, a := range alerts {
		got = append(got, slices.DeleteFunc(values(a), func(line string) bool { return !named(line) })...)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// One alert that is wrong takes nothing from the others, and stands alone as a
// request that can be read again.
func TestEachAlertStandsAlone(t *testing.T) {
	good := func(id string) string {
		return `{"_id":"` + id + `","@timestamp":"2026-03-01T03:00:00Z","host":{"id":"a"}}`
	}
	for _, c := range []struct{ kind, body, path string }{
		{"stanch", `{"alerts":[{"host":{"id":"a"}},{"host":{"ip":"b"},"bytes_out":1},{"host":{"id":"c"}}]}`, "alerts[1]"},
		{"stanch", `{"alerts":[{"host":{"id":"a"}},{"host":{"id":"b"},"rule":"` + strings.Repeat("x", MaxAlertBytes) + `"},{"host":{"id":"c"}}]}`, "alerts[1]"},
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
			if diff := cmp.Diff(values(p.Alert), values(again[0].Alert)); diff != "" {
				t.Errorf("%.100s: alert %d alone is another: %s", c.body, i, diff)
			}
		}
		if !strings.HasPrefix(parsed[1].Wrong.Path, c.path) {
			t.Errorf("%.100s: the path is %q, want %s", c.body, parsed[1].Wrong.Path, c.path)
		}
	}
}

// What is beyond the bound of a request is one that can be sent by itself.
func TestWhatIsBeyondTheBoundStaysTogether(t *testing.T) {
	one := map[string]string{
		"stanch": `{"host":{"id":"a"}}`, "splunk": `{"result":{"src":"10.0.0.1"}}`, "elastic": `{"@timestamp":"2026-03-01T03:00:00Z"}`,
	}
	for kind, before := range map[string]string{"stanch": `{"alerts":[`, "splunk": `[`, "elastic": `{"alerts":{"recovered":{"data":[`} {
		after := map[byte]string{'[': "]", '{': "}"}
		body := before + strings.Repeat(one[kind]+",", MaxAlerts+2) + one[kind]
		for i := range len(before) {
			body += after[before[len(before)-1-i]]
		}
		parsed, err := source(kind).Parse([]byte(body), now())
		if err != nil || len(parsed) != MaxAlerts+1 || parsed[MaxAlerts].Wrong == nil {
			t.Fatalf("%s: read as %d: %v", kind, len(parsed), err)
		}
		rest, err := read(source(kind), string(parsed[MaxAlerts].Body), now())
		if err != nil || len(rest) != 3 || rest[0].Status != parsed[0].Alert.Status {
			t.Errorf("%s: the rest is read as %d: %v", kind, len(rest), err)
		}
	}
}

// The attacker writes the command line: however long, it loses no alert.
func TestALongCommandLineIsCut(t *testing.T) {
	for kind, body := range map[string]string{
		"stanch":  `{"host":{"id":"a"},"process":{"command_line":"LINE"}}`,
		"splunk":  `{"sid":"1","result":{"src":"10.0.0.1","process":" LINE ","user":" LINE","parent_process":["LINE"]}}`,
		"elastic": `{"_id":"1","host.id":"a","process":{"command_line":"LINE"}}`,
	} {
		for _, line := range []string{strings.Repeat("x", 3<<20), strings.Repeat("é", maxCommandLine), strings.Repeat("<", MaxAlertBytes)} {
			alerts, err := read(source(kind), strings.Replace(body, "LINE", line, 1), now())
			if err != nil {
				t.Errorf("%s: lost: %.200v", kind, err)
				continue
			}
			got, _ := alerts[0].Process.CommandLine.Get()
			want := fmt.Sprintf("… (cut: it is %d bytes)", len(line))
			if !strings.HasSuffix(got, want) || !strings.HasPrefix(line, strings.TrimSuffix(got, want)) || len(got) > maxCommandLine+len(want) {
				t.Errorf("%s: the command line is %d bytes and ends %q", kind, len(got), got[len(got)-min(len(got), 60):])
			}
			if len(alerts[0].Raw) > 7*maxCommandLine || !json.Valid(alerts[0].Raw) || !strings.Contains(string(alerts[0].Raw), want) {
				t.Errorf("%s: the document is %d bytes, and does not say that it was cut", kind, len(alerts[0].Raw))
			}
		}
	}
}

func TestRawIsWhatCame(t *testing.T) {
	const second = `{ "host" : {"id":"b"}, "bytes_out": 12345678901234567 }`
	alerts, err := read(source("stanch"), `{"alerts":[{"host":{"id":"a"}},`+second+`]}`, now())
	if err != nil {
		t.Fatal(err)
	}
	if got := string(alerts[1].Raw); got != second {
		t.Errorf("raw %s, want %s", got, second)
	}
	if alerts[1].Source != "siem" || !alerts[1].ReceivedAt.Equal(now()) {
		t.Errorf("source %q at %s", alerts[1].Source, alerts[1].ReceivedAt)
	}
}

func TestBounds(t *testing.T) {
	for _, c := range []struct{ name, body, want string }{
		{"long alert", `{"host":{"id":"a"},"rule":"` + strings.Repeat("x", MaxAlertBytes) + `"}`, "is 262173 bytes, more than 262144"},
		{"many alerts", `{"alerts":[` + strings.Repeat(`{"host":{"id":"a"}},`, MaxAlerts) + `{"host":{"id":"a"}}]}`, "alerts[1000]: is one of 1 beyond the 1000 alerts that a request may hold"},
		{"long name", `{"host":{"name":"` + strings.Repeat("x", 256) + `"}}`, "host.id: is 256 bytes, more than 255"},
		{"deep", strings.Repeat(`{"host":`, 20_000), "is not JSON: byte 80001 does not belong there"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := read(source("stanch"), c.body, now())
			if _, ok := errors.AsType[*FieldError](err); !ok || err.Error() != c.want {
				t.Errorf("error %.200v, want %s", err, c.want)
			}
		})
	}
}

// An alert without an id keeps its computed one when it is sent again with its
// keys in another order, or as resolved, and has another when it is another.
func TestComputedID(t *testing.T) {
	id := func(body string) string {
		alerts, err := read(source("stanch"), body, now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		return alerts[0].ID
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
		alerts, err := read(source(kind), body, now())
		if err != nil {
			t.Fatal(err)
		}
		return alerts[0]
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

func TestUnknownKind(t *testing.T) {
	_, err := read(source("wazuh"), "", now())
	if err == nil || err.Error() != `source siem: there is no kind "wazuh"; there are elastic, splunk, stanch` {
		t.Errorf("error %v", err)
	}
}

// The example in the documentation fills in every field that there is.
func TestExampleHasEveryField(t *testing.T) {
	alerts, err := read(Source{Name: "siem", Kind: "stanch"}, Example, now())
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range values(alerts[0])[1:] {
		if !strings.HasSuffix(line, " (alert)") {
			t.Errorf("the example does not give %s", line)
		}
	}
	for _, f := range Fields() {
		if f.Doc == "" || !strings.Contains(Reference(), "| `"+f.Path+"` | "+f.Type+" | "+f.Doc+" |") {
			t.Errorf("the reference lacks %s", f.Path)
		}
	}
}

func TestRate(t *testing.T) {
	for text, want := range map[string]Rate{"50/s": 50, "30/m": 0.5, "36/h": 0.01, "50": 0, "0/s": 0, "-1/s": 0, "x/s": 0, "5/d": 0} {
		var r Rate
		if err := r.UnmarshalText([]byte(text)); (err == nil) != (want != 0) || r != want {
			t.Errorf("%s: %v, %v; want %v", text, r, err, want)
		}
	}
}

func TestParseTime(t *testing.T) {
	want := time.Date(2026, 3, 1, 3, 12, 45, 0, time.UTC)
	for text, c := range map[string]struct {
		at        time.Time
		zoned, ok bool
	}{
		"2026-03-01T03:12:45Z":              {want, true, true},
		"2026-03-01T08:12:45+0500":          {want, true, true},
		"2026-03-01T08:12:45.1234567+05:00": {want.Add(123456700), true, true},
		"2026-03-01 03:12:45 UTC":           {want, true, true},
		"2026-03-01 03:12:45 CEST":          {},
		"2026-03-01 03:12:45":               {want, false, true},
		"1772334765":                        {want, true, true},
		"1772334765.5":                      {want.Add(time.Second / 2), true, true},
		"1772334765000":                     {want, true, true},
		"1772334765000000":                  {want, true, true},
		"1772334765000000000":               {want, true, true},
		"0":                                 {},
		"99999999999999999999":              {},
		"yesterday":                         {},
		"1772334765.x":                      {},
	} {
		at, zoned, ok := parseTime(text)
		if ok != c.ok || ok && (!at.Equal(c.at) || zoned != c.zoned) {
			t.Errorf("%s: %s, %t, %t; want %v", text, at, zoned, ok, c)
		}
	}
}

// fuzz holds what must be true of every body: it is taken or a field is named;
// what is taken can be stored, and gives the same alerts when it comes again.
func fuzz(f *testing.F, kind string) {
	files, err := filepath.Glob("testdata/parse/" + kind + "_*.txtar")
	if err != nil || len(files) == 0 {
		f.Fatalf("found %d seeds, %v", len(files), err)
	}
	for _, file := range files {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(archive.Files[1].Data))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		alerts, err := read(source(kind), string(body), now())
		if err != nil {
			if _, ok := errors.AsType[*FieldError](err); !ok {
				t.Fatalf("error %v names no field", err)
			}
			return
		}
		again, err := read(source(kind), string(body), now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		for i, a := range alerts {
			if a.ID == "" || a.Status == "" || a.ID != again[i].ID {
				t.Fatalf("id %q and %q, status %q", a.ID, again[i].ID, a.Status)
			}
			data, err := json.Marshal(a)
			if err != nil {
				t.Fatal(err)
			}
			var stored incident.Alert
			if err := json.Unmarshal(data, &stored); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(values(a), values(stored)); diff != "" {
				t.Fatalf("stored and read back: -before +after\n%s", diff)
			}
		}
	})
}

func FuzzStanch(f *testing.F)  { fuzz(f, "stanch") }
func FuzzElastic(f *testing.F) { fuzz(f, "elastic") }
func FuzzSplunk(f *testing.F)  { fuzz(f, "splunk") }
