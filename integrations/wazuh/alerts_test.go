package wazuh

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/contract"
)

func alertsHarness() contract.AlertsHarness {
	example := Alerts().Example
	good := func(id string) string {
		return `{"id": "` + id + `", "timestamp": "2026-03-01T03:12:45.123+0000", "rule": {"level": 10}, "agent": {"id": "042", "name": "ws-042"}}`
	}
	return contract.AlertsHarness{
		Spec: Alerts(), Cases: "testdata/alerts",
		Several:       `[` + good("1.1") + `, {"id": "1.2"}, ` + good("1.3") + `]`,
		NeverResolved: "Wazuh has no word for the end of an alert",
		Next:          strings.Replace(example, "2026-03-01T03", "2026-03-01T04", 1),
	}
}

func TestAlerts(t *testing.T) { contract.Alerts(t, alertsHarness()) }

func FuzzAlerts(f *testing.F) { contract.FuzzAlerts(f, alertsHarness()) }

func BenchmarkAlerts(b *testing.B) { contract.BenchmarkAlerts(b, alertsHarness()) }
