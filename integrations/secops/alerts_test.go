package secops

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/contract"
)

func harness() contract.AlertsHarness {
	example := Alerts().Example
	return contract.AlertsHarness{
		Spec: Alerts(), Cases: "testdata/alerts",
		Several:  `{"detections":[{"id":"de_1","detection":[{"ruleName":"a"}]},{"id":"de_2"},{"id":"de_3","detection":[{"ruleName":"a"}]}],"nextPageToken":"t"}`,
		Resolved: strings.Replace(example, `"type"`, `"feedbackSummary": {"status": "CLOSED", "createTime": "2026-03-01T05:00:00Z"}, "type"`, 1),
		Next:     strings.Replace(example, "de_4711", "de_4712", 1),
	}
}

func TestAlerts(t *testing.T) { contract.Alerts(t, harness()) }

func FuzzAlerts(f *testing.F) { contract.FuzzAlerts(f, harness()) }

func BenchmarkAlerts(b *testing.B) { contract.BenchmarkAlerts(b, harness()) }
