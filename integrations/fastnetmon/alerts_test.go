package fastnetmon

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/contract"
)

func harness() contract.AlertsHarness {
	return contract.AlertsHarness{
		Spec: Alerts(), Cases: "testdata/alerts",
		Several: `{"ip":"10.0.0.1","action":"ban","attack_details":{"attack_uuid":"a","attack_direction":"outgoing"}}` +
			`{"action":"ban"}{"ip":"10.0.0.2","action":"ban","attack_details":{"attack_uuid":"b","attack_direction":"outgoing"}}`,
		Resolved: strings.Replace(example, `"ban"`, `"unban"`, 1),
		Next:     strings.Replace(example, "03:12:45Z", "04:12:45Z", 1),
	}
}

func TestAlerts(t *testing.T) { contract.Alerts(t, harness()) }

func FuzzAlerts(f *testing.F) { contract.FuzzAlerts(f, harness()) }

func BenchmarkAlerts(b *testing.B) { contract.BenchmarkAlerts(b, harness()) }
