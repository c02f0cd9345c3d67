package ocsf

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/contract"
)

func harness() contract.AlertsHarness {
	example := Alerts().Example
	return contract.AlertsHarness{
		Spec: Alerts(), Cases: "testdata/alerts",
		Several:  `{"detail":{"findings":[{"class_uid":2004,"finding_info":{"uid":"a"},"device":{"hostname":"ws-1"}},{"finding_info":{"uid":"b"}},{"type_uid":"200401","finding_info":{"uid":"c"},"device":{"hostname":"ws-2"}}]}}`,
		Resolved: strings.Replace(example, `"activity_id": 1`, `"activity_id": 3`, 1),
		Next:     strings.Replace(example, `"created_time": 1772334765123`, `"created_time": 1772421165123`, 1),
	}
}

func TestAlerts(t *testing.T) { contract.Alerts(t, harness()) }

func FuzzAlerts(f *testing.F) { contract.FuzzAlerts(f, harness()) }

func BenchmarkAlerts(b *testing.B) { contract.BenchmarkAlerts(b, harness()) }
