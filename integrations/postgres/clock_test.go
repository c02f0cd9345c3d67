package postgres

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations"
	"github.com/stanch-soar/stanch/integrations/contract"
)

// local is the layout of a table in local time.
func local(t *testing.T, zone integrations.Zone, records []contract.Seen) *Store {
	t.Helper()
	for _, l := range layouts() {
		if l.name == "local" {
			o := openerOf(l)
			o.config = func(c *Config) { c.TimeZone = zone }
			return o.open(t, records)
		}
	}
	t.Fatal("there is no such layout")
	return nil
}

// A table in local time is ahead as a whole. Doctor reports the remedy, and passes
// once it is applied.
func TestATableInLocalTimeFailsUntilItsZoneIsSaid(t *testing.T) {
	var records []contract.Seen
	for ago := time.Minute; ago < 12*time.Hour; ago += time.Minute {
		f := contract.Second(0, 1000, 100)
		f.Start = time.Now().Add(-ago)
		records = append(records, f)
	}
	for zone, ok := range map[integrations.Zone]bool{"UTC": false, "Asia/Kathmandu": true} {
		s := local(t, zone, records)
		var fails, cured bool
		for _, f := range s.Probe(t.Context()) {
			if strings.Contains(f.What, "the clock of sensor north is ahead by 5h4") {
				fails, cured = !f.OK, strings.Contains(f.Fix, "set time_zone to it")
			}
		}
		if fails == ok || cured == ok {
			t.Errorf("with the zone %s the probe says %+v", zone, s.Probe(t.Context()))
		}
		now := time.Now()
		got, err := s.Traffic(t.Context(), integrations.TrafficQuery{IPs: []string{"192.0.2.111"}, From: now.Add(-15 * time.Minute), To: now})
		if n, known := got.BytesOut.Get(); err != nil || known != ok || n != 0 {
			t.Errorf("with the zone %s bytes_out of a quiet host is %v: %v", zone, got.BytesOut, err)
		}
	}
}

// When clocks are put back one hour occurs twice; flows before and after it count
// at their own times.
func TestTheHourThatIsThereTwice(t *testing.T) {
	change := time.Date(2025, 10, 26, 1, 0, 0, 0, time.UTC) // in Berlin 3:00 becomes 2:00
	s := local(t, "Europe/Berlin", nil)
	for _, ago := range []time.Duration{-90 * time.Minute, -61 * time.Minute, time.Minute, 59 * time.Minute, 61 * time.Minute} {
		wall := change.Add(ago)
		running(t).exec(t, fmt.Sprintf(`INSERT INTO %s VALUES (timestamptz '%s' AT TIME ZONE 'Europe/Berlin', timestamptz '%s' AT TIME ZONE 'Europe/Berlin',
			'192.0.2.10', '198.51.100.1', 50000, 53, 'udp', 1000, 10, 2, NULL, 'north', 1)`, s.config.Table,
			wall.Format(time.RFC3339), wall.Add(time.Second).Format(time.RFC3339)))
	}
	for _, tt := range []struct {
		from, to time.Duration
		want     int64
	}{{-2 * time.Hour, -time.Hour, 2000}, {0, time.Hour, 2000}, {0, 62 * time.Minute, 3000}, {30 * time.Minute, 60 * time.Minute, 1000}} {
		got, err := s.Traffic(t.Context(), integrations.TrafficQuery{IPs: []string{"192.0.2.10"}, From: change.Add(tt.from), To: change.Add(tt.to)})
		if n, _ := got.BytesOut.Get(); err != nil || n != tt.want {
			t.Errorf("from %s to %s after the change bytes_out is %v, want %d: %v", tt.from, tt.to, got.BytesOut, tt.want, err)
		}
	}
}

func TestAZoneIsRefused(t *testing.T) {
	for zone, want := range map[integrations.Zone]string{
		"Europe/Berlinn": "not in the zone database", "Local": "not in the zone database", "../etc/passwd": "not in the zone database",
	} {
		c := defaults()
		c.Host, c.Database, c.User, c.TimeZone = "flows.example", "netflow", "stanch", zone
		if _, err := newStore(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the zone %q is refused with %v, want %q", zone, err, want)
		}
		if err := new(integrations.Zone).UnmarshalText([]byte(zone)); err == nil {
			t.Errorf("the zone %q is read", zone)
		}
	}
	s := openerOf(layouts()[0])
	s.config = func(c *Config) { c.TimeZone = "Europe/Berlin" }
	if _, err := s.open(t, nil).open(t.Context()); err == nil || !strings.Contains(err.Error(), "time_zone is for timestamps without a zone") {
		t.Errorf("a zone for times that have one is refused with %v", err)
	}
}

func TestAFlowThatIsLongerThanLongest(t *testing.T) {
	contract.LongerThanLongest(t, func(t testing.TB, longest time.Duration, records []contract.Seen) integrations.Flows {
		o := openerOf(layouts()[0])
		o.config = func(c *Config) { c.Longest = longest }
		return o.open(t, records)
	})
}

func TestConfiguredRate(t *testing.T) {
	contract.ConfiguredRate(t, func(t testing.TB, rate int, records []contract.Seen) integrations.Flows {
		o := openerOf(layouts()[0])
		o.config = func(c *Config) { c.Sampling = rate }
		return o.open(t, records)
	})
}
