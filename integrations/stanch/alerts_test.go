package stanch

import (
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/contract"
)

func harness() contract.AlertsHarness {
	return contract.AlertsHarness{
		Spec: Alerts(), Cases: "testdata/alerts",
		Several:  `{"alerts":[{"host":{"id":"a"}},{"host":{"ip":"b"},"bytes_out":1},{"host":{"id":"c"}}]}`,
		Resolved: strings.Replace(example, `"id": "siem-4711"`, `"id": "siem-4711", "status": "resolved"`, 1),
		Next:     strings.Replace(example, "2026-03-01T03:12:45Z", "2026-03-01T04:12:45Z", 1),
	}
}

func TestAlerts(t *testing.T) { contract.Alerts(t, harness()) }

func FuzzAlerts(f *testing.F) { contract.FuzzAlerts(f, harness()) }

// The example in the documentation fills in every field.
func TestExampleHasEveryField(t *testing.T) {
	parsed, err := alerts.Source{Spec: Alerts(), Name: "siem"}.Parse([]byte(example), time.Unix(1772334765, 0))
	if err != nil || len(parsed) != 1 {
		t.Fatalf("the example is read as %v, %v", parsed, err)
	}
	for _, line := range contract.AlertLines(parsed[0].Alert)[1:] {
		if !strings.HasSuffix(line, " (alert)") {
			t.Errorf("the example does not give %s", line)
		}
	}
	for _, f := range ownFields() {
		if f.Doc == "" || !strings.Contains(Alerts().Doc, "| `"+f.Path+"` | "+f.Type+" | "+f.Doc+" |") {
			t.Errorf("the reference lacks %s", f.Path)
		}
	}
}
