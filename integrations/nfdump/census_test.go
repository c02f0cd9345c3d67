package nfdump

import (
	"maps"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

const peer = "198.51.100.1"

// censusOf is a query for what the own host sent in the days before noon.
func censusOf(days int) integrations.CensusQuery {
	return integrations.CensusQuery{From: noon().AddDate(0, 0, -days), To: noon(), Networks: []string{ownHost + "/32"}}
}

// TestCensusOfDays has flows within a day, over the end of one, and as two records of one flow at each side of it.
func TestCensusOfDays(t *testing.T) {
	const day, each = 24 * time.Hour, 15 * time.Minute
	over, before, after := sent(-day-5*time.Minute, ownHost, peer, 443, 6000), sent(-2*day-4*time.Second, ownHost, peer, 22, 500), sent(-2*day+4*time.Second, ownHost, peer, 22, 700)
	over.Duration = 10 * time.Minute
	folder := t.TempDir()
	stored(t, folder, sent(-3*day, ownHost, peer, 443, 100), before, after, over, sent(-10*time.Minute, ownHost, peer, 443, 900))
	got := map[int]int64{}
	err := openFolder(t, folder).HostWindows(t.Context(), censusOf(3), each, func(w incident.HostWindow) error {
		if _, twice := got[w.Window]; twice || w.Unseen || w.IP != ownHost {
			t.Errorf("%+v is told twice, unseen or of another host", w)
		}
		got[w.Window] = w.BytesOut
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := map[int]int64{0: 100, 95: 500, 96: 700, 191: 3000, 192: 3000, 287: 900}; !maps.Equal(got, want) {
		t.Errorf("windows are %v, want %v", got, want)
	}
}

// TestCensusIsBounded sends to more peers than may be held in memory.
func TestCensusIsBounded(t *testing.T) {
	var flows []record
	for _, to := range []string{"198.51.100.1", "198.51.100.2", "198.51.100.3", "198.51.100.4", "198.51.100.5"} {
		flows = append(flows, sent(-5*time.Minute, ownHost, to, 443, 100))
	}
	folder := t.TempDir()
	stored(t, folder, flows...)
	s := openFolder(t, folder, func(c *Config) { c.Records = 1 })
	services := s.HostServices(t.Context(), censusOf(1), func(incident.HostService) error { return nil })
	windows := s.HostWindows(t.Context(), censusOf(1), time.Hour, func(incident.HostWindow) error { return nil })
	for what, err := range map[string]error{"services": services, "windows": windows} {
		if integrations.KindOf(err) != integrations.Invalid {
			t.Errorf("%s: %v, want invalid", what, err)
		}
	}
}
