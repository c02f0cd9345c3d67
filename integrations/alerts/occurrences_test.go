package alerts_test

import (
	"strings"
	"testing"

	"github.com/stanch-soar/stanch/playbooks/incident"
)

// What is sent again, changed or anew is told apart by what each product has for it.
func TestOccurrencesOfSIEMs(t *testing.T) {
	type change struct{ from, to string }
	const same, changed, anew = "the same", "an update", "another occurrence"
	for _, c := range []struct {
		kind, body string
		change
		want string
	}{
		{"sentinel", `{"name":"i","properties":{"title":"T","createdTimeUtc":"2026-03-01T03:00:00Z","lastModifiedTimeUtc":"2026-03-01T03:05:00Z","severity":"Low"}}`, change{}, same},
		{"sentinel", `{"name":"i","properties":{"title":"T","createdTimeUtc":"2026-03-01T03:00:00Z","lastModifiedTimeUtc":"2026-03-01T03:05:00Z","severity":"Low"}}`, change{`03:05:00Z","severity":"Low"`, `03:06:00Z","severity":"High"`}, changed},
		{"sentinel", `{"name":"i","properties":{"title":"T","createdTimeUtc":"2026-03-01T03:00:00Z"}}`, change{`"i"`, `"j"`}, anew},
		{"defender", `{"id":"d","title":"T","createdDateTime":"2026-03-01T03:00:00Z","lastUpdateDateTime":"2026-03-01T03:05:00Z","severity":"low"}`, change{`03:05:00Z","severity":"low"`, `03:06:00Z","severity":"high"`}, changed},
		{"defender", `{"id":"d","title":"T","createdDateTime":"2026-03-01T03:00:00Z"}`, change{"03:00", "04:00"}, anew},
		{"wazuh", `{"id":"1.2","timestamp":"2026-03-01T03:00:00.000+0000","rule":{"level":3}}`, change{"+0000", "+00:00"}, same},
		{"wazuh", `{"id":"1.2","timestamp":"2026-03-01T03:00:00.000+0000","rule":{"level":3}}`, change{"1.2", "1.3"}, anew},
		{"splunk", `{"sid":"s","result":{"_time":"1772334000","src":"10.0.0.1"}}`, change{`10.0.0.1"`, `10.0.0.2"`}, anew},
		{"splunk", `{"sid":"s","result":{"_time":"1772334000","src":"10.0.0.1","event_id":"E@@notable@@1","urgency":"low"}}`, change{`low`, `high`}, changed},
		{"elastic", `{"kibana.alert.uuid":"u","kibana.alert.start":"2026-03-01T03:00:00Z","@timestamp":"2026-03-01T03:05:00Z","kibana.alert.severity":"low"}`, change{`03:05:00Z","kibana.alert.severity":"low"`, `03:06:00Z","kibana.alert.severity":"high"`}, changed},
		{"elastic", `{"kibana.alert.uuid":"u","kibana.alert.start":"2026-03-01T03:00:00Z"}`, change{"03:00", "04:00"}, anew},
	} {
		first, second := one(t, c.kind, c.body), one(t, c.kind, strings.Replace(c.body, c.from, c.to, 1))
		got := changed
		switch {
		case first.Prints[0] != second.Prints[0]:
			got = anew
		case first.Prints[1] == second.Prints[1]:
			got = same
		}
		if got != c.want {
			t.Errorf("%s: %s with %s for %s is %s, want %s", c.kind, c.body, c.to, c.from, got, c.want)
		}
		if c.want == changed && c.kind != "splunk" && !second.UpdatedAt.After(first.UpdatedAt) {
			t.Errorf("%s: the update is of %s, the alert of %s", c.kind, second.UpdatedAt, first.UpdatedAt)
		}
	}
}

func one(t *testing.T, kind, body string) incident.Alert {
	t.Helper()
	found, err := read(source(kind), body, now())
	if err != nil || len(found) != 1 {
		t.Fatalf("%s: %s is read as %v, %v", kind, body, found, err)
	}
	return found[0]
}
