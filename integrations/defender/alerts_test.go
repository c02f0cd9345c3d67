package defender

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/contract"
)

func alertsHarness() contract.AlertsHarness {
	example := Alerts().Example
	good := func(id string) string {
		return `{"id": "` + id + `", "title": "Egress", "createdDateTime": "2026-03-01T03:13:00Z", "evidence": []}`
	}
	return contract.AlertsHarness{
		Spec: Alerts(), Cases: "testdata/alerts",
		Several:  `{"value": [` + good("1") + `, {"id": "2"}, ` + good("3") + `]}`,
		Resolved: strings.Replace(example, `"severity"`, `"status": "resolved", "severity"`, 1),
		Next:     strings.Replace(example, `"createdDateTime": "2026-03-01`, `"createdDateTime": "2026-03-02`, 1),
	}
}

func TestAlerts(t *testing.T) { contract.Alerts(t, alertsHarness()) }

func FuzzAlerts(f *testing.F) { contract.FuzzAlerts(f, alertsHarness()) }

func BenchmarkAlerts(b *testing.B) { contract.BenchmarkAlerts(b, alertsHarness()) }
