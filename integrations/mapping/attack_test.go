package mapping_test

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/mapping"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// one reads a body that must be one alert that can be taken.
func one(t *testing.T, text, body string) incident.Alert {
	t.Helper()
	s := alerts.Source{Spec: parse(t, text), Name: "ndr"}
	parsed, err := s.Parse([]byte(body), time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC))
	if err != nil || len(parsed) != 1 || parsed[0].Wrong != nil {
		t.Fatalf("%.300s is read as %+v, %v", body, parsed, err)
	}
	return parsed[0].Alert
}

const head = "id: doc.id\nours: 'true'\nhost: { name: doc.host }\n"

// line is the line of a value of an alert.
func line(a incident.Alert, name string) string {
	for _, l := range contract.AlertLines(a) {
		if strings.HasPrefix(l, name+" ") {
			return l
		}
	}
	return ""
}

// Whatever the type of a value is at run time, it is read as in every kind, or unknown
// with what it said.
func TestValuesOfAnyType(t *testing.T) {
	for _, c := range []struct{ key, expression, value, want string }{
		{"bytes_out", "doc.v", `"4,294,967,296"`, "bytes_out = 4294967296 (alert)"},
		{"bytes_out", "doc.v", `9007199254740993`, "bytes_out = 9007199254740993 (alert)"},
		{"bytes_out", "doc.v", `4294967296.0`, "bytes_out = 4294967296 (alert)"},
		{"bytes_out", "doc.v", `18446744073709551616`, `bytes_out = unknown ("18446744073709551616" is not a whole number from 0 to 9223372036854775807)`},
		{"bytes_out", "doc.v", `-1`, `bytes_out = unknown ("-1" is not a whole number from 0 to 9223372036854775807)`},
		{"bytes_out", "doc.v", `true`, "bytes_out = unknown (it is true, which is no value of this kind)"},
		{"bytes_out", "doc.v", `{"n":1}`, `bytes_out = unknown (it is an object, not text: "{\"n\":1}")`},
		{"bytes_out", "doc.v", `[1,2]`, `bytes_out = unknown (the alert names 2 values: "1", "2")`},
		{"bytes_out", "doc.v", `null`, "bytes_out = unknown (doc.v is missing)"},
		{"bytes_out", "doc.v", `[null]`, "bytes_out = unknown (the alert does not say)"},
		{"bytes_out", "doc.v * 1024", `4`, "bytes_out = 4096 (alert)"},
		{"bytes_out", "doc.v * 1024", `9223372036854775807`, "bytes_out = unknown (integer overflow)"},
		{"bytes_out", "int(doc.v)", `"4 GiB"`, "bytes_out = unknown (type conversion error from 'string' to 'int')"},
		{"bytes_out", "bytes(doc.v)", `"4GiB"`, "bytes_out = 4294967296 (alert)"},
		{"bytes_out", "doc.v.w", `"text"`, "bytes_out = unknown (no such key: w)"},
		{"bytes_out", "doc.v[0].w", `[]`, "bytes_out = unknown (index out of bounds: 0)"},
		{"bytes_out", "1024", `0`, "bytes_out = 1024 (assumed)"},
		{"bytes_out", "json(doc.v).n", `"{\"n\":9007199254740993}"`, "bytes_out = 9007199254740993 (alert)"},
		{"bytes_out", "json(doc.v).m", `"{\"n\":1}"`, "bytes_out = unknown (json(…).m is missing)"},
		{"bytes_out", "json(doc.v).n", `"{\"n\":"`, "bytes_out = unknown (json: the text is not JSON)"},
		{"bytes_out", "doc['a.b'].c", `0`, "bytes_out = unknown (doc['a.b'] is missing)"},
		{"bytes_out", "doc.v.filter(k, k.startsWith('b')).map(k, doc.v[k])[0]", `{"c":1,"b":2,"a":3}`, "bytes_out = 2 (alert)"},
		{"bytes_out", "[doc.v, doc.w, 7]", `"many"`, "bytes_out = 7 (assumed)"},
		{"time", "doc.v", `1772334765000`, "time = 2026-03-01 03:12:45 +0000 UTC (alert)"},
		{"time", "doc.v", `1772334765.25`, "time = 2026-03-01 03:12:45.25 +0000 UTC (alert)"},
		{"time", "timestamp(doc.v)", `"2026-03-01T08:12:45+05:00"`, "time = 2026-03-01 03:12:45 +0000 UTC (alert)"},
		{"time", "doc.v", `"2026-03-01 03:12:45"`, "time = 2026-03-01 03:12:45 +0000 UTC (assumed)"},
		{"window", "duration(string(doc.v) + 'ms')", `900500`, "window = 15m0.5s (alert)"},
		{"window", "duration('15m')", `0`, "window = 15m0s (assumed)"},
		{"window", "timestamp(doc.v) - timestamp('2026-03-01T03:12:45Z')", `"2026-03-01T03:00:00Z"`, `window = unknown ("-12m45s" is not a duration: 90s, 15m or 4h, or seconds)`},
		{"contained", "doc.v", `"yes"`, "contained = true (alert)"},
		{"contained", "doc.v == 'isolated'", `"isolated"`, "contained = true (alert)"},
		{"contained", "doc.v", `"perhaps"`, `contained = unknown ("perhaps" is neither true nor false)`},
		{"destination", "{ port: doc.v }", `"53,123"`, `destination.port = unknown ("53,123" is not a port)`},
		{"destination", "{ port: doc.v }", `443.0`, "destination.port = 443 (alert)"},
		{"destination", "{ ip: doc.v }", `"[2001:db8:0:0::1]:443"`, "destination.ip = 2001:db8::1 (alert)"},
		{"process", "{ pid: doc.v }", `"0x1f4"`, "process.pid = 500 (alert)"},
		{"rule", "regex.extract(doc.v, r'rule=(\\w+)')", `"a rule=egress b"`, "rule = egress (alert)"},
		{"rule", "regex.extract(doc.v, r'rule=(\\w+)')", `"none here"`, "rule = unknown (the alert does not say)"},
		{"rule", "doc.v", `"\u001b[31m"`, `rule = \x1b[31m (alert)`},
	} {
		expression := c.expression
		if !strings.HasPrefix(expression, "{") && !strings.HasPrefix(expression, "[") {
			expression = "|\n  " + expression
		}
		a := one(t, head+c.key+": "+expression+"\n", `{"id":1,"host":"ws-1","v":`+c.value+`}`)
		name, _, _ := strings.Cut(c.want, " ")
		if got := line(a, name); got != c.want {
			t.Errorf("%s: %s of %s is %s, want %s", c.key, c.expression, c.value, got, c.want)
		}
	}
}

// Nothing that decides whether an alert starts a case may be left open: it starts none.
func TestWhatStartsNothing(t *testing.T) {
	const text = `
id: doc.id
ours: doc.from == 'inside'
status: doc.state
starts_nothing:
  - { when: doc.test, because: it is a test, status: sample }
  - { when: "doc.kind in ['posture', 'audit']", because: it is no traffic }
host: { name: doc.host }
`
	for _, c := range []struct {
		fields string
		status incident.AlertStatus
		why    string
	}{
		{`"from":"inside","state":"open","test":false,"kind":"ndr"`, incident.Firing, ""},
		{`"from":"outside","state":"open","test":false,"kind":"ndr"`, incident.NotAlerting, "no machine of ours sends (ndr.yaml:3:7)"},
		{`"state":"open","test":false,"kind":"ndr"`, incident.NotAlerting, "whether a machine of ours sends is not known: doc.from is missing (ndr.yaml:3:7)"},
		{`"from":"inside","test":false,"kind":"ndr"`, incident.NotAlerting, "whether it fires is not known: doc.state is missing (ndr.yaml:4:9)"},
		{`"from":"inside","state":"false positive","test":false,"kind":"ndr"`, incident.NotAlerting, `its status "false positive" is none that is known (ndr.yaml:4:9)`},
		{`"from":"inside","state":"closed","test":false,"kind":"ndr"`, incident.Resolved, ""},
		{`"from":"outside","state":"closed","test":true,"kind":"ndr"`, incident.Resolved, ""},
		{`"from":"inside","state":"open","test":true,"kind":"ndr"`, incident.Sample, "it is a test"},
		{`"from":"inside","state":"open","kind":"ndr"`, incident.Sample, "not known is whether it is a test: doc.test is missing (ndr.yaml:6:13)"},
		{`"from":"inside","state":"open","test":"no","kind":"ndr"`, incident.Sample, "not known is whether it is a test: it is text, not true or false (ndr.yaml:6:13)"},
		{`"from":"inside","state":"open","test":false,"kind":"audit"`, incident.NotAlerting, "it is no traffic"},
		{`"from":{"a":1},"state":"open","test":false,"kind":"ndr"`, incident.NotAlerting, "no machine of ours sends (ndr.yaml:3:7)"},
	} {
		// An alert that starts nothing may lack its host.
		host := map[bool]string{true: `"host":"ws-1",`}[c.status == incident.Firing]
		a := one(t, text, `{"id":1,`+host+c.fields+`}`)
		if a.Status != c.status || a.StatusWhy != c.why {
			t.Errorf("%s is %s, %q; want %s, %q", c.fields, a.Status, a.StatusWhy, c.status, c.why)
		}
	}
}

// A mapping asks for the site's own networks, which the source has; without them a public
// address is not known to be one of ours.
func TestHomeNetworks(t *testing.T) {
	const text = "id: doc.id\nours: home.holds(doc.src) && !home.holds(doc.dst)\nhost: { ip: doc.src }\n"
	networks := []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}
	for _, c := range []struct {
		home     []netip.Prefix
		src, dst string
		status   incident.AlertStatus
		why      string
	}{
		{networks, "198.51.100.7", "203.0.113.7", incident.Firing, ""},
		{networks, "203.0.113.7", "198.51.100.7", incident.NotAlerting, "no machine of ours sends (ndr.yaml:2:7)"},
		{networks, "198.51.100.7", "198.51.100.8", incident.NotAlerting, "no machine of ours sends (ndr.yaml:2:7)"},
		{nil, "10.0.0.7", "203.0.113.7", incident.NotAlerting, "whether a machine of ours sends is not known: 203.0.113.7 is a public address, and the source has no home_networks (ndr.yaml:2:7)"},
		{networks, "ws-7", "203.0.113.7", incident.NotAlerting, `whether a machine of ours sends is not known: "ws-7" is not an IP address (ndr.yaml:2:7)`},
	} {
		s := alerts.Source{Spec: parse(t, text), Name: "ndr", Home: c.home}
		parsed, err := s.Parse(fmt.Appendf(nil, `{"id":1,"src":%q,"dst":%q}`, c.src, c.dst), time.Now())
		if err != nil || len(parsed) != 1 || parsed[0].Wrong != nil || parsed[0].Alert.Status != c.status || parsed[0].Alert.StatusWhy != c.why {
			t.Errorf("%s to %s: %+v, %v; want %s, %s", c.src, c.dst, parsed, err, c.status, c.why)
		}
	}
}

// Only what names the alert and its host can refuse it, with the place in the mapping.
func TestWhatIsRejected(t *testing.T) {
	for _, c := range []struct{ text, body, want string }{
		{head, `{"host":"ws-1"}`, "has no id: doc.id is missing (ndr.yaml:1:5)"},
		{head, `{"id":{"a":1},"host":"ws-1"}`, `has no id: it is an object, not text: "{\"a\":1}" (ndr.yaml:1:5)`},
		{head, `{"id":"-","host":"ws-1"}`, "has no id: it has no value (ndr.yaml:1:5)"},
		{head, `{"id":1}`, "names no host: doc.host is missing (ndr.yaml:3:15)"},
		{head, `{"id":1,"host":"n/a"}`, "names no host: it has no value (ndr.yaml:3:15)"},
		{head, `{"id":1,"host":"localhost"}`, "names no host: what is there names nobody"},
		{head, `[[{"id":1,"host":"ws-1"}]]`, "[0]: is a list, not an object"},
		{head, `["{}"]`, "[0]: is text, not an object"},
		{head, `[null]`, "[0]: is null, not an object"},
		{"documents: body\n" + head, `{"id":1}`, "names no host: doc.host is missing (ndr.yaml:4:15)"},
		{"documents: body['a.b'].l.filter(x, x.k)\n" + head, `{"a.b":{"l":[{"k":false},{"k":true,"id":1}]}}`, "a.b.l[1]: names no host: doc.host is missing (ndr.yaml:4:15)"},
		{"documents: \"body.l.map(x, {'id': x})\"\n" + head, `{"l":[1]}`, "documents[0]: names no host: doc.host is missing (ndr.yaml:4:15)"},
		{"documents: body.l\n" + head, `{"stanch/mapping":{"documents":[{"id":1}]}}`, "stanch/mapping.documents[0]: names no host: doc.host is missing (ndr.yaml:4:15)"},
	} {
		s := alerts.Source{Spec: parse(t, c.text), Name: "ndr"}
		parsed, err := s.Parse([]byte(c.body), time.Now())
		if err != nil || len(parsed) != 1 || parsed[0].Wrong == nil || parsed[0].Wrong.Error() != c.want {
			t.Errorf("%s is read as %+v, %v; want %s", c.body, parsed, err, c.want)
		}
	}
	const body = `{"a.b":{"l":[{"k":false},{"k":true,"id":1}]}}`
	if at := alerts.Pointer([]byte(body), "a.b.l[1]"); at != "/a.b/l/1" {
		t.Errorf("the pointer is %q", at)
	}
}

// An id is never rounded, and one that is made of a document does not depend on the order
// of its keys.
func TestIdentity(t *testing.T) {
	for _, id := range []string{"9007199254740993", "18446744073709551617", "123456789012345678901234567890"} {
		if a := one(t, head, `{"id":`+id+`,"host":"ws-1"}`); a.ID != id {
			t.Errorf("the id %s is read as %q", id, a.ID)
		}
	}
	const made = "id: digest([doc.host, doc.m])\nours: 'true'\nhost: { name: doc.host }\n"
	first := one(t, made, `{"host":"ws-1","m":{"a":1,"b":[2]},"sent":1}`)
	again := one(t, made, `{"sent":2,"m":{"b":[2],"a":1},"host":"ws-1"}`)
	other := one(t, made, `{"host":"ws-1","m":{"a":1,"b":[3]},"sent":1}`)
	if first.ID != again.ID || first.ID == other.ID || len(first.ID) != 32 {
		t.Errorf("the ids are %q, %q and %q", first.ID, again.ID, other.ID)
	}
}

// Bodies and expressions that are made to be expensive end at a bound, and take nothing
// else of the alert with them.
func TestExpensive(t *testing.T) {
	long := strings.Repeat("a", 200<<10)
	list := "[" + strings.Repeat("1,", 2000) + "1]"
	deep := strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000)
	for _, c := range []struct{ expression, v, want string }{
		{`"doc.v.matches('^(a+)+$') ? 'a' : 'b'"`, `"` + long + `"`, "rule = a (alert)"},
		{`doc.v + doc.v + doc.v + doc.v`, `"` + long + `"`, "rule = a"},
		{`"doc.v.map(x, doc.v.map(y, x * y)).size() > 0 ? 'a' : 'b'"`, list, "rule = unknown (the cost limit of "},
		{`"doc.v.map(x, json(doc.w)).size() > 0 ? 'a' : 'b'"`, list, "rule = unknown (the cost limit of "},
		{`"doc.v.filter(x, doc.v.exists(y, x + y == 0)).size() > 0 ? 'a' : 'b'"`, "[" + strings.Repeat("1,", 400) + "1]", "rule = unknown (the cost limit of "},
		{`digest(doc.v)`, deep, "rule = "},
		{`"doc.v == doc.v ? 'a' : 'b'"`, deep, "rule = a (alert)"},
		{`string(doc.v)`, deep, "rule = unknown ("},
	} {
		w, err := json.Marshal(list)
		if err != nil {
			t.Fatal(err)
		}
		a := one(t, head+"rule: "+c.expression+"\ncount: doc.n\n", fmt.Sprintf(`{"id":1,"host":"ws-1","n":7,"v":%s,"w":%s}`, c.v, w))
		if got := line(a, "rule"); !strings.HasPrefix(got, c.want) || line(a, "count") != "count = 7 (alert)" {
			t.Errorf("%s gives %.200s and %s, want %s", c.expression, got, line(a, "count"), c.want)
		}
	}
}

// All expressions of an alert together have a bound too: a body holds a thousand alerts.
func TestAllExpressionsAreBounded(t *testing.T) {
	const quadratic = ": \"doc.v.exists(x, doc.v.exists(y, x + y == 0)) ? 'a' : 'b'\"\n"
	a := one(t, head+"category"+quadratic+"rule"+quadratic+"severity"+quadratic+"count: doc.n\n", `{"id":1,"host":"ws-1","n":7,"v":[`+strings.Repeat("1,", 100)+`1]}`)
	for name, want := range map[string]string{"category": "(the cost limit of 5000 is exceeded)", "rule": "(the cost limit of 5000 is exceeded)", "severity": "(the cost limit of 10000 for all expressions is exceeded)"} {
		if got := line(a, name); got != name+" = unknown "+want {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// What documents makes of a body is bounded, also where it repeats a part of it.
func TestDocumentsAreBounded(t *testing.T) {
	const text = "documents: \"body.l.map(x, {'id': x, 'host': body.h})\"\n" + head
	s := alerts.Source{Spec: parse(t, text), Name: "ndr"}
	body := `{"h":"` + strings.Repeat("a", 100<<10) + `","l":[` + strings.Repeat("1,", 500) + `1]}`
	if parsed, err := s.Parse([]byte(body), time.Now()); err == nil || !strings.Contains(err.Error(), "documents makes more than") {
		t.Errorf("read as %d alerts, %v", len(parsed), err)
	}
	if parsed, err := s.Parse([]byte(`{"h":"ws-1","l":[1,2]}`), time.Now()); err != nil || len(parsed) != 2 || parsed[1].Wrong != nil || parsed[1].Alert.ID != "2" {
		t.Errorf("read as %+v, %v", parsed, err)
	}
}

// What stands around the alerts is bounded: it is kept with each of them.
func TestWhatStandsAroundIsBounded(t *testing.T) {
	const text = "documents: body.l\nrule: body.rule\n" + head
	s := alerts.Source{Spec: parse(t, text), Name: "ndr"}
	for pad, want := range map[int]string{10: "rule = egress (alert)", 20 << 10: "rule = unknown (body is missing)"} {
		body := `{"rule":"egress","pad":"` + strings.Repeat("a", pad) + `","l":[{"id":1,"host":"ws-1"},{"id":2,"host":"ws-2"}]}`
		parsed, err := s.Parse([]byte(body), time.Now())
		if err != nil || len(parsed) != 2 || line(parsed[0].Alert, "rule") != want || len(parsed[0].Body) > 32<<10 {
			t.Errorf("with %d bytes around them: %+v, %v; want %s", pad, parsed, err, want)
		}
	}
}

// What stands around the alerts is what documents does not read: the same for an alert
// alone and for one among many, however large their list is.
func TestWhatStandsAround(t *testing.T) {
	const text = "documents: body.data.l + body.more\nrule: \"known(body.data.l) || known(body.more) ? 'seen' : body.rule\"\nseverity: body.data.level\n" + head
	s := alerts.Source{Spec: parse(t, text), Name: "ndr"}
	one := func(id int) string {
		return fmt.Sprintf(`{"id":%d,"host":"ws-%d","pad":%q}`, id, id, strings.Repeat("a", 9<<10))
	}
	body := `{"rule":"egress","data":{"level":3,"l":[` + one(1) + `,` + one(2) + `]},"more":[` + one(3) + `]}`
	parsed, err := s.Parse([]byte(body), time.Now())
	if err != nil || len(parsed) != 3 {
		t.Fatalf("read as %d alerts, %v", len(parsed), err)
	}
	for i, p := range parsed {
		again, err := s.Parse(p.Body, time.Now())
		if err != nil || len(again) != 1 {
			t.Fatalf("alert %d alone is read as %+v, %v", i, again, err)
		}
		for _, a := range []incident.Alert{p.Alert, again[0].Alert} {
			if line(a, "rule") != "rule = egress (alert)" || line(a, "severity") != "severity = 3 (alert)" || a.ID != fmt.Sprint(i+1) {
				t.Errorf("alert %d is %v", i, contract.AlertLines(a))
			}
		}
	}
}

// FuzzMapping reads bodies by mappings that anybody wrote.
func FuzzMapping(f *testing.F) {
	f.Add(around, `{"data":{"hits":[{"kind":"alert","event.id":1}]}}`)
	f.Add(head+"rule: regex.extract(doc.a, r'(x)')\nwindow: [doc.w, duration('1m')]\n", `{"id":1,"a":"x","w":[null,{}]}`)
	f.Add(head+"rule: digest(json(doc.a))\ntime: doc.a.map(k, doc.a[k])[0]\n", `{"id":1.5e3,"a":{"b":null}}`)
	f.Fuzz(func(t *testing.T, text, body string) {
		spec, err := mapping.Alerts().Map("ndr.yaml", []byte(text))
		if err != nil {
			return
		}
		s := alerts.Source{Spec: spec, Name: "ndr"}
		parsed, err := s.Parse([]byte(body), time.Unix(0, 0))
		again, errAgain := s.Parse([]byte(body), time.Unix(0, 0))
		if (err == nil) != (errAgain == nil) || len(parsed) != len(again) {
			t.Fatalf("read as %d alerts and %v, and again as %d and %v", len(parsed), err, len(again), errAgain)
		}
		for i, p := range parsed {
			if p.Wrong == nil && (p.Alert.ID == "" || p.Alert.ID != again[i].Alert.ID) {
				t.Errorf("the id is %q, and again %q", p.Alert.ID, again[i].Alert.ID)
			}
			if data, err := json.Marshal(p.Alert); p.Wrong == nil && err != nil {
				t.Errorf("%v: %s", err, data)
			}
		}
	})
}
