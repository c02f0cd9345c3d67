//go:build duckdb

package duckdb

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/flowlog/synthetic"
	"github.com/stanch-soar/stanch/integrations/sqlite"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// known makes an answer comparable: values with their provenance and reasons.
func known(t *testing.T, v any) string {
	t.Helper()
	return strings.ReplaceAll(fmt.Sprintf("%+v", v), " ", "\n")
}

// answers are a store's results for a host in a window.
type answers struct {
	Traffic incident.Traffic
	Series  []incident.Point
	Base    incident.Baseline
	Hosts   []incident.HostTraffic
	Survey  incident.Survey
}

type flowStore interface {
	integrations.Flows
	integrations.Hunter
	integrations.Surveyor
}

func ask(t *testing.T, f flowStore, host string, from, to time.Time) answers {
	t.Helper()
	var a answers
	var errs [5]error
	q := integrations.TrafficQuery{IPs: []string{host}, From: from, To: to, Top: 20}
	a.Traffic, errs[0] = f.Traffic(t.Context(), q)
	a.Series, errs[1] = f.Series(t.Context(), q)
	a.Base, errs[2] = f.Baseline(t.Context(), integrations.BaselineQuery{IPs: q.IPs, To: to, Days: 1, Window: time.Minute})
	a.Hosts, errs[3] = f.Hosts(t.Context(), integrations.HostsQuery{From: from, To: to, Top: 20, Networks: []string{"10.0.0.0/8", "192.168.0.0/16"}})
	a.Survey, errs[4] = f.Survey(t.Context(), from, to)
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	return a
}

// imported is the embedded store with a log, the reference for this one.
func imported(t *testing.T, log []byte) *sqlite.Store {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "flows.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	done, err := s.Import(t.Context(), bytes.NewReader(log), sqlite.ImportOptions{Name: t.Name()})
	if err != nil || done.Bad > 0 {
		t.Fatalf("imported %+v: %v", done, err)
	}
	return s
}

func TestSyntheticTrafficIsAnsweredLikeTheEmbeddedStore(t *testing.T) {
	o := synthetic.Options{Seed: 5, Host: netip.MustParseAddr("10.20.4.42"), Length: 20 * time.Second, Begin: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	// The window cuts flows at both of its ends.
	from, to := o.Begin.Add(3*time.Second), o.Begin.Add(17*time.Second)
	for _, scenario := range synthetic.Scenarios() {
		t.Run(scenario.Name, func(t *testing.T) {
			l := synthetic.Log{Note: scenario.Name, UID: "C", Flows: scenario.Flows(o)}
			var log, lines bytes.Buffer
			if err := errors.Join(l.WriteTSV(&log), l.WriteJSON(&lines)); err != nil {
				t.Fatal(err)
			}
			want := known(t, ask(t, imported(t, log.Bytes()), o.Host.String(), from, to))
			folder := t.TempDir()
			write(t, filepath.Join(folder, "conn.log"), log.String())
			write(t, filepath.Join(folder, "conn.json"), lines.String())
			tsv := store(t, folder, ZeekTSV, nil)
			if diff := cmp.Diff(want, known(t, ask(t, tsv, o.Host.String(), from, to))); diff != "" {
				t.Errorf("TSV (-embedded +duckdb):\n%s", diff)
			}
			json := store(t, folder, ZeekJSON, func(c *Config) { c.Files = "*.json" })
			if diff := cmp.Diff(want, known(t, ask(t, json, o.Host.String(), from, to))); diff != "" {
				t.Errorf("JSON (-embedded +duckdb):\n%s", diff)
			}
			db := free(t)
			v, err := tsv.look(t.Context(), time.Time{}, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := db.Exec("COPY (FROM " + v.parts[0].source + ") TO " + text(filepath.Join(folder, "flows.parquet"))); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, known(t, ask(t, store(t, folder, Parquet, nil), o.Host.String(), from, to))); diff != "" {
				t.Errorf("Parquet (-embedded +duckdb):\n%s", diff)
			}
		})
	}
}

// TestSumsAreThoseOfTheFlows has DuckDB sum what is otherwise read flow by flow.
func TestSumsAreThoseOfTheFlows(t *testing.T) {
	o := synthetic.Options{Seed: 9, Host: netip.MustParseAddr("10.20.4.42"), Length: 20 * time.Second, Begin: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}
	for _, scenario := range synthetic.Scenarios() {
		t.Run(scenario.Name, func(t *testing.T) {
			folder := t.TempDir()
			var log bytes.Buffer
			if err := (synthetic.Log{Note: scenario.Name, UID: "C", Flows: scenario.Flows(o)}).WriteTSV(&log); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(folder, "conn.log"), log.String())
			one := ask(t, store(t, folder, ZeekTSV, nil), o.Host.String(), o.Begin, o.Begin.Add(o.Length))
			summed := ask(t, store(t, folder, ZeekTSV, func(c *Config) { c.Records = 1 }), o.Host.String(), o.Begin, o.Begin.Add(o.Length))
			if diff := cmp.Diff(known(t, one), known(t, summed)); diff != "" {
				t.Errorf("(-flow by flow +summed):\n%s", diff)
			}
		})
	}
}

// coarse rounds times: DuckDB reads a float where the embedded store reads digits.
func coarse(a answers) answers {
	const by = 10 * time.Microsecond
	if at, ok := a.Traffic.Freshness.Get(); ok {
		a.Traffic.Freshness = incident.Known(at.Round(by), incident.FromFlows)
	}
	for i := range a.Traffic.Sample {
		f := &a.Traffic.Sample[i]
		f.Start, f.Duration = f.Start.Round(by), f.Duration.Round(by)
	}
	a.Survey.Newest = a.Survey.Newest.Round(by)
	for i := range a.Survey.Sensors {
		a.Survey.Sensors[i].Newest = a.Survey.Sensors[i].Newest.Round(by)
	}
	return a
}

// The embedded store's results for these are asserted in its own tests.
func TestRealRecordsAreAnsweredLikeTheEmbeddedStore(t *testing.T) {
	for _, c := range []struct {
		name, host string
		format     Format
		from, to   int64
	}{
		{"03_zeek_conn_paired_with_02.tsv", "192.168.56.30", ZeekTSV, 1693975800, 1693976400},
		{"03_zeek_conn_paired_with_02.tsv", "192.168.56.1", ZeekTSV, 1693975800, 1693976400},
		{"06_zeek_conn_apt29_day1_scranton_slice.jsonl", "10.0.1.4", ZeekJSON, 1588206720, 1588206780},
	} {
		t.Run(c.name+" "+c.host, func(t *testing.T) {
			log, err := os.ReadFile(filepath.Join("..", "sqlite", "testdata", c.name))
			if err != nil {
				t.Fatal(err)
			}
			folder := t.TempDir()
			var packed bytes.Buffer
			z := gzip.NewWriter(&packed)
			if _, err := z.Write(log); err != nil {
				t.Fatal(err)
			}
			if err := z.Close(); err != nil {
				t.Fatal(err)
			}
			// Zeek packs what it rotates.
			write(t, filepath.Join(folder, "conn.log.gz"), packed.String())
			from, to := time.Unix(c.from, 0), time.Unix(c.to, 0)
			want := ask(t, imported(t, log), c.host, from, to)
			got := ask(t, store(t, folder, c.format, func(config *Config) { config.Columns.Sensor = "@system" }), c.host, from, to)
			if diff := cmp.Diff(known(t, coarse(want)), known(t, coarse(got))); diff != "" {
				t.Errorf("(-embedded +duckdb):\n%s", diff)
			}
		})
	}
}
