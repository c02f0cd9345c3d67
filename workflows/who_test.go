package workflows_test

import (
	"testing"
	"time"

	"github.com/stanch-soar/stanch/integrations/memory"
	"github.com/stanch-soar/stanch/playbooks/incident"
)

// A process is found also where a clock is hours off, and people see that it took
// a wider look.
func TestWhoSendsIsFoundWhereTheClocksAreHoursApart(t *testing.T) {
	t.Parallel()
	for skew, wide := range map[time.Duration]bool{-10 * time.Minute: false, -5 * time.Hour: true, 7 * time.Hour: true} {
		w := newWorld(t, memory.Quiet, "high-egress-windows")
		const path = `C:\Users\Public\updater.exe`
		if err := w.estate.AddHost(memory.Host{
			ID: "ws-777", Name: "ws-777.corp.example", IPs: []string{"10.20.9.77"}, OS: "windows", Role: "workstation", ClockSkew: skew,
			Processes: []memory.Process{{
				Path: path, Name: "updater.exe", PID: 4711,
				Streams: []memory.Stream{{
					Destinations: []string{"198.51.100.7", "198.51.100.8"}, DstPort: 443, Transport: "tcp", BitsOut: 30_000_000, From: -10 * time.Minute,
				}},
			}},
		}); err != nil {
			t.Fatal(err)
		}
		id := w.open(alertFor("ws-777", "10.20.9.77"))
		w.run(time.Minute)
		c := w.see(id)
		if got, _ := c.Facts.Process.Path.Get(); got != path || c.Facts.Traffic.Attribution.String() != "exact" {
			t.Errorf("%s apart: %s, %v", skew, c.Facts.Traffic.Attribution, c.Facts.Process.Path)
		}
		if got, ok := c.Facts.Traffic.ClockSkew.Get(); !ok || got != skew {
			t.Errorf("%s apart: the clocks are said to be %s apart", skew, c.Facts.Traffic.ClockSkew)
		}
		if explained, _ := c.Facts.Traffic.Explained.Get(); explained < 0.95 || explained > 1 {
			t.Errorf("%s apart: %s is explained", skew, c.Facts.Traffic.Explained)
		}
		if told := texts(c, incident.EvEnriched, "up to 24h before and after, were asked for"); (len(told) > 0) != wide {
			t.Errorf("%s apart: told of a wider look: %q", skew, told)
		}
	}
}

// Who is guessed can still come where the EDR is down: people are not asked
// before it has had its time.
func TestTheCandidateIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, memory.Flood, "high-egress-windows",
		"traffic.role == 'requester'\n      && traffic.attribution == 'exact'", `candidate.path.endsWith('powershell.exe')`,
		"when: ratio > 20", "when: ratio > 1000000",
		"&& traffic.attribution != 'exact'\n      && ratio > 1\n", "&& ratio < 0\n",
		"traffic.attribution != 'exact'\n      && ratio > 1\n", "ratio < 0\n")
	w.estate.Fail("connections", down(), -1)
	id := w.open(alertFor("ws-042", "10.20.4.42"))
	w.explainOnFailure(id)
	w.do(time.Minute, (*memory.Estate).Mend)
	w.run(10 * time.Minute)
	if c := w.see(id); len(c.Approvals) > 0 || c.Decision.Rule != "amplification-from-a-workstation" {
		t.Errorf("rule %s, asked %+v", c.Decision.Rule, c.Approvals)
	}
	w.contained(incident.Isolate, 1, 0)
}
