package splunk

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/contract"
)

func alertsHarness() contract.AlertsHarness {
	example := Alerts().Example
	return contract.AlertsHarness{
		Spec: Alerts(), Cases: "testdata/alerts",
		Several:      `[{"sid":"1","result":{"src":"10.0.0.1"}},{"sid":"1"},{"sid":"1","result":{"src":"10.0.0.2"}}]`,
		Resolved:     strings.Replace(example, `"_time"`, `"alert_state": "resolved", "_time"`, 1),
		ResolvedAnew: "a search that finds nothing any more posts another row, and each row is an alert",
		Next:         strings.Replace(example, "1772334765", "1772338365", 1),
	}
}

func TestAlerts(t *testing.T) { contract.Alerts(t, alertsHarness()) }

func FuzzAlerts(f *testing.F) { contract.FuzzAlerts(f, alertsHarness()) }

func BenchmarkAlerts(b *testing.B) { contract.BenchmarkAlerts(b, alertsHarness()) }
