package crowdstrike

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/contract"
)

func alertsHarness() contract.AlertsHarness {
	example := Alerts().Example
	return contract.AlertsHarness{
		Spec: Alerts(), Cases: "testdata/alerts",
		Several: `{"resources":[{"composite_id":"a","device":{"hostname":"ws-1"}},{"host":"ws-2"},` +
			`{"metadata":{"eventType":"EppDetectionSummaryEvent"},"event":{"CompositeId":"c","Hostname":"ws-3"}}]}`,
		Resolved: strings.Replace(example, `"product"`, `"status": "closed", "product"`, 1),
		Next:     strings.Replace(example, `"created_timestamp": "2026-03-01`, `"created_timestamp": "2026-03-08`, 1),
	}
}

func TestAlerts(t *testing.T) { contract.Alerts(t, alertsHarness()) }

func FuzzAlerts(f *testing.F) { contract.FuzzAlerts(f, alertsHarness()) }

func BenchmarkAlerts(b *testing.B) { contract.BenchmarkAlerts(b, alertsHarness()) }
