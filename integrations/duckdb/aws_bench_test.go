//go:build duckdb

package duckdb

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
)

// BenchmarkAWSMonth measures a query for a quarter of an hour where the folder has a month of AWS's
// files, one for each five minutes, and reports how many of them are read.
func BenchmarkAWSMonth(b *testing.B) {
	folder := b.TempDir()
	first := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var rows []awsRow
	files := 0
	for at := first; at.Before(first.AddDate(0, 0, 30)); at = at.Add(5 * time.Minute) {
		files++
		for i := range 20 {
			r := awsLater(at)
			r.src, r.srcPort = "192.0.2.10", 50000+i
			rows = append(rows, r)
		}
	}
	writeAWS(b, folder, true, rows)
	s := store(b, folder, AWSVPC, nil)
	to := first.AddDate(0, 0, 15)
	q := integrations.TrafficQuery{IPs: []string{"192.0.2.10"}, From: to.Add(-15 * time.Minute), To: to, Top: 5}
	run := func(name string, do func() error) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if err := do(); err != nil {
					b.Fatal(err)
				}
			}
			v, err := s.look(b.Context(), q.From, q.To)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(len(v.parts[0].files)), "files-of-window")
			b.ReportMetric(float64(files), "files")
		})
	}
	run("traffic", func() error { _, err := s.Traffic(b.Context(), q); return err })
	run("survey", func() error { _, err := s.Survey(b.Context(), q.From, q.To); return err })
	run("baseline-14d", func() error {
		_, err := s.Baseline(b.Context(), integrations.BaselineQuery{IPs: q.IPs, To: to, Days: 14, Window: 15 * time.Minute})
		return err
	})
	run("probe", func() error { s.Probe(b.Context()); return nil })
}
