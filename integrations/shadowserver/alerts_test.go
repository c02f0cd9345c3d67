package shadowserver

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations/alerts"
	"github.com/stanch-soar/stanch/integrations/contract"
)

func harness() contract.AlertsHarness {
	return contract.AlertsHarness{
		Spec: Alerts(), Cases: "testdata/alerts",
		Several: `{"timestamp":"2026-03-01 03:00:00","src_ip":"192.0.2.1","infection":"ddos-participant"}{"src_ip":"192.0.2.2"}` +
			`{"timestamp":"2026-03-01 03:00:00","src_ip":"192.0.2.3","infection":"ddos-participant"}`,
		NeverResolved: "Shadowserver has no word for the end of what it saw",
		Doubtful:      "the address is the one that the network shows outside",
		Next:          strings.Replace(example, "2026-03-01 03:12:45", "2026-03-02 03:12:45", 1),
	}
}

func TestAlerts(t *testing.T) { contract.Alerts(t, harness()) }

func FuzzAlerts(f *testing.F) { contract.FuzzAlerts(f, harness()) }

func BenchmarkAlerts(b *testing.B) { contract.BenchmarkAlerts(b, harness()) }

func parse(t *testing.T, body string) []alerts.Parsed {
	t.Helper()
	parsed, err := alerts.Source{Spec: Alerts(), Name: "outside"}.Parse([]byte(body), time.Unix(1772334765, 0))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return parsed
}

// A row of CSV is what the same row as JSON is, also alone, as it is kept when it is rejected.
func TestCSV(t *testing.T) {
	t.Parallel()
	const columns = "\ufeff\"timestamp\",\"protocol\",\"src_ip\",\"src_port\",\"dst_ip\",\"dst_port\",\"infection\",\"application\",\"severity\"\r\n"
	const row = "\"2026-03-01 03:12:45\",udp,198.51.100.7,53,203.0.113.7,41234,ddos-participant,\"dns\",high\r\n"
	want := parse(t, example)[0].Alert
	rows := parse(t, columns+row+"\r\n"+"1,2\r\n"+strings.Replace(row, "\"dns\"", "d\"ns", 1)+row+"\"torn,"+row)
	var wrong []string
	for _, p := range rows {
		if p.Wrong != nil {
			wrong = append(wrong, p.Wrong.Error())
			continue
		}
		for _, got := range []alerts.Parsed{p, parse(t, string(p.Body))[0]} {
			if diff := cmp.Diff(contract.AlertLines(want), contract.AlertLines(got.Alert)); diff != "" || got.Alert.Prints[0] != want.Prints[0] {
				t.Errorf("the row is another than as JSON: -want +got\n%s", diff)
			}
		}
	}
	problems := []string{"[1]: has 2 values, and the report 9 columns", `[2]: is not CSV: bare " in non-quoted-field`, `[4]: is not CSV: extraneous or missing " in quoted-field`}
	if diff := cmp.Diff(problems, wrong); diff != "" || len(rows) != 5 {
		t.Errorf("%d rows: -want +got\n%s", len(rows), diff)
	}
	if again := parse(t, string(rows[1].Body)); len(again) != 1 || again[0].Wrong == nil {
		t.Errorf("a row that cannot be read, alone, is read as %+v", again)
	}
	if none := parse(t, columns); len(none) != 0 {
		t.Errorf("a report without rows is read as %+v", none)
	}
}
