package aws

import (
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const hubResolved = `{"detail-type": "Security Hub Findings - Imported", "detail": {"findings": [{
  "Id": "arn:aws:guardduty:us-east-1:123456789012:detector/d1/finding/48b6396cc2a76dae622f5666274b6961",
  "ProductArn": "arn:aws:securityhub:us-east-1::product/aws/guardduty", "Types": ["TTPs/Command and Control/Backdoor:EC2-DenialOfService.Udp"],
  "UpdatedAt": "2026-03-01T03:30:00Z", "Workflow": {"Status": "RESOLVED"}, "RecordState": "ACTIVE"}]}}`

func harness() contract.AlertsHarness {
	example := Alerts().Example
	finding := `{"id":"a","type":"Backdoor:EC2/DenialOfService.Dns","resource":{"instanceDetails":{"instanceId":"i-1"}},"service":{"eventFirstSeen":"2026-03-01T03:00:00Z"}}`
	return contract.AlertsHarness{
		Spec: Alerts(), Cases: "testdata/alerts",
		Several:  `[{"detail":` + finding + `},{"id":"b"},` + strings.Replace(finding, `"a"`, `"c"`, 1) + `]`,
		Resolved: hubResolved,
		Next:     strings.Replace(example, `"eventFirstSeen": "2026-03-01T03:00:00Z"`, `"eventFirstSeen": "2026-03-08T03:00:00Z"`, 1),
	}
}

func TestAlerts(t *testing.T) { contract.Alerts(t, harness()) }

func FuzzAlerts(f *testing.F) { contract.FuzzAlerts(f, harness()) }

func BenchmarkAlerts(b *testing.B) { contract.BenchmarkAlerts(b, harness()) }

// GuardDuty sends a finding again for weeks, with the same id and another count.
func TestAFindingThatIsSentAgainIsAnUpdate(t *testing.T) {
	t.Parallel()
	source := alerts.Source{Spec: Alerts(), Name: "aws"}
	read := func(body string) incident.Alert {
		parsed, err := source.Parse([]byte(body), time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC))
		if err != nil || len(parsed) != 1 || parsed[0].Wrong != nil {
			t.Fatalf("%s is read as %+v, %v", body, parsed, err)
		}
		return parsed[0].Alert
	}
	first := read(Alerts().Example)
	if want := time.Date(2026, 3, 1, 3, 20, 0, 0, time.UTC); !first.UpdatedAt.Equal(want) {
		t.Errorf("the finding was updated at %v, want %v", first.UpdatedAt, want)
	}
	undated := func(updated string) incident.Alert {
		return read(`{"id":"a","type":"Backdoor:EC2/DenialOfService.Dns","createdAt":"2026-03-01T03:05:00Z","updatedAt":"` + updated + `"}`)
	}
	if one, next := undated("2026-03-01T03:20:00Z"), undated("2026-03-01T03:35:00Z"); one.Prints[0] != next.Prints[0] {
		t.Errorf("an update of a finding that does not say when it began is another occurrence: %v after %v", next.Prints, one.Prints)
	}
	for _, c := range []struct {
		old, by           string
		occurrence, again bool
	}{
		{`"updatedAt": "2026-03-01T03:20:00Z"`, `"updatedAt": "2026-03-01T03:35:00Z"`, true, true},
		{`"count": 21`, `"count": 44`, true, false},
		{`"eventLastSeen": "2026-03-01T03:15:00Z"`, `"eventLastSeen": "2026-03-21T03:15:00Z"`, true, false},
		{`"eventFirstSeen": "2026-03-01T03:00:00Z"`, `"eventFirstSeen": "2026-03-21T03:00:00Z"`, false, false},
	} {
		next := read(strings.Replace(Alerts().Example, c.old, c.by, 1))
		if next.ID != first.ID || (next.Prints[0] == first.Prints[0]) != c.occurrence || (next.Prints[1] == first.Prints[1]) != c.again {
			t.Errorf("with %s it is %s %v after %s %v; want the same occurrence: %t, the same content: %t", c.by, next.ID, next.Prints, first.ID, first.Prints, c.occurrence, c.again)
		}
	}
}
