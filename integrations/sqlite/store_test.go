package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowmath"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const client, server = "10.1.0.1", "203.0.113.9"

// sent is a flow of client to server.
func sent(at time.Time, lasting time.Duration, bytes int64, sensor string) flowmath.Record {
	r := recordOf(incident.Flow{
		Start: at, Duration: lasting, BytesOut: bytes, BytesIn: bytes / 50, PacketsOut: 1 + bytes/1000,
		Tuple: incident.Tuple{SrcIP: client, SrcPort: 40000, DstIP: server, DstPort: 443, Transport: "tcp"},
	})
	r.Sensor = sensor
	return r
}

func appendTo(t *testing.T, s *Store, records ...flowmath.Record) {
	t.Helper()
	if err := s.Append(t.Context(), records); err != nil {
		t.Fatal(err)
	}
}

func series(t *testing.T, s *Store, from, to time.Time) []incident.Point {
	t.Helper()
	points, err := s.Series(t.Context(), integrations.TrafficQuery{IPs: []string{client}, From: from, To: to})
	if err != nil {
		t.Fatal(err)
	}
	return points
}

func TestOpenRefusesFilesThatAreNotItsOwn(t *testing.T) {
	for _, c := range []struct{ name, statement, want string }{
		{"another program's database", `CREATE TABLE cats (name TEXT)`, "database of another program"},
		{"another application id", `PRAGMA application_id = 7`, "database of another program"},
		{"a newer schema", fmt.Sprintf(`PRAGMA application_id = %d; PRAGMA user_version = 99`, applicationID), "schema version 99, this program knows 2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "flows.db")
			db, err := sql.Open("sqlite", path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.ExecContext(t.Context(), c.statement); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
			_, err = Open(t.Context(), path)
			if integrations.KindOf(err) != integrations.Invalid || err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("open: %v, want an invalid error with %q", err, c.want)
			}
		})
	}
	text := filepath.Join(t.TempDir(), "flows.db")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), text); err == nil {
		t.Error("a text file was opened")
	}
}

func TestSpecOpensLazily(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "later")
	config := Spec().NewConfig().(*Config)
	config.Path = filepath.Join(missing, "odd name?#%20.db")
	value, err := Spec().Open(t.Context(), config)
	if err != nil {
		t.Fatalf("open: %v; the first use must report a missing folder", err)
	}
	s := value.(*Store)
	if f := s.Probe(t.Context()); f[0].OK || f[0].Fix == "" {
		t.Errorf("probe finds %+v, want the missing folder", f)
	}
	if err := os.Mkdir(missing, 0o700); err != nil {
		t.Fatal(err)
	}
	appendTo(t, s, sent(begin(), 0, 10, "a"))
	if f := s.Probe(t.Context()); !f[0].OK {
		t.Errorf("probe finds %+v, want all well", f)
	}
	if _, err := os.Stat(config.Path); err != nil {
		t.Errorf("the file is not where the path says: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Span(t.Context()); integrations.KindOf(err) != integrations.Unavailable || err == nil {
		t.Errorf("use after close: %v, want an unavailable error", err)
	}
}

func TestSeveralProcessesShareTheFile(t *testing.T) {
	s := openStore(t, time.Time{})
	other, err := Open(t.Context(), s.Path())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	done := make(chan error, 2)
	for i, store := range []*Store{s, other} {
		go func() {
			var err error
			for n := 0; n < 50 && err == nil; n++ {
				err = store.Append(context.WithoutCancel(t.Context()), []flowmath.Record{sent(begin().Add(time.Duration(2*n+i)*time.Minute), 0, 10, fmt.Sprint("sensor", i))})
				if _, read := store.Span(t.Context()); err == nil {
					err = read
				}
			}
			done <- err
		}()
	}
	for range 2 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if n := records(t, other); n != 100 {
		t.Errorf("the store has %d records, want 100", n)
	}
}

func TestStaleStoreSaysSo(t *testing.T) {
	s := openStore(t, time.Time{})
	elsewhere := sent(begin(), 0, 10, "a")
	elsewhere.Src = netip.MustParseAddr("10.1.0.99")
	appendTo(t, s, elsewhere)
	got := query(t, s, client, begin().Unix(), begin().Unix()+12*60)
	if got.BytesOut.Why() != "flows: newest record is 12m old" {
		t.Errorf("bytes_out is %v, want it unknown for the age of the newest record", got.BytesOut)
	}
	got = query(t, s, client, begin().Unix()-20*60, begin().Unix()-15*60)
	if got.BytesOut.Why() != "flows: oldest record is 15m younger than the window" {
		t.Errorf("bytes_out of the time before the first record is %v, want it unknown", got.BytesOut)
	}
}

func TestLongFlowsAreSpread(t *testing.T) {
	s := openStore(t, time.Time{})
	last := sent(begin().Add(10*time.Hour), 0, 1, "a")
	last.Src = netip.MustParseAddr("10.1.0.99")
	// 1,000 bytes a second for 90 s and for 5 h.
	appendTo(t, s, sent(begin().Add(30*time.Second), 90*time.Second, 90_000, "a"),
		sent(begin().Add(time.Hour), 5*time.Hour, 18_000_000, "a"), last)
	want(t, "bytes_out of half a minute", query(t, s, client, begin().Unix()+60, begin().Unix()+90).BytesOut, 30_000)
	want(t, "bytes_out of an hour", query(t, s, client, begin().Unix()+2*3600, begin().Unix()+3*3600).BytesOut, 3_600_000)

	points := series(t, s, begin(), begin().Add(10*time.Hour))
	if len(points) != 600 {
		t.Fatalf("the series has %d points, want 600", len(points))
	}
	for i, wanted := range map[int]int64{0: 30_000, 1: 60_000, 2: 0, 59: 0, 60: 60_000, 200: 60_000, 359: 60_000, 360: 0, 599: 0} {
		if points[i].BytesOut != wanted {
			t.Errorf("minute %d has %d bytes, want %d", i, points[i].BytesOut, wanted)
		}
	}
}

// The sums that are made when flows are written must agree with the flows.
func TestSeriesAddsUpToTraffic(t *testing.T) {
	s := openStore(t, later())
	mustImport(t, s, zeekTSV(newEstate(3, 20_000), 20_000), ImportOptions{Name: "a"})
	for _, ip := range []string{"10.1.0.0", "10.1.0.2", "10.1.255.1"} {
		for day := range 3 {
			from := begin().AddDate(0, 0, day)
			q := integrations.TrafficQuery{IPs: []string{ip}, From: from, To: from.AddDate(0, 0, 1)}
			points, err := s.Series(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			var sum int64
			for _, p := range points {
				sum += p.BytesOut
			}
			traffic, err := s.Traffic(t.Context(), q)
			if err != nil {
				t.Fatal(err)
			}
			if sum == 0 {
				t.Fatalf("%s sent nothing on day %d", ip, day)
			}
			want(t, fmt.Sprintf("bytes_out of %s on day %d", ip, day), traffic.BytesOut, sum)
		}
	}
}

func TestBaselineOfTwoSensorsCountsOnce(t *testing.T) {
	s := openStore(t, time.Time{})
	var flows []flowmath.Record
	for hour := range 48 {
		at := begin().Add(time.Duration(hour) * time.Hour)
		flows = append(flows, sent(at, time.Second, 1000, "north"), sent(at.Add(2*time.Second), time.Second, 900, "south"))
	}
	for i := range flows { // in two writes, as two files would come
		if i%2 == 0 {
			appendTo(t, s, flows[i])
		}
	}
	for i := range flows {
		if i%2 == 1 {
			appendTo(t, s, flows[i])
		}
	}
	got, err := s.Baseline(t.Context(), integrations.BaselineQuery{IPs: []string{client}, To: begin().AddDate(0, 0, 2), Days: 2, Window: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "buckets", got.Buckets, 48)
	want(t, "max", got.Max, 1000)
}

func TestUnknownWindowsAreNoBuckets(t *testing.T) {
	s := openStore(t, time.Time{})
	for hour := range 48 {
		r := sent(begin().Add(time.Duration(hour)*time.Hour), time.Second, 1000, "a")
		if hour%2 == 0 {
			r.OneWay, r.Orig = true, flowmath.Side{Bytes: 0, IPBytes: 0, Packets: 0}
		}
		appendTo(t, s, r)
	}
	got, err := s.Baseline(t.Context(), integrations.BaselineQuery{IPs: []string{client}, To: begin().AddDate(0, 0, 2), Days: 2, Window: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	want(t, "buckets", got.Buckets, 24)
	want(t, "median", got.Median, 1000)
	if points := series(t, s, begin(), begin().Add(time.Hour)); len(points) != 59 {
		t.Errorf("the series of a one-way hour has %d points, want the 59 quiet minutes", len(points))
	}
}

func TestAReflectorsAnswersAreItsEgress(t *testing.T) {
	s := openStore(t, time.Time{})
	var flows []flowmath.Record
	for i := range 6000 {
		flows = append(flows, recordOf(incident.Flow{
			Start: begin().Add(time.Duration(i) * 10 * time.Millisecond), Duration: time.Millisecond,
			Tuple:    incident.Tuple{SrcIP: fmt.Sprintf("198.51.%d.%d", 100+i%2, i%100), SrcPort: 1024 + i, DstIP: client, DstPort: 389, Transport: "udp"},
			BytesOut: 80, BytesIn: 3000, PacketsOut: 1,
		}))
		flows[i].Resp.Packets = 3
	}
	appendTo(t, s, flows...)
	got := query(t, s, client, begin().Unix(), begin().Unix()+60)
	want(t, "bytes_out", got.BytesOut, 6000*3000)
	want(t, "bytes_in", got.BytesIn, 6000*80)
	want(t, "role", got.Role, string(incident.Reflector))
	want(t, "destinations", got.Destinations, 100)
	if len(got.Sample) != flowmath.SampleFlows || got.Sample[0].SrcPort != 389 || got.Sample[0].BytesOut != 3000 {
		t.Errorf("the sample has %d flows, the first %+v; want %d with the reflecting port", len(got.Sample), got.Sample[0], flowmath.SampleFlows)
	}
}

func TestTopRanksOwnHosts(t *testing.T) {
	s := openStore(t, time.Time{})
	big := sent(begin(), time.Second, 900_000, "north")
	twice := sent(begin(), time.Second, 600_000, "north")
	twice.Src = netip.MustParseAddr("10.1.0.2")
	again := twice
	again.Sensor = "south"
	appendTo(t, s, big, twice, again)
	got, err := s.Top(t.Context(), TopQuery{From: begin(), To: begin().Add(time.Minute), Limit: 5, Top: 1})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[0].IP != client || got[1].IP != "10.1.0.2" {
		t.Fatalf("top is %+v, want %s before 10.1.0.2 and no peer", got, client)
	}
	want(t, "bytes_out of the second", got[1].Traffic.BytesOut, 600_000)
	got, err = s.Top(t.Context(), TopQuery{
		From: begin(), To: begin().Add(time.Minute), Networks: []netip.Prefix{netip.MustParsePrefix("203.0.113.0/24")},
	})
	if err != nil || len(got) != 1 || got[0].IP != server {
		t.Errorf("top of another network is %+v (%v), want %s", got, err, server)
	}
}

func TestAppendIsAllOrNone(t *testing.T) {
	s := openStore(t, begin())
	wrong := sent(begin().Add(48*time.Hour), 0, 10, "a")
	err := s.Append(t.Context(), []flowmath.Record{sent(begin(), 0, 10, "a"), wrong})
	if integrations.KindOf(err) != integrations.Invalid || err == nil || !strings.Contains(err.Error(), "record 2: 2026-03-03T00:00:00Z is 48h0m0s ahead") {
		t.Errorf("append: %v, want an invalid error that names the record", err)
	}
	if n := records(t, s); n != 0 {
		t.Errorf("the store has %d records, want none", n)
	}
}

func TestNetFlowSlicesAddUpAndSensorsDoNot(t *testing.T) {
	s := openStore(t, time.Time{})
	var flows []flowmath.Record
	for _, sensor := range []string{"north", "south"} {
		for slice := range 5 {
			r := sent(begin().Add(time.Duration(slice)*time.Minute), time.Minute, 1000, sensor)
			r.Single, r.Resp = true, flowmath.Side{Bytes: -1, IPBytes: -1, Packets: -1}
			if sensor == "south" {
				r.Start = r.Start.Add(20 * time.Second)
			}
			flows = append(flows, r)
		}
	}
	appendTo(t, s, flows...)
	want(t, "bytes_out", query(t, s, client, begin().Unix(), begin().Unix()+600).BytesOut, 5000)
}
