package mapping_test

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/integrations/mapping"
)

// parse is the Spec of a source with this mapping.
func parse(t testing.TB, text string) alerts.Spec {
	t.Helper()
	s, err := mapping.Alerts().Map("mappings/ndr.yaml", []byte(text))
	if err != nil {
		t.Fatalf("%v", err)
	}
	return s
}

func harness() contract.AlertsHarness {
	spec := mapping.Alerts()
	one := func(id, host string) string {
		return `{"id":` + id + `,"category":"EXFILTRATION","last_timestamp":"2026-03-01T03:12:45Z","src_ip":"` + host + `"}`
	}
	return contract.AlertsHarness{
		Spec: spec, Cases: "testdata/alerts",
		Several:  `[` + one("1", "10.0.0.1") + `,` + one("2", "") + `,` + one("3", "10.0.0.3") + `]`,
		Resolved: strings.Replace(spec.Example, `"id"`, `"state": "inactive", "id"`, 1),
		Next:     strings.Replace(spec.Example, "02:57:45", "02:59:45", 1),
	}
}

func TestAlerts(t *testing.T) { contract.Alerts(t, harness()) }

func BenchmarkAlerts(b *testing.B) { contract.BenchmarkAlerts(b, harness()) }

func FuzzAlerts(f *testing.F) { contract.FuzzAlerts(f, harness()) }

// around is a mapping that finds its documents, and reads what stands around them.
const around = `
documents: body.data.hits.filter(h, h.kind == 'alert')
ours: doc.direction == 'out'
id: doc['event.id']
rule: body.rule.name
time: doc.at
host: { ip: doc.src }
`

func aroundHarness(t testing.TB) contract.AlertsHarness {
	hit := func(id, src string) string {
		return `{"kind":"alert","event.id":"` + id + `","at":"2026-03-01T03:12:45Z","direction":"out","src":"` + src + `"}`
	}
	body := func(hits ...string) string {
		return `{"rule":{"name":"egress"},"data":{"total":9,"hits":[{"kind":"note"},` + strings.Join(hits, ",") + `]}}`
	}
	spec := parse(t, around+"status: \"known(doc.state) ? doc.state : 'firing'\"\n")
	spec.Example = body(hit("a<b", "10.0.0.1"))
	spec.Varies = []string{"a<b", "{n}", "10.0.0.1", "{ip}"}
	return contract.AlertsHarness{
		Spec: spec, Cases: "testdata/around",
		Several:  body(hit("a", "10.0.0.1"), hit("b", "-"), hit("c", "10.0.0.3")),
		Resolved: strings.Replace(spec.Example, `"at"`, `"state":"resolved","at"`, 1),
		Next:     strings.Replace(spec.Example, "03:12:45", "03:42:45", 1),
	}
}

// A mapping that finds its alerts in a body passes the same suite.
func TestAlertsWithinABody(t *testing.T) { contract.Alerts(t, aroundHarness(t)) }

func FuzzAlertsWithinABody(f *testing.F) { contract.FuzzAlerts(f, aroundHarness(f)) }
