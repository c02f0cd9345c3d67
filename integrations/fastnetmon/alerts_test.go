package fastnetmon

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/alerts"
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

// Advanced repeats an attack with other figures, by its webhook or by the script, which is
// called anew each time.
func TestAdvancedRepeatsAnAttack(t *testing.T) {
	t.Parallel()
	const details = `{"ip":"10.20.0.42","action":"ban","attack_details":{"attack_uuid":"a","attack_direction":"outgoing","total_outgoing_traffic":105372000}}`
	const script = `{"address":"10.20.0.42","action":"ban","time":"2026-03-01T03:12:45Z","details":` + details + `}`
	for _, first := range []string{details, script} {
		prints := func(old, new string) []string {
			parsed, err := alerts.Source{Spec: Alerts(), Name: "net"}.Parse([]byte(strings.Replace(first, old, new, 1)), time.Now())
			if err != nil || len(parsed) != 1 || parsed[0].Wrong != nil {
				t.Fatalf("%s with %s is read as %+v, %v", first, new, parsed, err)
			}
			return parsed[0].Alert.Prints
		}
		one, repeated := prints("", ""), prints("03:12:45Z", "03:13:05Z")
		updated, other := prints("105372000", "205372000"), prints(`"a"`, `"b"`)
		if !slices.Equal(one, repeated) || updated[0] != one[0] || updated[1] == one[1] || other[0] == one[0] {
			t.Errorf("%s is %v, repeated %v, with another rate %v, and another attack is %v", first, one, repeated, updated, other)
		}
	}
}

func FuzzAlerts(f *testing.F) { contract.FuzzAlerts(f, harness()) }

func BenchmarkAlerts(b *testing.B) { contract.BenchmarkAlerts(b, harness()) }
