package demo

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/integrations/sqlite"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// TestTheStoreMeasuresWhatTheEstateSends follows the sensor through a flood, a
// limit, an isolation and the release, on a clock that the test moves.
func TestTheStoreMeasuresWhatTheEstateSends(t *testing.T) {
	now := time.Now().Add(-time.Hour).Truncate(time.Minute)
	estate, err := memory.New(memory.Options{Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	if err := estate.Populate(memory.Flood); err != nil {
		t.Fatal(err)
	}
	store, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "flows.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	s := newSensor(estate, store, now.Add(-attackAgo), []string{alertedIP})
	target, err := incident.DeviceTarget("ws-042", "ws-042")
	if err != nil {
		t.Fatal(err)
	}
	limit := incident.Order{Key: "limit", Action: incident.RateLimit, Target: target, Rate: 2_000_000}
	isolate := incident.Order{Key: "isolate", Action: incident.Isolate, Target: target}
	for _, tt := range []struct {
		name string
		do   func() error
		// from and to bound what is measured, in bits per second; every flow is
		// exported in whole bytes, which may be a little more than the limit.
		from, to int64
	}{
		{"flood", func() error { return nil }, 40_000_000, 40_200_000},
		{"limited", func() error { _, err := estate.Apply(t.Context(), limit); return err }, 1_900_000, 2_001_000},
		{"isolated", func() error { _, err := estate.Apply(t.Context(), isolate); return err }, 7_000, 8_000},
		{"given back, limited still", func() error { _, err := estate.Undo(t.Context(), isolate); return err }, 1_900_000, 2_001_000},
		{"given back", func() error { _, err := estate.Undo(t.Context(), limit); return err }, 40_000_000, 40_200_000},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := s.export(t.Context(), now); err != nil {
				t.Fatal(err)
			}
			if err := tt.do(); err != nil {
				t.Fatal(err)
			}
			since := now
			for range 20 {
				now = now.Add(exportEvery)
				if err := s.export(t.Context(), now); err != nil {
					t.Fatal(err)
				}
			}
			rate, err := s.measure(t.Context(), since, now)
			if err != nil {
				t.Fatal(err)
			}
			if got, known := rate.Get(); !known || got < tt.from || got > tt.to {
				t.Errorf("the store measures %s, want %d to %d", rate, tt.from, tt.to)
			}
			rates, until := s.recent()
			if last := rates[len(rates)-1]; !until.Equal(now) || last < tt.from || last > tt.to {
				t.Errorf("the last rate is %d, up to %s", last, until)
			}
		})
	}
}
