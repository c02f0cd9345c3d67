package sqlite

import (
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// Of a time of which its sensor says that it has no records, what a host sent is the least: no proof, and
// no lie about the hosts that another sensor sees.
func TestWhatASensorDidNotRecordIsUnknown(t *testing.T) {
	s := openStore(t, time.Time{})
	at := time.Now().UTC().Truncate(time.Minute).Add(-time.Hour)
	flow := func(ip, sensor string) flowmath.Record {
		r := recordOf(incident.Flow{
			Start: at.Add(-2 * time.Minute), Duration: time.Minute, BytesOut: 500, BytesIn: 50, PacketsOut: 2,
			Tuple: incident.Tuple{SrcIP: ip, SrcPort: 50001, DstIP: "198.51.100.7", DstPort: 443, Transport: "tcp"},
		})
		r.Sensor = sensor
		return r
	}
	// Another host's record is of later, so that the store reaches over the gap.
	later := flow("10.20.4.43", "eni-2")
	later.Start = at.Add(90 * time.Second)
	if err := s.Append(t.Context(), []flowmath.Record{flow("10.20.4.42", "eni-1"), flow("10.20.4.43", "eni-2"), later}); err != nil {
		t.Fatal(err)
	}
	dbs, err := s.dbs(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	gap := flowmath.Gap{Sensor: "eni-1", From: at, To: at.Add(time.Minute), Why: "SKIPDATA"}
	for range 2 {
		err := s.inTx(t.Context(), dbs, func(tx *sql.Tx) error {
			numbers, err := sensorNumbers(t.Context(), tx)
			if err != nil {
				return err
			}
			return writeGaps(t.Context(), tx, numbers, []flowmath.Gap{gap})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		ip       string
		from, to time.Duration
		gaps     int
	}{
		{"10.20.4.42", -3 * time.Minute, 30 * time.Second, 1},
		{"10.20.4.42", -3 * time.Minute, 0, 0},
		{"10.20.4.42", time.Minute, 2 * time.Minute, 0},
		{"10.20.4.43", -3 * time.Minute, 30 * time.Second, 0},
		// Nothing says who sees this one.
		{"10.20.4.99", -3 * time.Minute, 30 * time.Second, 1},
	} {
		got, err := s.Traffic(t.Context(), integrations.TrafficQuery{IPs: []string{c.ip}, From: at.Add(c.from), To: at.Add(c.to), Top: 3})
		if err != nil {
			t.Fatal(err)
		}
		if len(got.AtLeast) != c.gaps || c.gaps > 0 && !strings.Contains(got.AtLeast[0], "SKIPDATA") {
			t.Errorf("%s from %s to %s: %q, want %d gaps", c.ip, c.from, c.to, got.AtLeast, c.gaps)
		}
	}
	points, err := s.Series(t.Context(), integrations.TrafficQuery{IPs: []string{"10.20.4.42"}, From: at.Add(-2 * time.Minute), To: at.Add(2 * time.Minute)})
	if err != nil || len(points) == 0 {
		t.Fatalf("the series has %d minutes: %v", len(points), err)
	}
	for _, p := range points {
		if p.At.Equal(at) {
			t.Error("the minute without records is in the series")
		}
	}
	survey, err := s.Survey(t.Context(), at.Add(-time.Hour), at.Add(time.Hour))
	if err != nil || strings.Count(survey.AtLeast, "eni-1") != 1 {
		t.Errorf("the survey says %q: %v", survey.AtLeast, err)
	}
}

// What a host sent is told with who signed in, in that window and of its own addresses.
func TestTrafficNamesWhoSent(t *testing.T) {
	s := openStore(t, time.Time{})
	at := time.Now().UTC().Truncate(time.Minute).Add(-time.Hour)
	record := func(ip, user string, before time.Duration) flowmath.Record {
		r := recordOf(incident.Flow{
			Start: at.Add(-before), Duration: time.Second, BytesOut: 500, BytesIn: 50, PacketsOut: 2,
			Tuple: incident.Tuple{SrcIP: ip, SrcPort: 50001, DstIP: "198.51.100.7", DstPort: 443, Transport: "tcp"},
		})
		r.User = user
		return r
	}
	records := []flowmath.Record{record("10.20.4.42", "alice", time.Minute), record("10.20.4.42", "yesterday", 24*time.Hour), record("10.20.4.43", "bob", time.Minute)}
	for i := range 2 * incident.MaxSenders {
		records = append(records, record("10.20.4.44", "user"+string(rune('a'+i)), time.Minute))
	}
	if err := s.Append(t.Context(), records); err != nil {
		t.Fatal(err)
	}
	ask := func(ip string) []incident.Sender {
		got, err := s.Traffic(t.Context(), integrations.TrafficQuery{IPs: []string{ip}, From: at.Add(-15 * time.Minute), To: at, Top: 3})
		if err != nil {
			t.Fatal(err)
		}
		return got.Senders
	}
	if got := ask("10.20.4.42"); len(got) != 1 || got[0].User != "alice" || got[0].Sensor != "test" {
		t.Errorf("senders are %+v, want alice", got)
	}
	if got := ask("10.20.4.44"); len(got) != incident.MaxSenders {
		t.Errorf("%d senders are named, want %d", len(got), incident.MaxSenders)
	}
}
