package loganalytics

import (
	"maps"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// TestCensusOfDays has flows within a day, and over the end of one.
func TestCensusOfDays(t *testing.T) {
	const day, host = 24 * time.Hour, "10.20.4.42"
	to := at()
	var seen []contract.Seen
	for _, f := range []struct {
		ago, lasts time.Duration
		bytes      int64
	}{{3 * day, time.Second, 100}, {2*day + 5*time.Minute, 10 * time.Minute, 6000}, {10 * time.Minute, time.Second, 900}} {
		seen = append(seen, contract.Seen{Sensor: "north", Sampling: 1, Flow: incident.Flow{
			Start: to.Add(-f.ago), Duration: f.lasts, BytesOut: f.bytes, BytesIn: 1, PacketsOut: 2,
			Tuple: incident.Tuple{SrcIP: host, SrcPort: 50000, DstIP: "198.51.100.1", DstPort: 443, Transport: "tcp"},
		}})
	}
	got := map[int]int64{}
	census := opens(CommonSecurityLog)(t, seen).(integrations.Census)
	err := census.HostWindows(t.Context(), integrations.CensusQuery{From: to.Add(-3 * day), To: to}, 15*time.Minute, func(w incident.HostWindow) error {
		if _, twice := got[w.Window]; twice || w.Unseen || w.IP != host {
			t.Errorf("%+v is told twice, unseen or of another host", w)
		}
		got[w.Window] = w.BytesOut
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := map[int]int64{0: 100, 95: 3000, 96: 3000, 287: 900}; !maps.Equal(got, want) {
		t.Errorf("windows are %v, want %v", got, want)
	}
}

// TestCensusOfTheLeast has a table that never has all: that nothing was sent is not known.
func TestCensusOfTheLeast(t *testing.T) {
	to := at()
	census := opens(VMConnection)(t, []contract.Seen{{Sensor: "north", Sampling: 1, Flow: incident.Flow{
		Start: to.Add(-5 * time.Minute), Duration: time.Second, BytesIn: 500,
		Tuple: incident.Tuple{SrcIP: "10.20.4.42", SrcPort: 50000, DstIP: "198.51.100.1", DstPort: 443, Transport: "tcp"},
	}}}).(integrations.Census)
	q := integrations.CensusQuery{From: to.Add(-time.Hour), To: to}
	told := 0
	services := census.HostServices(t.Context(), q, func(s incident.HostService) error {
		if told++; !s.Unseen {
			t.Errorf("%+v, want it unseen", s)
		}
		return nil
	})
	windows := census.HostWindows(t.Context(), q, time.Hour, func(w incident.HostWindow) error {
		if told++; !w.Unseen {
			t.Errorf("%+v, want it unseen", w)
		}
		return nil
	})
	if services != nil || windows != nil || told != 2 {
		t.Errorf("%v, %v and %d sums, want a service and a window", services, windows, told)
	}
}
