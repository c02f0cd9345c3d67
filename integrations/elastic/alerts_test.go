package elastic

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/contract"
)

func alertsHarness() contract.AlertsHarness {
	example := Alerts().Example
	good := func(id string) string {
		return `{"_id":"` + id + `","@timestamp":"2026-03-01T03:00:00Z","host":{"id":"a"}}`
	}
	return contract.AlertsHarness{
		Spec: Alerts(), Cases: "testdata/alerts",
		Several:  `{"alerts":{"new":{"data":[` + good("1") + `,{"host":{"id":"a"}}]},"recovered":{"data":[` + good("2") + `]}}}`,
		Resolved: `{"alerts":{"recovered":{"data":[` + example + `]}}}`,
		Next:     strings.Replace(example, `"@timestamp"`, `"kibana.alert.start": "2026-03-02T00:00:00Z", "@timestamp"`, 1),
	}
}

func TestAlerts(t *testing.T) { contract.Alerts(t, alertsHarness()) }

// The other containers in which Kibana and Elasticsearch send alerts.
func TestAlertsInEveryContainer(t *testing.T) {
	several := alertsHarness().Several
	one := `{"_id":"1","@timestamp":"2026-03-01T03:00:00Z","host":{"id":"a"}}`
	for _, container := range []string{`[ALERTS]`, `{"alerts":[ALERTS]}`, `{"context":{"alerts":[ALERTS]}}`, `{"hits":[ALERTS]}`, `{"hits":{"hits":[ALERTS]}}`, several} {
		t.Run(container, func(t *testing.T) {
			h := alertsHarness()
			h.Several = strings.Replace(container, "ALERTS", one+`,{"host":{"id":"a"}},`+strings.Replace(one, `"1"`, `"2"`, 1), 1)
			contract.Alerts(t, h)
		})
	}
}

func FuzzAlerts(f *testing.F) { contract.FuzzAlerts(f, alertsHarness()) }

func BenchmarkAlerts(b *testing.B) { contract.BenchmarkAlerts(b, alertsHarness()) }
