package ocsf

import (
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/alerts"
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

// Products send a finding again when it changes. What none of its times tells apart is told
// apart by its id.
func TestAnUpdateIsOfTheSameOccurrence(t *testing.T) {
	t.Parallel()
	prints := func(activity, at, more string) []string {
		body := `{"class_uid":2004,"activity_id":` + activity + `,"time":` + at + `,"device":{"hostname":"ws-042"},"finding_info":{"uid":"f"` + more + `}}`
		parsed, err := alerts.Source{Spec: Alerts(), Name: "lake"}.Parse([]byte(body), time.Now())
		if err != nil || len(parsed) != 1 || parsed[0].Wrong != nil {
			t.Fatalf("%s is read as %+v, %v", body, parsed, err)
		}
		return parsed[0].Alert.Prints
	}
	for _, c := range []struct {
		first, second, more string
		same                bool
	}{
		{"1", "2", `,"created_time":1772334765123`, true},
		{"1", "2", `,"first_seen_time":1772334765123`, true},
		{"1", "2", `},"start_time":1772334765123,"unmapped":{"a":1`, true},
		{"2", "2", ``, true},
		{"1", "1", ``, false},
	} {
		a, b := prints(c.first, "1772334765123", c.more), prints(c.second, "1772338365123", c.more)
		if (a[0] == b[0]) != c.same {
			t.Errorf("activities %s and %s with %s are the same occurrence: %t, want %t", c.first, c.second, c.more, a[0] == b[0], c.same)
		}
	}
}
