package alertmanager

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/contract"
)

func harness() contract.AlertsHarness {
	return contract.AlertsHarness{
		Spec: Alerts(), Cases: "testdata/alerts", State: "alerts[].status",
		Several: `{"version":"4","alerts":[{"fingerprint":"1","startsAt":"2026-03-01T03:00:00Z","labels":{"src_ip":"10.0.0.1"}},` +
			`{"fingerprint":"2"},{"fingerprint":"3","startsAt":"2026-03-01T03:00:00Z","labels":{"src_ip":"10.0.0.2"}}]}`,
		Resolved: strings.Replace(example, `"status": "firing", "fingerprint"`, `"status": "resolved", "fingerprint"`, 1),
		Newer:    strings.Replace(example, "4.294967296e+09", "5.294967296e+09", 1),
		Next:     strings.Replace(example, "03:12:45Z", "04:12:45Z", 1),
	}
}

func TestAlerts(t *testing.T) { contract.Alerts(t, harness()) }

func FuzzAlerts(f *testing.F) { contract.FuzzAlerts(f, harness()) }

func BenchmarkAlerts(b *testing.B) { contract.BenchmarkAlerts(b, harness()) }
