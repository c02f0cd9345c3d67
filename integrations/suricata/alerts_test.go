package suricata

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/integrations/contract"
)

func harness() contract.AlertsHarness {
	good := func(flow string) string {
		return `{"event_type":"alert","timestamp":"2026-03-01T03:00:00Z","flow_id":` + flow + `,"src_ip":"10.0.0.1","alert":{"signature_id":1}}`
	}
	return contract.AlertsHarness{
		Spec: Alerts(), Cases: "testdata/alerts",
		Several:       good("1") + "\n{\"timestamp\":\"2026-03-01T03:00:00Z\"}\n" + good("2"),
		NeverResolved: "Suricata has no word for the end of an alert",
		Newer:         strings.NewReplacer("03:12:45+0000", "03:12:46+0000", "4294967296", "4294968796").Replace(example),
		Next:          strings.Replace(example, `"start": "2026-03-01T02:57:45+0000"`, `"start": "2026-03-02T02:57:45+0000"`, 1),
	}
}

func TestAlerts(t *testing.T) { contract.Alerts(t, harness()) }

func FuzzAlerts(f *testing.F) { contract.FuzzAlerts(f, harness()) }

func BenchmarkAlerts(b *testing.B) { contract.BenchmarkAlerts(b, harness()) }
